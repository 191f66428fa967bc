package presence

import (
	"context"
	"sync"
	"time"
)

// Keeper is presence as one node uses it: what is connected here, what of that the
// store still has to hear, and what is known of the other nodes. It is safe for
// concurrent use.
type Keeper struct {
	// Static after New.
	o    Options
	feed *Feed

	// Owned by work.
	cursor  uint32  // next number to refresh
	credit  float64 // refreshes that are due
	last    time.Time
	paging  bool      // the index is being compared
	page    uint64    // cursor of the index
	paged   time.Time // when the last comparison ended
	singles map[Owner]int

	mu       sync.Mutex // covers the following; nothing is called while it is held
	t        *table
	high     uint32                   // highest fence seen
	pending  map[string]Release       // by device: the newest counts
	assert   map[uint32]struct{}      // numbers of entries to be asserted
	arriving map[string]int           // claims under way
	leaving  map[string]chan struct{} // being taken out of the index; closed when that is done
	trim     bool                     // releases were dropped: compare the index with the table
	doubted  time.Time                // the first claim since then that was given up unanswered: it may be done yet; zero: none
	beaten   time.Time                // the last beat that got through
	away     bool                     // the store was: compare everything
	sprint   int                      // of that, how much is to do
	sprinted time.Time                // when it was begun last
	down     time.Time                // since when the store does not answer; zero: it does
	view     *view                    // nil: nothing is known of the nodes
	sweeping map[Owner]bool           // dead for longer than the grace
	stats    Stats
}

// Stats are counts since New, and numbers as they are now.
type Stats struct {
	Devices     int // connected here
	Provisional int // of those: the store has not heard of them
	Pending     int // releases that wait
	Claims      uint64
	Alone       uint64 // claims that were answered provisionally
	Released    uint64 // sent to the store and done
	Dropped     uint64 // releases that did not fit into the queue, or that the store cannot take
	Late        uint64 // releases of sessions that were not current here
	Refreshed   uint64
	Zombies     uint64
	Reasserted  uint64 // sessions that the store had lost, or that were provisional
	Trimmed     uint64 // devices that were in the index and not here
	Failed      uint64 // calls of the store without an answer
	Missed      uint64 // changes that listeners were too slow for
	DownSince   time.Time
}

// New returns a keeper. Run has to run for anything but claims to reach the store.
func New(o Options) (*Keeper, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Keeper{o: o, feed: newFeed(), t: newTable(), pending: map[string]Release{}, assert: map[uint32]struct{}{},
		arriving: map[string]int{}, leaving: map[string]chan struct{}{}, sweeping: map[Owner]bool{}, singles: map[Owner]int{}}, nil
}

// Feed gives out the changes that this node has seen first.
func (k *Keeper) Feed() *Feed { return k.feed }

// Self returns which node this is.
func (k *Keeper) Self() Owner { return k.o.Self }

// Stats returns counts.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Devices, s.Pending, s.DownSince = k.t.len(), len(k.pending), k.down
	s.Missed = k.feed.Missed()
	for n := range k.assert {
		if _, e := k.t.at(n); e != nil && e.bits&provisional != 0 {
			s.Provisional++
		}
	}
	return s
}

// Claimed is what a connection is told.
type Claimed struct {
	Fence       uint32
	Provisional bool   // the store did not answer: others may have the device too
	Late        bool   // a later session of the device is here already: close this one
	Previous    Record // what was stored before, unless Provisional
}

