package cluster

import (
	"encoding/json"
	"fmt"
	"time"
)

// Inputs is what a weight says besides its value: what others than people read.
// Fields that a node does not know are left out; ones that a reader does not know
// are ignored.
type Inputs struct {
	// Explanation is decay's, as JSON or as a string: for people.
	Explanation json.RawMessage `json:"explanation,omitempty"`
	// Ring is what is in force at the node; nil if it has none, or does not say.
	Ring *HeldRing `json:"ring,omitempty"`
	// Connections are devices connected now; nil is not said.
	Connections *int `json:"connections,omitempty"`
	// Load is what the node measured last, which the others compare theirs with; nil
	// is not said.
	Load *Load `json:"load,omitempty"`
	// Accept is how many connects a second the node says it can take; 0 is not said.
	Accept float64 `json:"accept_per_s,omitempty"`
	// Redis is whether the node reaches Redis now; nil is not said.
	Redis *bool `json:"redis,omitempty"`
	// Drain is how far a node that is being emptied is; nil if it is not.
	Drain *DrainProgress `json:"drain,omitempty"`
}

// Load is what a node measures of itself besides its connections. Nil fields are
// not measured.
type Load struct {
	CPU     *float64 `json:"cpu,omitempty"`         // percent of the node's cores, 0-100
	Latency *float64 `json:"p95_ms,omitempty"`      // of delivery, ms
	Backlog *float64 `json:"backlog,omitempty"`     // bytes queued and not yet written
	LoopLag *float64 `json:"loop_lag_ms,omitempty"` // ms
}

// HeldRing is what is in force at a node.
type HeldRing struct {
	Activation int64  `json:"activation"` // Pointer.Activation
	Version    uint64 `json:"version"`    // stable
	Hash       Hash   `json:"hash"`       // of what the node holds, not of what the pointer names
	Canary     uint64 `json:"canary,omitempty"`
	CanaryHash Hash   `json:"canary_hash,omitempty"`
}

// Held says what is in force at a; nil if nothing is. The hashes are those of the
// snapshots themselves.
func (a *Active) Held() *HeldRing {
	if a.stable == nil {
		return nil
	}
	h := &HeldRing{Activation: a.Pointer.Activation, Version: a.stable.Version, Hash: a.stable.Hash}
	if a.canary != nil {
		h.Canary, h.CanaryHash = a.canary.Version, a.canary.Hash
	}
	return h
}

// Agrees reports whether a node holds what a pointer names. A node that has not
// heard of the pointer yet (another activation) does not disagree if it holds the
// same rings.
func (h *HeldRing) Agrees(p *Pointer) bool {
	return h.Version == p.Stable && h.Hash == p.StableHash && h.Canary == p.Canary && h.CanaryHash == p.CanaryHash
}

// DrainProgress is how far a node that is being emptied is.
type DrainProgress struct {
	Left   int       `json:"left"`    // devices that are still connected
	Moved  int       `json:"moved"`   // that have gone since
	Since  time.Time `json:"since"`   // when this process began with it
	OverMS int64     `json:"over_ms"` // the time that it has
}

// Encode returns the JSON for Weight.Inputs.
func (in *Inputs) Encode() (json.RawMessage, error) { return json.Marshal(in) }

// Said reads a weight's inputs. Without any it is the zero Inputs; what cannot be
// read is ErrDamaged.
func (w *Weight) Said() (Inputs, error) {
	var in Inputs
	if len(w.Inputs) == 0 {
		return in, nil
	}
	if err := json.Unmarshal(w.Inputs, &in); err != nil {
		return Inputs{}, fmt.Errorf("%w: inputs of a weight: %w", ErrDamaged, err)
	}
	return in, nil
}
