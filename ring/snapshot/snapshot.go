package snapshot

import (
	"fmt"
	"slices"

	"roost/ring"
)

// Format is the number of the format that this package writes. It reads it and
// the one before.
const Format = 1

// placement is the number of the only rule of placement there is.
const placement = 1

// Limits and sizes of the binary form.
const (
	MaxBytes   = 64 << 20
	magic      = "ROOSTRNG"
	headBytes  = 36 // up to the nodes
	hashBytes  = 8
	smallest   = headBytes + hashBytes
	mustKnow   = 0x8000 // bit of a tag: a reader must understand the section
	maxPerUnit = 65536
)

// Section is a part that a later writer has added and that this reader carries
// along, so that the bytes and their hash stay.
type Section struct {
	Tag  uint16 `json:"tag"`  // not 0; the bit 0x8000 is not set
	Data []byte `json:"data"` // base64 in JSON
}

// Snapshot is a ring, written down or to be.
type Snapshot struct {
	ring.Definition
	Sections []Section // by tag, each once
}

// Of returns the snapshot of a ring.
func Of(r *ring.Ring) *Snapshot { return &Snapshot{Definition: r.Definition()} }

// Hash returns the content hash: that of the binary form. Equal hashes, equal
// answers. The error is Encode's.
func (s *Snapshot) Hash() (uint64, error) {
	b, err := s.Encode()
	if err != nil {
		return 0, err
	}
	return ContentHash(b), nil
}

// ContentHash returns the content hash that a binary snapshot carries, or 0 if b
// is too short to be one. Decode has checked it.
func ContentHash(b []byte) uint64 {
	if len(b) < smallest {
		return 0
	}
	return le.Uint64(b[len(b)-hashBytes:])
}

// Equal reports whether two snapshots are the same.
func (s *Snapshot) Equal(o *Snapshot) bool {
	return s.Definition.Equal(&o.Definition) && slices.EqualFunc(s.Sections, o.Sections, func(a, b Section) bool {
		return a.Tag == b.Tag && slices.Equal(a.Data, b.Data)
	})
}

// Code says why a snapshot is refused; the same in every language.
type Code int

// The codes, in the order in which they are looked for.
const (
	Short      Code = iota + 1 // fewer bytes than there should be
	Magic                      // no snapshot at all
	BadFormat                  // a format that this reader does not know
	Length                     // more bytes than there should be, or an impossible number of them
	BadHash                    // damaged
	Reserved                   // what must be 0 is not
	Placement                  // another rule of placement
	Table                      // bits of the table, or points per unit, out of range
	BadNode                    // a node's texts, or their order, or their number
	Weight                     // a weight or capacity that is not allowed
	Points                     // points that do not fit the weight, or too many
	BadSection                 // a section that must be understood and is not, or is out of order
)

var codeNames = [...]string{"", "SHORT", "MAGIC", "FORMAT", "LENGTH", "HASH", "RESERVED", "PLACEMENT", "TABLE", "NODE", "WEIGHT", "POINTS", "SECTION"}

// String returns the name that docs/RING.md gives the code.
func (c Code) String() string {
	if c < 1 || int(c) >= len(codeNames) {
		return fmt.Sprintf("Code(%d)", int(c))
	}
	return codeNames[c]
}

// Error is why a snapshot is refused.
type Error struct {
	Code Code
	At   int    // offset in bytes where it was noticed
	Text string // what was found and what should be there
}

// Error returns the code's name, the place, and the text.
func (e *Error) Error() string {
	return fmt.Sprintf("ring snapshot refused: %s at byte %d: %s", e.Code, e.At, e.Text)
}
