package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The file of the last routes: a line, then JSON, whose CRC-32C the line has.
//
//	roost-routes 1 89abcdef
//	{"cluster":{...},"activation":812,"pointer":{...},"stable":"<base64>","canary":"<base64>"}
//
// Snapshots carry a hash of their own. It is written beside, synced, and renamed:
// whatever happens there is a whole one.
const (
	fileMagic  = "roost-routes"
	fileFormat = 1
	maxFile    = 4 << 20 // two snapshots of MaxSnapshot in base64, and a pointer
)

// routesFile is the JSON.
type routesFile struct {
	Cluster    Identity  `json:"cluster"`
	Activation int64     `json:"activation"`
	Pointer    Pointer   `json:"pointer"`
	Stable     []byte    `json:"stable"`
	Canary     []byte    `json:"canary,omitempty"`
	Written    time.Time `json:"written"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeActive writes a to name.
func writeActive(name string, id Identity, a *Active) error {
	f := routesFile{Cluster: id, Activation: a.Pointer.Activation, Pointer: a.Pointer, Stable: a.stable.Bytes, Written: a.At.UTC()}
	if a.canary != nil {
		f.Canary = a.canary.Bytes
	}
	body, err := json.Marshal(&f)
	if err != nil {
		return err
	}
	head := fmt.Sprintf("%s %d %08x\n", fileMagic, fileFormat, crc32.Checksum(body, castagnoli))
	return replaceFile(name, append([]byte(head), body...))
}

// readActive reads name. It is nil where there is no file. The error says why it
// is refused.
func readActive(name string, id Identity) (*Active, error) {
	b, err := readBounded(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		var a *Active
		if a, err = parseActive(b, id); err == nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%s: %w: it is ignored, and written anew with the next ring", name, err)
}

// IsRoutesFile reports whether bytes begin as the file of a node's last routes does.
func IsRoutesFile(b []byte) bool {
	return strings.HasPrefix(string(b[:min(len(b), 64)]), fileMagic+" ")
}

// ReadRoutes reads the bytes of the file of a node's last routes, of a cluster.
// Errors are ErrDamaged and ErrOtherCluster.
func ReadRoutes(b []byte, id Identity) (*Active, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrDamaged, maxFile)
	}
	return parseActive(b, id)
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%w: more than %d bytes", ErrDamaged, maxFile)
	}
	return b, err
}

// parseActive reads the bytes of a file.
func parseActive(b []byte, id Identity) (*Active, error) {
	head, _, found := strings.Cut(string(b[:min(len(b), 64)]), "\n")
	if !found {
		return nil, fmt.Errorf("%w: no first line", ErrDamaged)
	}
	var format, sum uint32
	if n, err := fmt.Sscanf(head, fileMagic+" %d %x", &format, &sum); err != nil || n != 2 {
		return nil, fmt.Errorf("%w: it begins with %q, which is no file of routes", ErrDamaged, head)
	}
	if format != fileFormat {
		return nil, fmt.Errorf("%w: format %d, this is %d", ErrDamaged, format, fileFormat)
	}
	rest := b[len(head)+1:]
	if got := crc32.Checksum(rest, castagnoli); got != sum {
		return nil, fmt.Errorf("%w: the sum is %08x, it says %08x", ErrDamaged, got, sum)
	}
	var f routesFile
	if err := json.Unmarshal(rest, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if f.Cluster != id {
		return nil, fmt.Errorf("%w: the file is of cluster %q, environment %q", ErrOtherCluster, f.Cluster.ID, f.Cluster.Environment)
	}
	return f.active()
}

// active checks what the file says, as if it came from etcd.
func (f *routesFile) active() (*Active, error) {
	p := f.Pointer
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if f.Activation <= 0 {
		return nil, fmt.Errorf("%w: activation %d", ErrDamaged, f.Activation)
	}
	p.Activation = f.Activation
	a := &Active{Pointer: p, From: FromFile, At: time.Now()}
	var err error
	if a.stable, err = checkedStored(p.Stable, p.StableHash, f.Stable); err != nil {
		return nil, err
	}
	if p.Canary != 0 {
		if a.canary, err = checkedStored(p.Canary, p.CanaryHash, f.Canary); err != nil {
			return nil, err
		}
	}
	a.route()
	return a, nil
}

func checkedStored(version uint64, hash Hash, b []byte) (*Stored, error) {
	s, err := readStored(version, b)
	if err == nil && s.Hash != hash {
		err = fmt.Errorf("%w: version %d has the hash %v, the pointer names %v", ErrDamaged, version, s.Hash, hash)
	}
	return s, err
}

// replaceFile puts b in the place of name: all of it or nothing, also if the
// machine fails.
func replaceFile(name string, b []byte) (err error) {
	dir := filepath.Dir(name)
	tmp, err := os.CreateTemp(dir, filepath.Base(name)+".new*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(b); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
