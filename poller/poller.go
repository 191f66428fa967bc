package poller

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStopped closes what is open when the Poller is closed.
var ErrStopped = errors.New("poller: stopped")

// Poller is a set of event loops that share a listening address.
type Poller struct {
	// Static after construction.
	opt   Options
	loops []*Loop
	ls    *listeners
	probe UringProbe
	began time.Time

	conns   atomic.Int64
	running sync.WaitGroup
	once    sync.Once
	orders  atomic.Uint32         // order bits, seen by the loops when they wake
	open    atomic.Int32          // listeners not closed yet
	failure atomic.Pointer[error] // first error that ended a loop
}

// Orders to all loops. They are not tasks, so that a full queue cannot lose them.
const (
	orderStopListening = 1 << iota
	orderStop
)

// New opens the listeners and starts the loops. The Poller accepts when New
// returns.
func New(opt Options) (*Poller, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Poller{opt: opt, began: time.Now()}
	if opt.IOUring == IOUringAuto {
		p.probe = ProbeUring()
	} else {
		p.probe.Why = "switched off"
	}
	if opt.Listen != "" {
		if p.ls, err = listen(opt.Listen, opt.Loops, &opt); err != nil {
			return nil, err
		}
		p.open.Store(int32(opt.Loops))
	}
	for i := range opt.Loops {
		listener := -1
		if p.ls != nil {
			listener = p.ls.fds[i]
		}
		l, err := newLoop(p, i, listener)
		if err != nil {
			p.abandon(i)
			return nil, err
		}
		p.loops = append(p.loops, l)
	}
	for _, l := range p.loops {
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			if err := l.run(); err != nil {
				p.failure.CompareAndSwap(nil, &err)
			}
		}()
	}
	return p, nil
}

// abandon undoes a New that failed while making loop i.
func (p *Poller) abandon(i int) {
	for _, l := range p.loops {
		l.abandon()
	}
	if p.ls != nil {
		p.ls.fds = p.ls.fds[min(i+1, len(p.ls.fds)):] // the loops closed theirs
		p.ls.close()
	}
}

// clock returns the nanoseconds since the Poller began, at least 1.
func (p *Poller) clock() int64 { return int64(time.Since(p.began)) + 1 }

// Addr returns the address listened on; it is not valid without a listener.
func (p *Poller) Addr() netip.AddrPort {
	if p.ls == nil {
		return netip.AddrPort{}
	}
	return p.ls.addr
}

// Loops returns the loops, in the order of Loop.Index.
func (p *Poller) Loops() []*Loop { return p.loops }

// Conns returns the number of connections of all loops.
func (p *Poller) Conns() int { return int(p.conns.Load()) }

// Uring returns what was found out about io_uring at start.
func (p *Poller) Uring() UringProbe { return p.probe }

// Post has the loop that owns h run t. It reports false when that loop has
// ended or too many tasks wait for it.
func (p *Poller) Post(h Handle, t Task) bool {
	return h.Loop() < len(p.loops) && p.loops[h.Loop()].Post(t)
}

// StopListening closes the listeners; established connections go on. When the
// last loop has closed its listener the address is free for another process.
func (p *Poller) StopListening() { p.order(orderStopListening) }

// Stop begins what Close waits for, and returns at once: it may be called from
// anywhere, handlers and tasks included.
func (p *Poller) Stop() { p.order(orderStop) }

// order gives all loops an order.
func (p *Poller) order(bit uint32) {
	p.orders.Or(bit)
	for _, l := range p.loops {
		l.tasks.nudge()
	}
}

// listenerClosed is called by each loop that has closed its listener; the last
// one gives the address up.
func (p *Poller) listenerClosed() {
	if p.open.Add(-1) == 0 {
		p.ls.releaseGuard()
	}
}

// Close closes every connection with ErrStopped, ends the loops and waits for
// them. Tasks posted before it run first. It returns the first error that ended
// a loop before its time. A handler or task that calls it would wait for itself:
// there, call Stop.
func (p *Poller) Close() error {
	p.once.Do(func() {
		p.Stop()
		p.running.Wait()
	})
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}
