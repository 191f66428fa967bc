package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"roost/ring"
	"roost/ring/snapshot"
)

// mostFile bounds what is read as a snapshot: JSON takes up to about four times
// the room of the binary form.
const mostFile = 4 * snapshot.MaxBytes

// readFile reads a file of up to most bytes; more are no what.
func readFile(ctx context.Context, name string, most int64, what string) ([]byte, error) {
	f, in, err := openFile(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(in, most, name, what)
}

// readAtMost reads all of r, or says that it is too much.
func readAtMost(r io.Reader, most int64, name, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes: it is no %s", name, most, what)
	}
	return b, nil
}

// readSnapshot reads a file in either form.
func readSnapshot(ctx context.Context, name string) (*snapshot.Snapshot, *ring.Ring, error) {
	b, err := readFile(ctx, name, mostFile, "snapshot")
	if err != nil {
		return nil, nil, err
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

// writeSnapshot writes a file: JSON if its name ends in .json, else the binary form.
// It is there only if say has no error either.
func writeSnapshot(ctx context.Context, name string, s *snapshot.Snapshot, say func() error) error {
	encode := s.Encode
	if strings.HasSuffix(name, ".json") {
		encode = s.EncodeJSON
	}
	b, err := encode()
	if err != nil {
		return err
	}
	return writeFile(ctx, name, func(w io.Writer) error {
		if _, err := w.Write(b); err != nil {
			return err
		}
		return say()
	})
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
