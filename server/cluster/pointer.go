package cluster

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"roost/ring"
)

// Hash is the content hash of a snapshot (snapshot.ContentHash). As text it has
// 16 hexadecimal digits: JSON numbers lose bits above 2^53.
type Hash uint64

// String returns the 16 digits.
func (h Hash) String() string { return fmt.Sprintf("%016x", uint64(h)) }

// MarshalText returns the 16 digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 16 digits.
func (h *Hash) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil || len(b) != 16 {
		return fmt.Errorf("%q is no content hash: 16 hexadecimal digits", b)
	}
	*h = Hash(v)
	return nil
}

// Pointer says which rings are in force. It is one key, changed by compare-and-swap
// on its mod revision, so nobody sees half of a change. The zero Pointer is none.
type Pointer struct {
	// Stable answers for all keys but the canary's.
	Stable     uint64 `json:"stable"`
	StableHash Hash   `json:"stable_hash"`
	// Canary, if not 0, answers for Share of ring.ShareUnit of the keys, 1 to all.
	Canary     uint64 `json:"canary,omitempty"`
	CanaryHash Hash   `json:"canary_hash,omitempty"`
	Share      int    `json:"share,omitempty"`
	// Trial names the canary's time on trial: the version with which it began. It
	// stays when both rings are replaced because a node has died. Began is when, by
	// the clock of who began it.
	Trial uint64    `json:"trial,omitempty"`
	Began time.Time `json:"began,omitzero"`
	// Previous is what a rollback without a canary goes back to; 0 is nothing.
	Previous     uint64 `json:"previous,omitempty"`
	PreviousHash Hash   `json:"previous_hash,omitempty"`
	// Back is when the last rollback was, RolledBack the version that was taken back.
	Back       time.Time `json:"back,omitzero"`
	RolledBack uint64    `json:"rolled_back,omitempty"`
	// By and Why are for people: who changed it, what for.
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at,omitzero"`

	// Activation is the mod revision of the key. It goes up with every change, a
	// rollback too; whatever brings a smaller one is late. 0 is no pointer. It
	// begins anew where etcd has lost its data. Not stored.
	Activation int64 `json:"-"`
}

// maxPointer bounds a pointer's value, in bytes; maxWords By and Why.
const (
	maxPointer = 8 << 10
	maxWords   = 512
)

func decodePointer(value []byte, revision int64) (Pointer, error) {
	var p Pointer
	if err := decode("the ring pointer", value, maxPointer, &p); err != nil {
		return Pointer{}, err
	}
	if err := p.check(); err != nil {
		return Pointer{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p.Activation = revision
	return p, nil
}

// check says what cannot be in a pointer.
func (p *Pointer) check() error {
	switch {
	case p.Stable == 0:
		return fmt.Errorf("the ring pointer names no stable version")
	case p.Canary == p.Stable:
		return fmt.Errorf("the ring pointer names version %d as stable and as canary", p.Stable)
	case p.Canary == 0 && (p.Share != 0 || p.Trial != 0):
		return fmt.Errorf("the ring pointer has a share of %d and trial %d, and no canary", p.Share, p.Trial)
	case p.Canary != 0 && (p.Share < 1 || p.Share > ring.ShareUnit):
		return fmt.Errorf("the ring pointer has a canary with a share of %d: 1 to %d", p.Share, ring.ShareUnit)
	case p.Canary != 0 && p.Trial == 0:
		return fmt.Errorf("the ring pointer has a canary without a trial")
	}
	return nil
}

func (p *Pointer) encode() (string, error) {
	if err := p.check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOptions, err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// refers reports whether a version must not be collected.
func (p *Pointer) refers(version uint64) bool {
	return version == p.Stable || version == p.Canary || version == p.Previous
}

// Told is who changes the pointer, what for, and when.
type Told struct {
	By, Why string // at most 512 bytes each; longer is cut
	At      time.Time
}

func cut(s string) string { return s[:min(len(s), maxWords)] }

// named is a version with its content.
type named struct {
	version uint64
	hash    Hash
}

// The changes of a pointer, each a function of the one before. next begins them.

func (p Pointer) next(t Told) Pointer {
	p.By, p.Why, p.At = cut(t.By), cut(t.Why), t.At.UTC().Truncate(time.Millisecond)
	p.Activation = 0
	return p
}

// withoutCanary ends a trial.
func (p Pointer) withoutCanary() Pointer {
	p.Canary, p.CanaryHash, p.Share, p.Trial, p.Began = 0, 0, 0, 0, time.Time{}
	return p
}

// activated has v as the stable version, for all keys.
func (p Pointer) activated(v named, t Told) Pointer {
	next := p.next(t).withoutCanary()
	if v.version != p.Stable {
		next.Previous, next.PreviousHash = p.Stable, p.StableHash
	}
	next.Stable, next.StableHash = v.version, v.hash
	return next
}

// tried has v on trial for a share of the keys, or another share for what is on
// trial already.
func (p Pointer) tried(v named, share int, t Told) (Pointer, error) {
	switch {
	case p.Stable == 0:
		return p, fmt.Errorf("%w: there is no stable version to try %d beside: activate it", ErrNoVersion, v.version)
	case p.Stable == v.version:
		return p, fmt.Errorf("%w: version %d is the stable one: a canary is another", ErrOptions, v.version)
	case share < 1 || share > ring.ShareUnit:
		return p, fmt.Errorf("%w: a share of %d: 1 to %d, of %d keys", ErrOptions, share, ring.ShareUnit, ring.ShareUnit)
	}
	next := p.next(t)
	if p.Canary != v.version {
		next.Trial, next.Began = v.version, next.At
	}
	next.Canary, next.CanaryHash, next.Share = v.version, v.hash, share
	return next, nil
}

// promoted has the canary as the stable version.
func (p Pointer) promoted(t Told) (Pointer, error) {
	if p.Canary == 0 {
		return p, fmt.Errorf("%w: version %d is in force for all: there is nothing to promote", ErrNoCanary, p.Stable)
	}
	return p.activated(named{p.Canary, p.CanaryHash}, t), nil
}

// rolledBack is without the canary, or without one has the previous version.
func (p Pointer) rolledBack(t Told) (Pointer, error) {
	next := p.next(t)
	next.Back = next.At
	switch {
	case p.Canary != 0:
		next = next.withoutCanary()
		next.RolledBack = p.Canary
	case p.Previous != 0:
		next.Stable, next.StableHash = p.Previous, p.PreviousHash
		next.RolledBack = p.Stable
		next.Previous, next.PreviousHash = 0, 0 // a second rollback does not come back
	default:
		return p, fmt.Errorf("%w: there is nothing before version %d to go back to: activate one by its number", ErrNoVersion, p.Stable)
	}
	return next, nil
}

// replaced has both rings replaced while a trial goes on: a node has died. Without
// a canary it is activated.
func (p Pointer) replaced(stable, canary named, t Told) Pointer {
	next := p.activated(stable, t)
	if p.Canary != 0 && canary.version != 0 {
		next.Canary, next.CanaryHash = canary.version, canary.hash
		next.Share, next.Trial, next.Began = p.Share, p.Trial, p.Began
	}
	return next
}
