package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// jsonNode is a node in the JSON form; its fields are in the order in which they are
// written.
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
