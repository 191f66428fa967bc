package fanout

import (
	"hash/maphash"
	"sync"
	"time"
)

// Dedupe remembers what has been seen of late, so that what comes twice is done once: a
// message that was sent again because its first answer was lost, or that came round by
// another node. Its methods may be called from any goroutine.
//
// Ids are kept in two generations. When the younger one is full or as old as the window, it becomes the
// older one, and what was that is forgotten: so an id is remembered for the window
// to twice the window, unless more than limit come within it.
type Dedupe struct {
	// Static after NewDedupe.
	window time.Duration
	half   int // ids in a generation
	seed   maphash.Seed

	mu         sync.Mutex // covers the following
	young, old map[key]struct{}
	began      time.Time // of young
	early      uint64    // ids forgotten before their time
}

// key is an origin, by its hash of 64 bits, an id and a part. Ids of Requests differ between
// processes anyway.
type key struct {
	origin uint64
	id     uint64
	part   uint32
}

// NewDedupe remembers ids for at least window, and at most limit of them, 32 bytes each
// and as much again for the map.
func NewDedupe(window time.Duration, limit int) *Dedupe {
	return &Dedupe{window: window, half: max(1, limit/2), seed: maphash.MakeSeed(), young: map[key]struct{}{}, old: map[key]struct{}{}}
}

// Seen notes the envelope's Origin, ID and Part, and reports whether they were noted before. An
// envelope without an id never was.
func (d *Dedupe) Seen(e *Envelope, now time.Time) bool {
	if e.ID == 0 {
		return false
	}
	k := key{maphash.Bytes(d.seed, e.Origin), e.ID, e.Part}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(now)
	if _, ok := d.young[k]; ok {
		return true
	}
	_, ok := d.old[k]
	if !ok {
		d.young[k] = struct{}{}
	}
	return ok
}

// turn begins a new generation when it is time.
func (d *Dedupe) turn(now time.Time) {
	age := now.Sub(d.began)
	switch {
	case d.began.IsZero():
		d.began = now
		return
	case age < d.window && len(d.young) < d.half:
		return
	case age < d.window:
		d.early += uint64(len(d.old))
	}
	d.young, d.old = d.old, d.young
	clear(d.young)
	if age >= 2*d.window { // what is older than that has gone, too
		clear(d.old)
	}
	d.began = now
}

// Len returns how many ids are remembered.
func (d *Dedupe) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.young) + len(d.old)
}

// Early counts ids that were forgotten before the window was over, because too many came.
func (d *Dedupe) Early() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.early
}
