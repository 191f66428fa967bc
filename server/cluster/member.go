package cluster

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"roost/ring"
)

// Member is a node that is there. Who reads it gets a copy.
type Member struct {
	// ID names the node: 1 to 255 bytes of UTF-8 without control characters.
	ID string `json:"id"`
	// Addr is where devices connect (a URL), API where publishers and other nodes
	// do. Each up to 255 bytes, as Zone and Build are.
	Addr string `json:"addr"`
	API  string `json:"api,omitempty"`
	Zone string `json:"zone,omitempty"`
	// Capacity is how many devices it can hold; 0 is unknown.
	Capacity float64 `json:"capacity,omitempty"`
	Build    string  `json:"build,omitempty"`
	// Incarnation is one life of the node's process: the revision at which it first
	// put its key, kept when it puts it again after a lost lease. Of two with one
	// id the larger came later, as long as etcd keeps its data.
	Incarnation int64 `json:"incarnation,omitempty"`
	// Start names the same life where etcd may be away: when the process began, Unix
	// milliseconds by its clock. Presence knows it by that. 0 is not said.
	Start int64 `json:"start,omitempty"`
	// Token tells processes apart that come with one id. Who brings the same token
	// as the holder of the key says that the holder is dead: see Registering.Token.
	Token string `json:"token,omitempty"`

	// Created is the revision at which the key was put; it goes up when the node
	// registers again. Not stored.
	Created int64 `json:"-"`
}

// maxMember bounds a member's value, in bytes.
const maxMember = 4 << 10

func (m *Member) check() error {
	n := ring.Node{ID: m.ID, Addr: m.Addr, Zone: m.Zone, Capacity: m.Capacity}
	if err := n.CheckTexts(); err != nil {
		return fmt.Errorf("%w: %w", ErrMember, err)
	}
	if err := n.CheckAmounts(); err != nil {
		return fmt.Errorf("%w: %w", ErrMember, err)
	}
	for _, f := range []struct{ name, value string }{{"api", m.API}, {"build", m.Build}, {"token", m.Token}} {
		if len(f.value) > ring.MaxName {
			return fmt.Errorf("%w: node %q: %s has %d bytes, at most %d are allowed", ErrMember, m.ID, f.name, len(f.value), ring.MaxName)
		}
	}
	if m.Incarnation < 0 || m.Start < 0 {
		return fmt.Errorf("%w: node %q: incarnation %d or start %d is negative", ErrMember, m.ID, m.Incarnation, m.Start)
	}
	return nil
}

func (m *Member) encode() (string, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("%w: node %q: %w", ErrMember, m.ID, err)
	}
	return string(b), nil
}

// decodeMember reads what encode wrote for a node, by this version or a later one
// that has more fields.
func decodeMember(id string, value []byte, created int64) (Member, error) {
	var m Member
	if err := decode("node "+id, value, maxMember, &m); err != nil {
		return Member{}, err
	}
	if m.ID != id {
		return Member{}, fmt.Errorf("%w: the key of node %q holds node %q", ErrDamaged, id, m.ID)
	}
	if err := m.check(); err != nil {
		return Member{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if m.Created = created; m.Incarnation == 0 {
		m.Incarnation = created
	}
	return m, nil
}

// Weight is what a node says of itself each second or so.
type Weight struct {
	// Value is the weight in devices: capacity x relative score, absolute, never a
	// share of all nodes. 0 asks that the node be emptied: it drains.
	Value float64 `json:"weight"`
	// Inputs say how Value came about (decay.Explanation), for people. At most 16
	// KiB of JSON; may be nil.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// Trial is what the node has seen of the canary that is on; nil if none is.
	Trial *Counts `json:"trial,omitempty"`
	// At is when it was made, by the node's clock.
	At time.Time `json:"at"`

	// Mark has the weight put at once where it differs from that of the last one: for
	// inputs that cannot wait for WeightRefresh. Not stored.
	Mark string `json:"-"`

	// Revision is that at which it was put. Not stored.
	Revision int64 `json:"-"`
}

const (
	maxInputs = 16 << 10
	maxWeight = maxInputs + 4<<10
)

func (w *Weight) check(id string) error {
	switch {
	case math.IsNaN(w.Value) || math.IsInf(w.Value, 0) || w.Value < 0 || math.Signbit(w.Value):
		return fmt.Errorf("%w: node %q: weight %v: 0 or above, and finite", ErrMember, id, w.Value)
	case len(w.Inputs) > maxInputs:
		return fmt.Errorf("%w: node %q: %d bytes of inputs, at most %d are allowed", ErrTooBig, id, len(w.Inputs), maxInputs)
	}
	return nil
}

func decodeWeight(id string, value []byte, revision int64) (Weight, error) {
	var w Weight
	if err := decode("weight of "+id, value, maxWeight, &w); err != nil {
		return Weight{}, err
	}
	if err := w.check(id); err != nil {
		return Weight{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	w.Revision = revision
	return w, nil
}

// decode reads JSON of at most so many bytes. Fields that are not known are left
// out: a newer version has written them.
func decode(what string, value []byte, most int, into any) error {
	if len(value) > most {
		return fmt.Errorf("%w: %s: %d bytes, at most %d are allowed", ErrDamaged, what, len(value), most)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, what, err)
	}
	return nil
}
