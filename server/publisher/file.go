package publisher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileForm is the file of the last ring. Snapshots carry a hash of their own, which
// the pointer names: what is damaged is seen.
type fileForm struct {
	Format  int     `json:"format"`
	Pointer Pointer `json:"pointer"`
	Stable  []byte  `json:"stable"`
	Canary  []byte  `json:"canary,omitempty"`
	Nodes   []Node  `json:"nodes"`
}

const (
	fileFormat = 1
	maxFile    = 8 << 20 // two snapshots in base64, and 10,000 nodes
)

// readFile reads the last table. It is nil where there is no file.
func readFile(name string, seeds []string) (*table, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readAtMost(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var form fileForm
	if err := json.Unmarshal(b, &form); err != nil {
		return nil, fmt.Errorf("%w: %s: %w: remove it", ErrRing, name, err)
	}
	t, err := form.table(seeds)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove it", name, err)
	}
	return t, nil
}

// table checks a file's content.
func (f *fileForm) table(seeds []string) (*table, error) {
	if f.Format != fileFormat {
		return nil, fmt.Errorf("%w: format %d: %d is read", ErrRing, f.Format, fileFormat)
	}
	if err := f.Pointer.check(); err != nil {
		return nil, err
	}
	stable, err := open(f.Pointer.Stable, f.Pointer.StableHash, f.Stable)
	if err != nil {
		return nil, err
	}
	var canary *held
	if f.Pointer.Canary != 0 {
		if canary, err = open(f.Pointer.Canary, f.Pointer.CanaryHash, f.Canary); err != nil {
			return nil, err
		}
	}
	return newTable(f.Pointer, stable, canary, f.Nodes, seeds), nil
}

// writeFile puts a table in the place of the file: written beside it, synced and
// renamed, so that there is a whole one whatever happens.
func writeFile(name string, t *table) (err error) {
	form := fileForm{Format: fileFormat, Pointer: t.pointer, Stable: t.stable.bytes, Nodes: t.nodes}
	if t.canary != nil {
		form.Canary = t.canary.bytes
	}
	b, err := json.Marshal(&form)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
