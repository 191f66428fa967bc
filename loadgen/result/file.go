package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// MaxFile is the largest file that is read, in bytes. A run of an hour with 64
// phases and 54 workers has about 10 MB.
const MaxFile = 256 << 20

// ErrSchema is the error for files of another version of the schema.
var ErrSchema = errors.New("a result of another schema")

// Encode writes r as JSON. Numbers that JSON cannot hold become 0 in r and get
// a note: a file with a remark is better than none. (Values of checks and
// thresholds may be infinite.)
func Encode(w io.Writer, r *Result) error {
	clean(r)
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("encode result %s: %w", r.ID, err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Decode reads one result of this schema and checks it.
func Decode(rd io.Reader) (*Result, error) {
	data, err := io.ReadAll(io.LimitReader(rd, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("larger than %d MiB: no result of a run is", MaxFile>>20)
	}
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, place(data, err)
	}
	switch {
	case version.Schema == nil:
		return nil, errors.New("no result of a run: it has no schema")
	case *version.Schema > Schema:
		return nil, fmt.Errorf("%w: %d, this program reads %d: use a newer one", ErrSchema, *version.Schema, Schema)
	case *version.Schema < Schema:
		return nil, fmt.Errorf("%w: %d, this program reads %d: run it again, or use the program that wrote it", ErrSchema, *version.Schema, Schema)
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, place(data, err)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// place adds the line to an error that knows its offset.
func place(data []byte, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("no result of a run: the file is empty")
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("no result of a run: %w", err)
	}
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	if offset == int64(len(data)) {
		return fmt.Errorf("no result of a run, or cut off: line %d: %w", line, err)
	}
	return fmt.Errorf("no result of a run: line %d: %w", line, err)
}

// ReadFile reads the result in a file.
func ReadFile(path string) (*Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// WriteFile writes r to a file: whole or not at all, an older one of that name
// stays until then.
func WriteFile(path string, r *Result) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	err = Encode(f, r)
	if err == nil {
		err = f.Chmod(0o644) // CreateTemp's are private
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write result %s: %w", path, err)
	}
	return nil
}
