package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"roost/ring"
)

// addKept gives a fuzzer the snapshots that are kept.
func addKept(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join(snapshots, pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no files %s (%v)", pattern, err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && len(b) < 10_000 {
			f.Add(b)
		}
	}
}

// checkDecoded: what was read is written the same again, and is a ring if it is
// not too large to try.
func checkDecoded(t *testing.T, s *Snapshot) []byte {
	b, err := s.Encode()
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	points := 0
	for _, n := range s.Nodes {
		points += n.Points
	}
	if points < 2000 && s.TableBits < 12 {
		r, err := s.Ring()
		if err != nil {
			t.Fatalf("what was read is no ring: %v", err)
		}
		if err := r.CheckInvariants(); err != nil {
			t.Fatal(err)
		}
		again := Of(r)
		again.Sections = s.Sections
		if !again.Equal(s) {
			t.Fatalf("the ring says %+v, the snapshot %+v", again, s)
		}
	}
	return b
}

// FuzzDecode: no bytes crash it, what it takes is the one spelling of a ring, and
// what it refuses has a code. Every input is also tried with length and hash put
// right, so that what lies behind them is reached.
func FuzzDecode(f *testing.F) {
	addKept(f, "v*/*.ring")
	addKept(f, "refused/*.ring")
	f.Fuzz(func(t *testing.T, b []byte) {
		tries := [][]byte{b}
		if len(b) >= smallest {
			tries = append(tries, seal(bytes.Clone(b)))
		}
		for _, b := range tries {
			s, err := Decode(b)
			if err == nil {
				if again := checkDecoded(t, s); !bytes.Equal(again, b) {
					t.Fatalf("a second spelling: %x is written %x", b, again)
				}
				continue
			}
			if bad := (*Error)(nil); !errors.As(err, &bad) || bad.Code < Short || bad.Code > BadSection || s != nil {
				t.Fatalf("%v, %+v", err, s)
			}
		}
	})
}

// FuzzDecodeJSON: the same for the JSON form, which may have many layouts.
func FuzzDecodeJSON(f *testing.F) {
	addKept(f, "v*/*.json")
	f.Add([]byte(`{"format":1,"version":1,"pointsPerUnit":1e99,"tableBits":-8,"placement":1,"nodes":[{"points":-1}],"sections":[{"tag":70000}],"hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeJSON(b)
		if err != nil {
			if bad := (*Error)(nil); !errors.As(err, &bad) || bad.Code < Short || bad.Code > BadSection {
				t.Fatalf("%v", err)
			}
			return
		}
		checkDecoded(t, s)
		if twin, err := lax(b); err != nil || !twin.Equal(s) {
			t.Fatalf("%s: read as %+v, by encoding/json alone as %+v, %v", b, s, twin, err)
		}
		j, err := s.EncodeJSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeJSON(j); err != nil || !again.Equal(s) {
			t.Fatalf("%s: %v", j, err)
		}
	})
}

// lax reads JSON with encoding/json alone, which takes all that is allowed, and
// more.
func lax(b []byte) (*Snapshot, error) {
	var j struct {
		Version                  uint64
		PointsPerUnit, TableBits int
		Nodes                    []jsonNode
		Sections                 []Section
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, err
	}
	s := &Snapshot{Sections: j.Sections}
	s.Version, s.PointsPerUnit, s.TableBits = j.Version, j.PointsPerUnit, j.TableBits
	for _, n := range j.Nodes {
		s.Nodes = append(s.Nodes, ring.Member{Node: ring.Node{ID: n.ID, Addr: n.Addr, Zone: n.Zone, Weight: n.Weight, Capacity: n.Capacity}, Points: n.Points})
	}
	return s, nil
}

// TestFlippedBits: a snapshot with any one bit changed is refused, and so is
// every beginning of it.
func TestFlippedBits(t *testing.T) {
	b := read(t, "v1/three.ring")
	for i := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		if s, err := Decode(bad); err == nil {
			t.Errorf("bit %d of byte %d changed: read as %+v", i%8, i/8, s)
		}
	}
	for n := range len(b) {
		bad := (*Error)(nil)
		if _, err := Decode(b[:n]); !errors.As(err, &bad) || bad.Code != Short {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

// TestSectionsAreCarried: what a later writer has added stays, so its hash does.
func TestSectionsAreCarried(t *testing.T) {
	b := read(t, "v1/future-part.ring")
	s, err := Decode(b)
	if err != nil || len(s.Sections) != 2 || string(s.Sections[0].Data) != "from a later writer" {
		t.Fatalf("%+v, %v", s, err)
	}
	if hash, err := s.Hash(); err != nil || hash != ContentHash(b) {
		t.Errorf("hash %x, %v", hash, err)
	}
	clear(b) // the reader's bytes are its own again
	if string(s.Sections[0].Data) != "from a later writer" {
		t.Errorf("the snapshot's sections are those of the bytes it was read from: %q", s.Sections[0].Data)
	}
	for _, bad := range [][]Section{{{Tag: 0}}, {{Tag: 0x8001}}, {{Tag: 2}, {Tag: 2}}, {{Tag: 2}, {Tag: 1}}} {
		s.Sections = bad
		if _, err := s.Encode(); err == nil {
			t.Errorf("sections %v are written", bad)
		}
	}
}

// TestNotWritten: what is no ring has no spelling.
func TestNotWritten(t *testing.T) {
	for name, d := range map[string]ring.Definition{
		"no options":    {},
		"unsorted":      {PointsPerUnit: 1, TableBits: 8, Nodes: []ring.Member{node("b", 1, 1), node("a", 1, 1)}},
		"no points":     {PointsPerUnit: 1, TableBits: 8, Nodes: []ring.Member{node("b", 1, 0)}},
		"negative":      {PointsPerUnit: 1, TableBits: 8, Nodes: []ring.Member{node("b", 1, -1)}},
		"negative bits": {PointsPerUnit: 1, TableBits: -8},
	} {
		s := Snapshot{Definition: d}
		if b, err := s.Encode(); err == nil {
			t.Errorf("%s: written as %x", name, b)
		}
		if _, err := s.Hash(); err == nil {
			t.Errorf("%s has a hash", name)
		}
		if _, err := s.EncodeJSON(); err == nil {
			t.Errorf("%s is written in JSON", name)
		}
	}
}
