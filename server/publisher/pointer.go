package publisher

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"roost/ring"
	"roost/ring/snapshot"
)

// Hash is the content hash of a snapshot. As text it has 16 hexadecimal digits: JSON
// numbers lose bits above 2^53.
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

// Pointer says which rings are in force. The zero Pointer is none.
type Pointer struct {
	// Activation goes up with every change, a rollback too, within one History of
	// etcd's data, which is random; empty is not known. At is when the pointer was made, by
	// the clock of who made it.
	Activation int64     `json:"activation"`
	History    string    `json:"history,omitempty"`
	At         time.Time `json:"at,omitzero"`

	Stable     uint64 `json:"stable"`
	StableHash Hash   `json:"stable_hash"`
	// Canary, if not 0, answers for Share of ring.ShareUnit of the keys.
	Canary     uint64 `json:"canary,omitempty"`
	CanaryHash Hash   `json:"canary_hash,omitzero"`
	Share      int    `json:"share,omitempty"`
}

// check says what cannot be in a pointer.
func (p *Pointer) check() error {
	switch {
	case p.Activation <= 0 || p.Stable == 0:
		return fmt.Errorf("%w: activation %d, stable version %d: both are above 0", ErrRing, p.Activation, p.Stable)
	case p.Canary == p.Stable:
		return fmt.Errorf("%w: version %d is stable and canary", ErrRing, p.Stable)
	case p.Canary == 0 && (p.Share != 0 || p.CanaryHash != 0):
		return fmt.Errorf("%w: a share of %d and a hash of no canary", ErrRing, p.Share)
	case len(p.History) > ring.MaxName:
		return fmt.Errorf("%w: a history of %d bytes", ErrRing, len(p.History))
	case p.Canary != 0 && (p.Share < 1 || p.Share > ring.ShareUnit):
		return fmt.Errorf("%w: a canary with a share of %d: 1 to %d", ErrRing, p.Share, ring.ShareUnit)
	}
	return nil
}

// Node is a member of the cluster, as publishers see it.
type Node struct {
	ID string `json:"id"`
	// API is the base URL where it takes publishes, "http://host:port". A node
	// without one gets none.
	API  string `json:"api"`
	Zone string `json:"zone,omitempty"`
	// Weight is what it says that it can take, relative to the others; 0 is not
	// known.
	Weight float64 `json:"weight,omitempty"`
	// Draining: it is being emptied. It takes publishes, but is not chosen first.
	Draining bool `json:"draining,omitempty"`
}

// maxNodes and maxPoints bound what a source may make us hold: 4 million points
// are 25,000 nodes of 160 and 60 MiB. A snapshot of a few hundred bytes may ask for
// more than that.
const (
	maxNodes  = 10_000
	maxPoints = 4 << 20
)

// held is a snapshot that was checked.
type held struct {
	version uint64
	hash    Hash
	bytes   []byte
	ring    *ring.Ring
}

// open checks the bytes of a snapshot against what the pointer names, and makes the
// ring.
func open(version uint64, hash Hash, b []byte) (*held, error) {
	s, err := snapshot.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: version %d: %w", ErrRing, version, err)
	}
	if got := Hash(snapshot.ContentHash(b)); got != hash || s.Version != version {
		return nil, fmt.Errorf("%w: version %d with the hash %v was asked for, the snapshot is version %d with %v", ErrRing, version, hash, s.Version, got)
	}
	points := 0
	for i := range s.Nodes {
		points += s.Nodes[i].Points
	}
	if points > maxPoints || len(s.Nodes) > maxNodes {
		return nil, fmt.Errorf("%w: version %d has %d nodes and %d points: at most %d and %d are taken", ErrRing, version, len(s.Nodes), points, maxNodes, maxPoints)
	}
	r, err := s.Definition.Ring()
	if err != nil {
		return nil, fmt.Errorf("%w: version %d: %w", ErrRing, version, err)
	}
	return &held{version: version, hash: hash, bytes: b, ring: r}, nil
}

// verdict is what becomes of a pointer that a source brings.
type verdict uint8

const (
	same     verdict = iota // what is held
	newer                   // to be taken
	older                   // late, or a replay
	conflict                // the activation that is held, with other rings
)

// compare says what becomes of p where have is held. Of two histories (etcd has lost
// its data, and activations have begun anew) the pointer that was made later is newer,
// as in server/ringmirror.
func (p *Pointer) compare(have *Pointer) verdict {
	if p.History != have.History && p.History != "" && have.History != "" {
		if p.At.After(have.At) {
			return newer
		}
		return older
	}
	switch {
	case p.Activation > have.Activation:
		return newer
	case p.Activation < have.Activation:
		return older
	case p.Stable == have.Stable && p.StableHash == have.StableHash && p.Canary == have.Canary && p.CanaryHash == have.CanaryHash && p.Share == have.Share:
		return same
	}
	return conflict
}

// Errors. Each is wrapped with what it is about.
var (
	// ErrOptions: options that cannot be.
	ErrOptions = errors.New("publisher: options refused")
	// ErrMessage: a message that no node would take; the text names the field.
	ErrMessage = errors.New("publisher: message refused")
	// ErrRing: a pointer or snapshot that is damaged or cannot be.
	ErrRing = errors.New("publisher: ring refused")
	// ErrClosed: the publisher is closed.
	ErrClosed = errors.New("publisher: closed")
	// ErrLate: no node took the message within its time; nothing is known to be
	// stored. A kept message may be: publish it again with the same ID.
	ErrLate = errors.New("publisher: no node took the message in time")
	// ErrUncertain: a live message was sent, and no answer came. It was not repeated.
	ErrUncertain = errors.New("publisher: sent, and no answer came")
	// ErrAnswer: a node answered what makes no sense, or refused the request as a whole.
	ErrAnswer = errors.New("publisher: the node's answer is no result")
)
