package ringmirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"roost/server/cluster"
)

var (
	// ErrDamaged: what Redis holds is not what was written.
	ErrDamaged = errors.New("ringmirror: damaged")
	// ErrOld: what was to be written, or was read, is older than what is known.
	ErrOld = errors.New("ringmirror: older than what is in force")
	// ErrNone: there is no pointer, or no such version.
	ErrNone = errors.New("ringmirror: not there")
)

// Pointer is which rings are in force, as Redis has it.
type Pointer struct {
	cluster.Pointer
	// Activation is the pointer's in etcd, of its History.
	Activation int64  `json:"activation"`
	History    string `json:"history"`
	// AtMS is when it was made, Unix milliseconds: cluster.Pointer's At.
	AtMS int64 `json:"at_ms"`
	// Nodes are the members when the pointer was written, so that a publisher finds them;
	// none where there are more than 1,000.
	Nodes []Node `json:"nodes,omitempty"`
	// Retired are versions that pointers before this one named, the latest last.
	Retired []uint64 `json:"retired,omitempty"`
}

// Node is where a member is.
type Node struct {
	ID   string `json:"id"`
	URL  string `json:"url"` // for devices
	API  string `json:"api,omitempty"`
	Zone string `json:"zone,omitempty"`
}

const (
	maxPointer = 1 << 20
	maxRetired = 16
	maxNodes   = 1000 // some 200 KB
)

// nodesOf lists the members of a view, by id.
func nodesOf(v *cluster.View) []Node {
	if len(v.Members) > maxNodes {
		return nil
	}
	list := make([]Node, 0, len(v.Members))
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		list = append(list, Node{id, m.Addr, m.API, m.Zone})
	}
	return list
}

// pointerOf is what is to be written of what is in force, with a view of etcd's.
func pointerOf(a *cluster.Active, v *cluster.View) Pointer {
	p := a.Pointer
	return Pointer{Pointer: p, Activation: p.Activation, History: v.History, AtMS: p.At.UnixMilli(), Nodes: nodesOf(v)}
}

// Newer reports whether p takes the place of old.
func (p *Pointer) Newer(old *Pointer) bool {
	if p.History == old.History {
		return p.Activation > old.Activation
	}
	return p.AtMS >= old.AtMS
}

// same reports whether both are one activation.
func (p *Pointer) same(old *Pointer) bool {
	return p.History == old.History && p.Activation == old.Activation
}

// named are the versions that must not expire.
func (p *Pointer) named() []uint64 {
	list := make([]uint64, 0, 3)
	for _, v := range []uint64{p.Stable, p.Canary, p.Previous} {
		if v != 0 && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// after takes note of what old named and p does not.
func (p *Pointer) after(old *Pointer) {
	p.Retired = nil
	for _, v := range append(slices.Clone(old.Retired), old.named()...) {
		if !slices.Contains(p.named(), v) && !slices.Contains(p.Retired, v) {
			p.Retired = append(p.Retired, v)
		}
	}
	p.Retired = p.Retired[max(len(p.Retired)-maxRetired, 0):]
}

// decodePointer reads what encode wrote, by this version or a later one.
func decodePointer(b []byte) (Pointer, error) {
	var p Pointer
	if len(b) > maxPointer {
		return p, fmt.Errorf("%w: a ring pointer of %d bytes, at most %d", ErrDamaged, len(b), maxPointer)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("%w: the ring pointer: %w", ErrDamaged, err)
	}
	if p.Stable == 0 || p.Activation <= 0 || p.Canary == p.Stable {
		return p, fmt.Errorf("%w: a ring pointer with activation %d, stable %d, canary %d", ErrDamaged, p.Activation, p.Stable, p.Canary)
	}
	p.Pointer.Activation = p.Activation
	return p, nil
}

func (p *Pointer) encode() (string, error) {
	b, err := json.Marshal(p)
	return string(b), err
}
