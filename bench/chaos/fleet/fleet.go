package fleet

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"roost/bench/chaos/ledger"
)

// Options say what a fleet is. All are needed.
type Options struct {
	Devices   int
	Prefix    string        // of their ids
	Heartbeat time.Duration // that devices ask for, 30 s to 300 s; 0: the node's
	Balancer  *Balancer
	Ledger    *ledger.Ledger
	Start     time.Time // times are counted from here, the ledger's too
}

// Fleet is devices that keep connected.
type Fleet struct {
	// Static after New.
	o       Options
	devices []*device

	live atomic.Int64 // live messages handled
}

// New returns a fleet of which nobody has started.
func New(o Options) *Fleet {
	f := &Fleet{o: o}
	for i := range o.Devices {
		f.devices = append(f.devices, &device{fleet: f, index: i, id: name(o.Prefix, i)})
	}
	return f
}

func (f *Fleet) now() time.Duration { return time.Since(f.o.Start) }

// Start starts the devices from one index to before another, rate a second. It
// returns when all have been started, or ctx is done.
func (f *Fleet) Start(ctx context.Context, from, to int, rate float64) error {
	began := time.Now()
	for i := from; i < to; i++ {
		due := time.Duration(float64(i-from) / rate * float64(time.Second))
		if wait := due - time.Since(began); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		d := f.devices[i]
		run, cancel := context.WithCancel(context.Background())
		d.end, d.ended = cancel, make(chan struct{})
		go d.run(run)
	}
	return nil
}

// Stop ends the devices from one index to before another in order, and waits for
// them.
func (f *Fleet) Stop(from, to int) {
	for _, d := range f.devices[from:to] {
		if d.end != nil {
			d.end()
		}
	}
	for _, d := range f.devices[from:to] {
		if d.end != nil {
			<-d.ended
		}
	}
}

// Name returns the id of a device.
func (f *Fleet) Name(index int) string { return f.devices[index].id }

// Len returns how many there are, started or not.
func (f *Fleet) Len() int { return len(f.devices) }

// At says where a device is.
type At struct {
	Connected bool
	Node      string        // that it is connected to, or was last; empty: never
	Since     time.Duration // since when it is, or is not
	Welcomes  int           // that it had
	Fault     error         // why it does not come back, if so
}

// Where returns where each device is now, by index.
func (f *Fleet) Where() []At {
	at := make([]At, len(f.devices))
	for i, d := range f.devices {
		d.mu.Lock()
		at[i] = At{d.connected, d.node, d.since, d.welcomes, d.fault}
		d.mu.Unlock()
	}
	return at
}

// Place returns the node that a device is connected to, or was last.
func (f *Fleet) Place(index int) string {
	d := f.devices[index]
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node
}

// Connected returns how many are.
func (f *Fleet) Connected() (n int) {
	for _, at := range f.Where() {
		if at.Connected {
			n++
		}
	}
	return n
}

// Gaps returns the times without a connection that ended from one instant to
// before another, and those that have not ended, which end at to with no node. A
// device that was stopped, or had no welcome yet, has none.
func (f *Fleet) Gaps(from, to time.Duration) (gaps []Gap) {
	for _, d := range f.devices {
		d.mu.Lock()
		for _, g := range d.gaps {
			if g.To >= from && g.To < to {
				gaps = append(gaps, g)
			}
		}
		if d.welcomes > 0 && !d.connected && !d.isOver() && d.since < to {
			gaps = append(gaps, Gap{Device: d.index, From: d.since, To: to, Node: d.node})
		}
		d.mu.Unlock()
	}
	return gaps
}

// isOver reports whether the device has ended.
func (d *device) isOver() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// Faults says which devices have given up, some of them.
func (f *Fleet) Faults() (faults []string) {
	n := 0
	for i, at := range f.Where() {
		if at.Fault == nil {
			continue
		}
		if n++; n <= 3 {
			faults = append(faults, fmt.Sprintf("%s does not come back: %v", f.Name(i), at.Fault))
		}
	}
	if n > 3 {
		faults = append(faults, fmt.Sprintf("%d devices in all do not come back", n))
	}
	return faults
}
