package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"roost/ring"
)

// jsonSnapshot is the JSON form. Its fields are in the order in which they are
// written.
type jsonSnapshot struct {
	Format        int        `json:"format"`
	Version       uint64     `json:"version"`
	PointsPerUnit int        `json:"pointsPerUnit"`
	TableBits     int        `json:"tableBits"`
	Placement     int        `json:"placement"`
	Nodes         []jsonNode `json:"nodes"`
	Sections      []Section  `json:"sections,omitempty"`
	Hash          string     `json:"hash"`
}

type jsonNode struct {
	ID       string  `json:"id"`
	Addr     string  `json:"addr"`
	Zone     string  `json:"zone"`
	Weight   float64 `json:"weight"`
	Capacity float64 `json:"capacity"`
	Points   int     `json:"points"`
}

// EncodeJSON returns the JSON form, a node a line. Errors are Encode's.
func (s *Snapshot) EncodeJSON() ([]byte, error) {
	hash, err := s.Hash()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"format":%d,"version":%d,"pointsPerUnit":%d,"tableBits":%d,"placement":%d,"nodes":[`, Format, s.Version, s.PointsPerUnit, s.TableBits, placement)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		line, err := json.Marshal(jsonNode{n.ID, n.Addr, n.Zone, n.Weight, n.Capacity, n.Points})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]")
	if len(s.Sections) > 0 {
		sections, err := json.Marshal(s.Sections)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `,"sections":%s`, sections)
	}
	fmt.Fprintf(&b, `,"hash":"%016x"}`+"\n", hash)
	return b.Bytes(), nil
}

// DecodeJSON reads the JSON form, in any layout. The hash must be that of the
// binary form of what it says. Errors are *Error.
func DecodeJSON(b []byte) (*Snapshot, error) {
	var j jsonSnapshot
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, refuse(Short, len(b), "the JSON ends in the middle")
		}
		return nil, refuse(Magic, int(d.InputOffset()), "not a snapshot in JSON: %v", err)
	}
	at := int(d.InputOffset())
	if rest := bytes.TrimSpace(b[at:]); len(rest) > 0 {
		return nil, refuse(Length, at, "there is more after the snapshot")
	}
	if j.Format != Format {
		return nil, refuse(BadFormat, 0, "format %d, this reader knows %d: use a newer one", j.Format, Format)
	}
	if j.Placement != placement {
		return nil, refuse(Placement, 0, "placement %d, this reader knows %d", j.Placement, placement)
	}
	s := &Snapshot{Sections: j.Sections}
	s.Version, s.PointsPerUnit, s.TableBits = j.Version, j.PointsPerUnit, j.TableBits
	for _, n := range j.Nodes {
		s.Nodes = append(s.Nodes, ring.Member{
			Node:   ring.Node{ID: n.ID, Addr: n.Addr, Zone: n.Zone, Weight: n.Weight, Capacity: n.Capacity},
			Points: n.Points,
		})
	}
	// What is allowed, and in which words it is refused, is the binary form's to say.
	binary, err := s.encode()
	if err != nil {
		return nil, refuse(Length, 0, "%v", err)
	}
	if s, err = Decode(binary); err != nil {
		return nil, err
	}
	if hash := fmt.Sprintf("%016x", ContentHash(binary)); hash != j.Hash {
		return nil, refuse(BadHash, at, "what it says has the hash %s, it says %q: it was changed", hash, j.Hash)
	}
	return s, nil
}
