package snapshot

import (
	"encoding/binary"
	"fmt"
	"math"

	"roost/ring"
)

var le = binary.LittleEndian

// Encode returns the binary form. An error says what about s is not allowed; a
// Snapshot of a ring has none.
func (s *Snapshot) Encode() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := s.checkSections(); err != nil {
		return nil, err
	}
	return s.encode()
}

// encode returns the binary form of what may be wrong, as far as it has one.
func (s *Snapshot) encode() ([]byte, error) {
	if err := s.checkRanges(); err != nil {
		return nil, err
	}
	size := s.size()
	if size > MaxBytes {
		return nil, fmt.Errorf("ring snapshot: %d bytes, at most %d are allowed", size, MaxBytes)
	}
	b := make([]byte, 0, size)
	b = append(b, magic...)
	b = le.AppendUint16(b, Format)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint64(b, s.Version)
	b = le.AppendUint32(b, uint32(s.PointsPerUnit))
	b = append(b, byte(s.TableBits), placement, 0, 0)
	b = le.AppendUint32(b, uint32(len(s.Nodes)))
	for i := range s.Nodes {
		b = appendNode(b, &s.Nodes[i])
	}
	for _, section := range s.Sections {
		b = le.AppendUint16(b, section.Tag)
		b = le.AppendUint32(b, uint32(len(section.Data)))
		b = append(b, section.Data...)
	}
	return le.AppendUint64(b, ring.HashBytes(b)), nil
}

func appendNode(b []byte, n *ring.Member) []byte {
	for _, text := range [...]string{n.ID, n.Addr, n.Zone} {
		b = append(b, byte(len(text)))
		b = append(b, text...)
	}
	b = le.AppendUint64(b, math.Float64bits(n.Weight))
	b = le.AppendUint64(b, math.Float64bits(n.Capacity))
	return le.AppendUint32(b, uint32(n.Points))
}

// checkRanges refuses what has no binary form, right or wrong.
func (s *Snapshot) checkRanges() error {
	if s.TableBits != int(byte(s.TableBits)) || int64(s.PointsPerUnit) != int64(uint32(s.PointsPerUnit)) {
		return fmt.Errorf("%w: a table of 2^%d slots, %d points per unit", ring.ErrOptions, s.TableBits, s.PointsPerUnit)
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if max(len(n.ID), len(n.Addr), len(n.Zone)) > ring.MaxName || int64(n.Points) != int64(uint32(n.Points)) {
			return fmt.Errorf("%w: node %q: a text of more than %d bytes, or %d points", ring.ErrNode, n.ID, ring.MaxName, n.Points)
		}
	}
	return nil
}

// size returns the length of the binary form.
func (s *Snapshot) size() int {
	size := smallest
	for i := range s.Nodes {
		n := &s.Nodes[i]
		size += 3 + len(n.ID) + len(n.Addr) + len(n.Zone) + 8 + 8 + 4
	}
	for _, section := range s.Sections {
		size += 6 + len(section.Data)
	}
	return size
}

func (s *Snapshot) checkSections() error {
	last := uint16(0)
	for _, section := range s.Sections {
		if section.Tag == 0 || section.Tag&mustKnow != 0 {
			return fmt.Errorf("ring snapshot: section tag %#04x: sections that are carried along have tags 1 to 0x7fff", section.Tag)
		}
		if section.Tag <= last {
			return fmt.Errorf("ring snapshot: section tag %d after %d: sort them, each once", section.Tag, last)
		}
		last = section.Tag
	}
	return nil
}
