package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"roost/ring"
	"roost/ring/snapshot"
)

// mostFile bounds what is read as a snapshot: JSON takes up to about four times
// the room of the binary form.
const mostFile = 4 * snapshot.MaxBytes

// readSnapshot reads a file in either form.
func readSnapshot(name string) (*snapshot.Snapshot, *ring.Ring, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > mostFile {
		return nil, nil, fmt.Errorf("%s has more than %d bytes: it is no snapshot", name, mostFile)
	}
	s, err := decode(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	r, err := s.Ring()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, r, nil
}

// decode tells the forms apart by their content.
func decode(b []byte) (*snapshot.Snapshot, error) {
	if text := bytes.TrimLeft(b, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		return snapshot.DecodeJSON(b)
	}
	return snapshot.Decode(b)
}

// writeSnapshot writes a file whole or not at all: JSON if its name ends in .json,
// else the binary form.
func writeSnapshot(name string, s *snapshot.Snapshot) (err error) {
	encode := s.Encode
	if strings.HasSuffix(name, ".json") {
		encode = s.EncodeJSON
	}
	b, err := encode()
	if err != nil {
		return err
	}
	return writeFile(name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// writeFile writes to a new file that takes the place of name at the end.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".roostctl-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// describe is a line about a ring.
func describe(s *snapshot.Snapshot, r *ring.Ring) (string, error) {
	hash, err := s.Hash()
	if err != nil {
		return "", err
	}
	points := 0
	for i := range r.Nodes() {
		points += r.Points(i)
	}
	return fmt.Sprintf("ring %d: %d nodes, %d points (%d a unit of weight), %d slots, hash %016x",
		r.Version(), r.Len(), points, r.PointsPerUnit(), r.TableSlots(), hash), nil
}
