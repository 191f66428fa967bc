package ring

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Limits of a ring.
const (
	MaxNodes      = 65535   // an owner is 16 bits, and one value says nobody
	MaxPoints     = 1 << 24 // of a ring: 160 MiB of points
	MaxNodePoints = 1 << 20 // of a node
	MaxName       = 255     // bytes of an id, an address or a zone
	MinTableBits  = 8
	MaxTableBits  = 20 // 2 MiB of table
)

// What is wrong with nodes, options or a change. The error's text says which
// node it is and what to do.
var (
	ErrNode    = errors.New("ring: node refused")
	ErrOptions = errors.New("ring: options refused")
	ErrTooBig  = errors.New("ring: too big")
)

// Node is a member of the ring.
type Node struct {
	// ID names the node, and is all that its place depends on: 1 to 255 bytes of
	// UTF-8 without control characters, unique in the ring.
	ID string
	// Addr is where devices connect, Zone where the node stands. The ring only
	// carries them: up to 255 bytes of UTF-8 each.
	Addr, Zone string
	// Weight is the share of keys that the node wants, relative to the others',
	// but absolute in points: the node gets PointsPerUnit points per unit whatever
	// the others have, so that a change of its weight moves only its own keys. Any
	// weight above 0 gives at least one point; 0 gives none, and the node owns
	// nothing. Not negative, not NaN, at most MaxNodePoints points.
	Weight float64
	// Capacity is how many devices the node can hold; 0 is unknown. Only Plan
	// looks at it.
	Capacity float64
}

// check says what is wrong with a node, or nil.
func (n *Node) check() error {
	if err := n.CheckTexts(); err != nil {
		return err
	}
	return n.CheckAmounts()
}

// CheckTexts returns ErrNode if the id, address or zone is not allowed.
func (n *Node) CheckTexts() error {
	if n.ID == "" {
		return fmt.Errorf("%w: it has no id (addr %q): give it one", ErrNode, n.Addr)
	}
	for _, f := range []struct{ name, value string }{{"id", n.ID}, {"addr", n.Addr}, {"zone", n.Zone}} {
		if err := checkName(f.value); err != nil {
			return fmt.Errorf("%w: node %q: %s %w", ErrNode, n.ID, f.name, err)
		}
	}
	return nil
}

// CheckAmounts returns ErrNode if the weight or capacity is not allowed.
func (n *Node) CheckAmounts() error {
	if err := checkAmount(n.Weight); err != nil {
		return fmt.Errorf("%w: node %q: weight %v %w: 0 is for a node that shall own nothing", ErrNode, n.ID, n.Weight, err)
	}
	if err := checkAmount(n.Capacity); err != nil {
		return fmt.Errorf("%w: node %q: capacity %v %w: 0 is for one that is not known", ErrNode, n.ID, n.Capacity, err)
	}
	return nil
}

func checkName(s string) error {
	if len(s) > MaxName {
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(s), MaxName)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%q has a control character", s)
		}
	}
	return nil
}

// checkAmount refuses what has no place in a weight or a capacity. Negative
// zero is refused too: it would be a second spelling of 0 in a snapshot.
func checkAmount(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return errors.New("is not finite")
	case v < 0 || math.Signbit(v):
		return errors.New("is negative")
	}
	return nil
}

// nominalPoints returns how many points a weight stands for before any
// calibration: weight x perUnit, rounded, at least 1 unless the weight is 0, at
// most MaxNodePoints.
func nominalPoints(n *Node, perUnit int) uint32 {
	if n.Weight == 0 {
		return 0
	}
	return uint32(min(max(math.Round(n.Weight*float64(perUnit)), 1), MaxNodePoints))
}

// checkWeight refuses a weight that stands for more points than a node may have.
func checkWeight(n *Node, perUnit int) error {
	if points := math.Round(n.Weight * float64(perUnit)); points > MaxNodePoints {
		return fmt.Errorf("%w: node %q: weight %v is %.4g points at %d a unit, at most %d are allowed: divide all weights by the same number",
			ErrTooBig, n.ID, n.Weight, points, perUnit, MaxNodePoints)
	}
	return nil
}