// Claim makes this node the owner of a device that connects. It waits for the store,
// ClaimWithin at most, and answers provisionally if the store does not: a device is
// served however the store is. The error is ErrDevice. Who claims in a script of its
// own uses Begin.
func (k *Keeper) Claim(ctx context.Context, device string, sid uint64) (Claimed, error) {
	a, err := k.Begin(ctx, device, sid)
	if err != nil {
		return Claimed{}, err
	}
	if !a.Reachable() {
		return a.Provisional(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.o.ClaimWithin)
	defer cancel()
	c, err := k.o.Store.Claim(ctx, k.o.Self, device, sid, a.Now, a.Floor)
	if err != nil {
		k.failed()
		return a.Provisional(), nil
	}
	return a.Adopt(c), nil
}

// Arrival is a claim under way. Exactly one of Adopt, Provisional and Abandon ends
// it.
type Arrival struct {
	// What a script that claims needs.
	Device string
	SID    uint64
	Now    int64
	Floor  uint32 // highest fence known of the device

	k         *Keeper
	reachable bool
}

// Begin begins a claim: it waits until nothing of the device is on its way out of
// the index, and puts it in there where a script cannot. The error is ErrDevice.
func (k *Keeper) Begin(ctx context.Context, device string, sid uint64) (*Arrival, error) {
	if !ValidDevice(device) {
		return nil, ErrDevice
	}
	ctx, cancel := context.WithTimeout(ctx, k.o.ClaimWithin)
	defer cancel()
	a := &Arrival{Device: device, SID: sid, k: k}
	k.mu.Lock()
	k.arriving[device]++
	for out := k.leaving[device]; out != nil; out = k.leaving[device] {
		k.mu.Unlock()
		select {
		case <-out:
		case <-ctx.Done():
		}
		k.mu.Lock()
		if ctx.Err() != nil {
			break // the index is mended by the next refresh after an outage
		}
	}
	a.Now = k.o.Clock().UnixMilli()
	if _, e := k.t.find(device); e != nil {
		a.Floor = e.fence
	}
	a.reachable = k.lives(k.o.Clock())
	k.mu.Unlock()
	if a.reachable {
		if err := k.o.Store.Prepare(ctx, k.o.Self, device); err != nil {
			k.failed()
			a.reachable = false
		}
	}
	return a, nil
}

// Reachable reports whether the store is worth asking: it answered last, and has heard
// of this node. If not, end the arrival with Provisional.
func (a *Arrival) Reachable() bool { return a.reachable }

// end is called with the keeper's mutex held.
func (a *Arrival) end() {
	k := a.k
	if k.arriving[a.Device]--; k.arriving[a.Device] <= 0 {
		delete(k.arriving, a.Device)
	}
}

// Abandon ends an arrival that came to nothing: the device is not connected here.
func (a *Arrival) Abandon() {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	a.end()
	a.k.trim = true // it may be in the index, or even claimed
}

// Adopt ends an arrival by what the store answered.
func (a *Arrival) Adopt(c Claim) Claimed {
	k := a.k
	k.mu.Lock()
	a.end()
	k.stats.Claims++
	if c.Fence <= MaxFence {
		k.high = max(k.high, c.Fence)
	}
	out := Claimed{Fence: c.Fence, Previous: c.Previous}
	if !k.hold(a, c.Fence, 0) {
		out.Late = true
	}
	k.mu.Unlock()
	if !out.Late && c.Previous.Hold != Held {
		k.feed.send(Change{Kind: DeviceOnline, Device: a.Device, Node: k.o.Self, Fence: c.Fence, SID: a.SID, At: a.Now})
	}
	return out
}

// Provisional ends an arrival that the store did not answer. The fence is above
// all that this node has seen. What the store was asked for, with the arrival's Now, may be done all the same, also
// later: then it is this session's, or if that has gone by then, found in the index (compare).
func (a *Arrival) Provisional() Claimed {
	k := a.k
	k.mu.Lock()
	defer k.mu.Unlock()
	a.end()
	k.high++
	k.stats.Alone++
	if a.reachable && k.doubted.IsZero() {
		k.doubted = k.o.Clock()
	}
	out := Claimed{Fence: k.high, Provisional: true}
	out.Late = !k.hold(a, k.high, provisional)
	return out
}

// hold notes a session, unless a later one is there. The mutex is held.
func (k *Keeper) hold(a *Arrival, fence uint32, bits uint8) bool {
	n, e := k.t.put(a.Device)
	if e == nil { // idmap is full: 16 million devices on one node
		k.stats.Dropped++
		return true
	}
	if e.fence >= fence {
		return false
	}
	*e = entry{sid: a.SID, connected: a.Now, inbound: a.Now, fence: fence, given: fence, bits: bits}
	delete(k.assert, n)
	if bits&provisional != 0 {
		k.assert[n] = struct{}{}
	}
	delete(k.pending, a.Device) // the session before needs no end: this one is later
	return true
}

// Release says that the connection which was told fence is gone. It never waits. A
// release of a session that is not current here changes nothing; it reports false.
func (k *Keeper) Release(device string, fence uint32, why Reason) bool {
	now := k.o.Clock().UnixMilli()
	k.mu.Lock()
	defer k.mu.Unlock()
	n, e := k.t.find(device)
	if e == nil || e.given != fence && e.fence != fence {
		k.stats.Late++
		return false
	}
	x := Release{Device: device, Fence: e.fence, Provisional: e.bits&provisional != 0, Connected: e.connected, At: now, Reason: why}
	delete(k.assert, n)
	k.t.remove(n)
	if _, there := k.pending[device]; !there && len(k.pending) >= k.o.Pending {
		k.stats.Dropped++
		k.trim = true
		return true
	}
	k.pending[device] = x
	return true
}

// Touch notes that something was heard of a device. It never waits; the store hears
// of it at the next refresh.
func (k *Keeper) Touch(device string, fence uint32, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, e := k.t.find(device); e != nil && (e.given == fence || e.fence == fence) {
		e.inbound = max(e.inbound, at.UnixMilli())
	}
}

// failed notes that the store does not answer. Claims are provisional until a beat
// gets through.
func (k *Keeper) failed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Failed++
	if k.down.IsZero() {
		k.down = k.o.Clock()
	}
}

// Lost says that the store has lost what it had, though it answers: everything is compared at
// once. It does not wait.
func (k *Keeper) Lost() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away, k.sprinted = true, time.Time{}
}

// lives reports whether the store has this node as one that lives, and answers. Only
// then may anything be stored for it: what is stored for a node that the store does
// not know, because it has just begun or was swept, is found by nobody if it dies. The
// mutex is held.
func (k *Keeper) lives(now time.Time) bool {
	return k.down.IsZero() && !k.beaten.IsZero() && now.Sub(k.beaten) < k.o.BeatTTL
}

// answered notes that it does again. What it may have lost, or not heard, is
// compared at once.
func (k *Keeper) answered(beaten time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beaten = beaten
	if !k.down.IsZero() {
		k.down, k.away = time.Time{}, true
	}
}

// Up reports whether the store answers and has heard of this node: whether a claim
// would be more than provisional. It becomes true with the first beat.
func (k *Keeper) Up() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lives(k.o.Clock())
}
