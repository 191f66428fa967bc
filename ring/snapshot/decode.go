package snapshot

import (
	"errors"
	"fmt"
	"math"

	"roost/ring"
)

// Decode reads the binary form. The error is an *Error. The result shares
// nothing with b. Encode of the result gives b again.
func Decode(b []byte) (*Snapshot, error) {
	if err := checkFrame(b); err != nil {
		return nil, err
	}
	d := &decoder{b: b[:len(b)-hashBytes], at: headBytes}
	return d.snapshot()
}

// checkFrame looks at what holds for every format: that b is a snapshot, whole,
// and undamaged.
func checkFrame(b []byte) error {
	switch {
	case len(b) < len(magic):
		return refuse(Short, 0, "%d bytes, a snapshot has at least %d", len(b), smallest)
	case string(b[:len(magic)]) != magic:
		return refuse(Magic, 0, "it begins with %q, a snapshot with %q", b[:len(magic)], magic)
	case len(b) < 10:
		return refuse(Short, 0, "%d bytes, a snapshot has at least %d", len(b), smallest)
	case le.Uint16(b[8:]) != Format:
		return refuse(BadFormat, 8, "format %d, this reader knows %d: use a newer one", le.Uint16(b[8:]), Format)
	case len(b) < 16:
		return refuse(Short, 0, "%d bytes, a snapshot has at least %d", len(b), smallest)
	}
	size := int64(le.Uint32(b[12:]))
	switch {
	case size < smallest || size > MaxBytes:
		return refuse(Length, 12, "it says that it has %d bytes, a snapshot has %d to %d", size, smallest, MaxBytes)
	case int64(len(b)) < size:
		return refuse(Short, 12, "%d of %d bytes are there: it was cut", len(b), size)
	case int64(len(b)) > size:
		return refuse(Length, 12, "%d bytes, it says that it has %d", len(b), size)
	}
	body := b[:len(b)-hashBytes]
	if want, got := ContentHash(b), ring.HashBytes(body); want != got {
		return refuse(BadHash, len(body), "the bytes have the hash %016x, it says %016x: it was damaged", got, want)
	}
	return nil
}

func refuse(code Code, at int, format string, args ...any) error {
	return &Error{Code: code, At: at, Text: fmt.Sprintf(format, args...)}
}

var errEnd = errors.New("ends in the middle")

// decoder reads the body from at on.
type decoder struct {
	b  []byte
	at int
}

func (d *decoder) snapshot() (*Snapshot, error) {
	if d.b[10] != 0 || d.b[11] != 0 || d.b[30] != 0 || d.b[31] != 0 {
		return nil, refuse(Reserved, 10, "bytes 10, 11, 30 and 31 are 0 in format %d", Format)
	}
	if d.b[29] != placement {
		return nil, refuse(Placement, 29, "placement %d, this reader knows %d", d.b[29], placement)
	}
	s := &Snapshot{}
	s.Version = le.Uint64(d.b[16:])
	s.PointsPerUnit, s.TableBits = int(le.Uint32(d.b[24:])), int(d.b[28])
	if s.TableBits < ring.MinTableBits || s.TableBits > ring.MaxTableBits {
		return nil, refuse(Table, 28, "a table of 2^%d slots, must be 2^%d to 2^%d", s.TableBits, ring.MinTableBits, ring.MaxTableBits)
	}
	if s.PointsPerUnit < 1 || s.PointsPerUnit > maxPerUnit {
		return nil, refuse(Table, 24, "%d points per unit, must be 1 to %d", s.PointsPerUnit, maxPerUnit)
	}
	if err := d.nodes(s); err != nil {
		return nil, err
	}
	if err := d.sections(s); err != nil {
		return nil, err
	}
	return s, nil
}

// nodes reads the nodes. What they are allowed to be is ring's to say.
func (d *decoder) nodes(s *Snapshot) error {
	count := le.Uint32(d.b[32:])
	if count > ring.MaxNodes {
		return refuse(BadNode, 32, "%d nodes, at most %d are allowed", count, ring.MaxNodes)
	}
	points := 0
	for i := range count {
		begin := d.at
		n, err := d.node()
		if err != nil {
			return refuse(BadNode, begin, "node %d of %d %v", i+1, count, err)
		}
		if err := n.CheckTexts(); err != nil {
			return refuse(BadNode, begin, "%v", err)
		}
		if i > 0 && s.Nodes[i-1].ID >= n.ID {
			return refuse(BadNode, begin, "node %q after %q: ids ascend", n.ID, s.Nodes[i-1].ID)
		}
		if err := n.CheckAmounts(); err != nil {
			return refuse(Weight, begin, "%v", err)
		}
		if err := n.CheckPoints(); err != nil {
			return refuse(Points, begin, "%v", err)
		}
		if points += n.Points; points > ring.MaxPoints {
			return refuse(Points, begin, "%d points up to node %q, at most %d are allowed", points, n.ID, ring.MaxPoints)
		}
		s.Nodes = append(s.Nodes, n)
	}
	return nil
}

func (d *decoder) node() (n ring.Member, err error) {
	for _, text := range [...]*string{&n.ID, &n.Addr, &n.Zone} {
		size, ok := d.take(1)
		if !ok {
			return n, errEnd
		}
		bytes, ok := d.take(int(size[0]))
		if !ok {
			return n, errEnd
		}
		*text = string(bytes)
	}
	rest, ok := d.take(20)
	if !ok {
		return n, errEnd
	}
	n.Weight, n.Capacity = math.Float64frombits(le.Uint64(rest)), math.Float64frombits(le.Uint64(rest[8:]))
	n.Points = int(le.Uint32(rest[16:]))
	return n, nil
}

func (d *decoder) sections(s *Snapshot) error {
	last := uint16(0)
	for d.at < len(d.b) {
		begin := d.at
		head, ok := d.take(6)
		if !ok {
			return refuse(BadNode, begin, "a section ends in the middle")
		}
		tag, size := le.Uint16(head), le.Uint32(head[2:])
		data, ok := d.take(int(size))
		switch {
		case !ok:
			return refuse(BadNode, begin, "section %#04x has %d bytes, %d are there", tag, size, len(d.b)-d.at)
		case tag <= last:
			return refuse(BadSection, begin, "section %#04x after %#04x: tags ascend", tag, last)
		case tag&mustKnow != 0:
			return refuse(BadSection, begin, "section %#04x must be understood, and this reader does not: use a newer one", tag)
		}
		last = tag
		s.Sections = append(s.Sections, Section{tag, append([]byte{}, data...)})
	}
	return nil
}

// take returns the next n bytes, or false if fewer are left.
func (d *decoder) take(n int) ([]byte, bool) {
	if n < 0 || n > len(d.b)-d.at {
		return nil, false
	}
	b := d.b[d.at : d.at+n]
	d.at += n
	return b, true
}
