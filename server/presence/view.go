package presence

import (
	"context"
	"maps"
	"time"
)

// view is what a node knows of the others. It is not changed once it is made.
type view struct {
	at    time.Time // when it was asked for
	nodes Nodes
	// blindUntil: until then a beat that is not there says nothing. The store was
	// away, or this process was stopped: the others could not write, or have not yet.
	blindUntil time.Time
}

// beat judges one node's heartbeat. A node that is not in the view may be new: it
// counts as gone for a ttl after since, Unix milliseconds, when it was seen to live.
func (v *view) beat(o Owner, since int64, now time.Time, ttl time.Duration) (Beat, time.Time) {
	if v == nil || now.Sub(v.at) > ttl {
		return BeatUnknown, time.Time{}
	}
	gone := time.UnixMilli(since).Add(ttl)
	if last, known := v.nodes.Beats[o]; known {
		age := max(time.Duration(v.nodes.Now-last)*time.Millisecond, 0)
		if age <= ttl {
			return BeatHeard, time.Time{}
		}
		gone = v.at.Add(ttl - age)
	}
	if now.Before(v.blindUntil) || now.Before(gone) {
		return BeatUnknown, time.Time{}
	}
	return BeatGone, gone
}

// with is the view with a node marked as dead.
func (v *view) with(o Owner, at time.Time) *view {
	if v == nil {
		return nil
	}
	if _, marked := v.nodes.Deaths[o]; marked {
		return v
	}
	w := *v
	w.nodes.Deaths = maps.Clone(v.nodes.Deaths)
	w.nodes.Deaths[o] = at.UnixMilli()
	return &w
}

// nextView makes the view of what the store says now.
func nextView(before *view, n Nodes, at time.Time, o *Options) *view {
	v := &view{at: at, nodes: n}
	if before != nil {
		v.blindUntil = before.blindUntil
	}
	if before == nil || at.Sub(before.at) > o.BeatTTL/2+o.BeatEvery {
		// Those that could not write do so within a beat and a try to connect.
		v.blindUntil = at.Add(o.BeatTTL + 2*o.BeatEvery)
	}
	return v
}

// evidence is what is known of a node's life; since is when it was seen to live, Unix
// milliseconds. The mutex is not held: Leases is called.
func (k *Keeper) evidence(v *view, o Owner, since int64, now time.Time) Evidence {
	var e Evidence
	e.Beat, e.BeatGone = v.beat(o, since, now, k.o.BeatTTL)
	if k.o.Leases != nil {
		e.Lease, e.LeaseGone = k.o.Leases(o)
	}
	// A mark is the word of another node, which sees etcd when we do not.
	if v != nil && (e.Lease == LeaseUnknown || e.Lease == LeaseNone) {
		if at, marked := v.nodes.Deaths[o]; marked {
			e.Lease, e.LeaseGone = LeaseGone, time.UnixMilli(at)
		}
	}
	return e
}

// Where is what is said of one device.
type Where struct {
	Status   Status
	Record   Record
	Evidence Evidence  // of the life of Record.Owner
	Here     bool      // it is connected to the node that answers
	AsOf     time.Time // age of the evidence; how old the record can be is Bounds
}

// Get says where devices are, in the order asked, at most MaxBatch of them. Devices
// that are connected here are answered without the store. The error is ErrDevice,
// or ErrDown when some of the others could not be asked: their Where is Offline and
// AsOf is zero.
func (k *Keeper) Get(ctx context.Context, devices ...string) ([]Where, error) {
	if len(devices) > MaxBatch {
		devices = devices[:MaxBatch]
	}
	out, now := make([]Where, len(devices)), k.o.Clock()
	var ask []string
	var places []int
	k.mu.Lock()
	v := k.view
	for i, device := range devices {
		if _, e := k.t.find(device); e != nil {
			out[i] = Where{Status: Online, Here: true, AsOf: now, Record: Record{Hold: Held, Owner: k.o.Self, Fence: e.fence, SID: e.sid,
				Since: e.connected, Connected: e.connected, Inbound: e.inbound}}
			continue
		}
		ask, places = append(ask, device), append(places, i)
	}
	k.mu.Unlock()
	for _, device := range ask {
		if !ValidDevice(device) {
			return out, ErrDevice
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	answers, err := k.o.Store.Get(ctx, ask)
	for i, a := range answers {
		if !a.OK {
			continue
		}
		w := Where{Record: a.Record, AsOf: now}
		if a.Record.Hold == Held {
			w.Evidence = k.evidence(v, a.Record.Owner, a.Record.Connected, now)
			if v != nil {
				w.AsOf = v.at
			}
		}
		w.Status = Judge(&a.Record, w.Evidence, now, k.o.Grace)
		out[places[i]] = w
	}
	return out, err
}

// Page returns devices that a start of a node may have, for going through them;
// cursor is 0 at first, and again at the end. Get says of each where it is.
func (k *Keeper) Page(ctx context.Context, o Owner, cursor uint64, limit int) ([]string, uint64, error) {
	if err := o.Check(); err != nil {
		return nil, 0, err
	}
	return k.o.Store.Page(ctx, o, cursor, min(max(limit, 1), MaxBatch))
}

// Node is one start of a node, as presence knows it.
type Node struct {
	Owner    Owner
	Evidence Evidence
	Marked   bool // as dead
}

// Nodes returns the nodes that are known, in no order, and when the store was asked.
func (k *Keeper) Nodes() ([]Node, time.Time) {
	k.mu.Lock()
	v := k.view
	k.mu.Unlock()
	if v == nil {
		return nil, time.Time{}
	}
	now := k.o.Clock()
	var out []Node
	for _, o := range v.owners() {
		_, marked := v.nodes.Deaths[o]
		out = append(out, Node{Owner: o, Evidence: k.evidence(v, o, 0, now), Marked: marked})
	}
	return out, v.at
}

// owners are all that beat or are marked.
func (v *view) owners() []Owner {
	out := make([]Owner, 0, len(v.nodes.Beats))
	for o := range v.nodes.Beats {
		out = append(out, o)
	}
	for o := range v.nodes.Deaths {
		if _, beats := v.nodes.Beats[o]; !beats {
			out = append(out, o)
		}
	}
	return out
}
