package poller

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Handler gets what happens on the connections of one loop. Every call is made
// on that loop and must not block; none is made for a connection after its
// Closed, nor from inside another call.
type Handler interface {
	// Open says that a connection was accepted, or that one from Dial is up.
	Open(c Conn)
	// Data offers input and returns how many bytes were consumed. The rest is
	// kept and offered again in front of what follows; b itself is valid, and
	// may be changed, until Data returns.
	Data(c Conn, b []byte) (consumed int)
	// Drained says that output which had to wait is out.
	Drained(c Conn)
	// Timeout says that the deadline set by SetDeadline has passed.
	Timeout(c Conn)
	// Closed says, once, that the connection is over and why: io.EOF when the
	// peer ended it, an error of the kernel or of this package, or what was
	// given to Close or Finish. A dialled connection that failed gets Closed
	// without Open.
	Closed(c Conn, why error)
}

// ending is what is kept of a connection that is closing.
type ending struct {
	why       error // as given to Finish
	discarded int   // bytes of input thrown away
}

// doomed is a connection to be released at the end of the turn.
type doomed struct {
	slot uint32
	why  error
}

// Loop is one event loop: a goroutine, an epoll, and the connections that only
// this goroutine touches. Its methods are for that goroutine (Handler calls and
// Tasks), Post excepted.
type Loop struct {
	// Static after construction.
	p     *Poller
	index int
	h     Handler
	re    *reactor
	timer int // timerfd

	// Shared with other goroutines; see taskQueue.
	tasks taskQueue
	n     counters // written here, read anywhere

	// Owned by the loop goroutine: connections.
	conns   Slab[conn]
	slots   uint32   // slots ever used
	free    []uint32 // released slots
	used    int
	doomed  []doomed
	endings map[uint32]ending // of connections that are closing
	resumed []Handle

	// Owned by the loop goroutine: input and output.
	rbuf       []byte
	ins        [][]byte // input that waits for its rest
	freeIns    []uint32
	delivering uint32      // slot + 1 whose handler is in Data
	outs       []*outQueue // output that waits for the socket
	spareOuts  []*outQueue
	buffers    Buffers
	iov        [maxIovec]unix.Iovec
	stamps     stampReader
	arrived    int64  // of what a stamped connection was just given; see Conn.Arrived
	joined     []byte // parts of a frame
	gathered   int

	// Owned by the loop goroutine: casts.
	jobs    []*castJob // that wait
	walk    *castWalk  // that is under way
	targets [sliceTargets]target
	ring    *uring // nil: sendto

	// Owned by the loop goroutine: accepting.
	listener int // -1 when closed or none
	reserve  int // spare descriptor
	acceptAt int64

	// Owned by the loop goroutine: time.
	wheel    wheel
	now      int64 // ns since the Poller began, read once a turn
	yielded  int64 // last pass through the Go scheduler
	armed    int64 // when the timerfd will fire; 0 is never
	alarmAt  int64 // when alarm runs; 0: none is set
	alarm    Task
	secondAt int64 // next look at blocked connections
	trimAt   int64 // next look at unused buffers
	stopping bool
}

// newLoop makes a loop with its descriptors; after an error none is left open
// and the loop is not to be used.
func newLoop(p *Poller, index, listener int) (l *Loop, err error) {
	l = &Loop{p: p, index: index, listener: listener, reserve: -1, timer: -1,
		rbuf: make([]byte, readSize), endings: map[uint32]ending{}}
	l.tasks.fd = -1
	defer func() {
		if err != nil {
			l.abandon()
		}
	}()
	if l.re, err = openReactor(l.turn); err != nil {
		return l, err
	}
	if l.tasks.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return l, fmt.Errorf("poller: eventfd: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return l, fmt.Errorf("poller: timerfd: %w", err)
	}
	for kind, fd := range [...]int{kindListener: listener, kindWake: l.tasks.fd, kindTimer: l.timer} {
		if kind == kindConn || fd < 0 {
			continue
		}
		if err = l.re.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, makeToken(kind, 0, 0)); err != nil {
			return l, fmt.Errorf("poller: register: %w", err)
		}
	}
	if listener >= 0 {
		l.openReserve()
	}
	if p.opt.IOUring == IOUringAuto && p.probe.OK {
		var why error
		if l.ring, why = newUring(); why != nil { // the probe's could be made: not worth failing for
			p.probe = UringProbe{Why: fmt.Sprintf("loop %d: %v", index, why)}
		}
	}
	l.h = p.opt.NewHandler(l)
	return l, nil
}

// Poller returns the Poller that the loop belongs to. In Options.NewHandler it
// listens already and its loops do not run yet.
func (l *Loop) Poller() *Poller { return l.p }

// Index returns the loop's number, from 0.
func (l *Loop) Index() int { return l.index }

// Conn returns the connection that h names. It may be gone: see Conn.Alive.
func (l *Loop) Conn(h Handle) Conn { return Conn{l, h} }

// Conns returns how many connections the loop has.
func (l *Loop) Conns() int { return l.used }

// Each calls f for the loop's connections in slot order, until f says false.
// Those that are closed already are passed over.
func (l *Loop) Each(f func(c Conn) bool) {
	for slot := range l.slots {
		s := l.conns.At(slot)
		if s.flags&flagUsed != 0 && s.flags&flagDying == 0 && !f(Conn{l, makeHandle(l.index, slot, s.gen)}) {
			return
		}
	}
}

// Buffers returns the loop's buffers for the handler's own use.
func (l *Loop) Buffers() *Buffers { return &l.buffers }

// Now returns the time since the Poller began, as read at the start of the
// turn.
func (l *Loop) Now() time.Duration { return time.Duration(l.now) }

// Post has the loop run t soon, in the order of one poster's calls. It may be
// called from any goroutine and reports false when the loop has ended or too
// many tasks wait.
func (l *Loop) Post(t Task) bool { return l.tasks.post(t) }

// run is the loop's goroutine.
func (l *Loop) run() error {
	err := l.re.wait()
	if !l.stopping { // epoll itself has failed
		l.bringDown(fmt.Errorf("poller: loop %d: epoll_wait: %w", l.index, err))
	}
	l.tasks.close(l)
	l.closeDescriptors()
	return err
}

// abandon gives back the descriptors of a loop that never ran.
func (l *Loop) abandon() {
	l.stopping = true // whatever is ready: no call of the handler
	if l.re != nil {
		l.re.close()
		l.re.wait()
	}
	l.closeDescriptors()
}

// turn deals with one batch of events, and then with what they brought up.
func (l *Loop) turn(events []unix.EpollEvent) {
	if l.stopping {
		return
	}
	l.n.turns.Add(1)
	l.now = l.p.clock()
	woken, served := false, false
	for i := range events {
		kind, slot, gen := splitToken(tokenOf(&events[i]))
		switch kind {
		case kindConn:
			l.connEvent(slot, gen, events[i].Events)
		case kindListener:
			if l.listener >= 0 {
				l.accept()
			}
		case kindWake:
			woken = true
		case kindTimer:
			var expirations uint64
			unix.RawSyscall(unix.SYS_READ, uintptr(l.timer), uintptr(unsafe.Pointer(&expirations)), 8)
			l.armed = 0
		}
	}
	if woken {
		served = l.wake()
	}
	l.expire()
	l.settle()
	l.arm()
	if served || l.now-l.yielded > int64(yieldEvery) {
		// Whoever got an answer from a task is next in line for this processor,
		// and epoll_wait would keep it: 40 us until another thread has taken
		// it, 4 when we step aside.
		l.yielded = l.now
		runtime.Gosched()
	}
}

// yieldEvery is how long a loop goes on without passing through the scheduler.
// A goroutine that never does counts as running for too long after 10 ms, and
// then the runtime's monitor thread wakes up every 20 us to take its processor
// away: 12 % of the CPU of a node that echoes 30,000 messages a second.
const yieldEvery = 4 * time.Millisecond

// wake runs posted tasks, and says whether there were any, and one slice of the
// cast under way. While casts are left the eventfd stays readable, so that the next epoll_wait returns at once,
// with whatever else is ready.
func (l *Loop) wake() (served bool) {
	served = l.tasks.run(l)
	if l.castSlice() {
		l.obey()
		return served
	}
	l.tasks.acknowledge()
	served = l.tasks.run(l) || served // posted before the eventfd was read
	l.obey()                          // ordered before it was read
	if len(l.jobs) > 0 || l.walk != nil {
		l.tasks.signal()
	}
	return served
}

// obey does what the Poller has ordered; doing it again does nothing.
func (l *Loop) obey() {
	orders := l.p.orders.Load()
	if orders&orderStopListening != 0 {
		l.stopListening()
	}
	if orders&orderStop != 0 {
		l.stop(ErrStopped)
	}
}

// settle redelivers resumed input, and then releases what is doomed and what
// that dooms. Connections resumed meanwhile have to wait for the next turn, or
// two that resume each other would never let it end.
func (l *Loop) settle() {
	n := len(l.resumed)
	for i := range n {
		l.redeliver(l.resumed[i])
	}
	for i := 0; i < len(l.doomed); i++ {
		l.bury(l.doomed[i])
	}
	clear(l.doomed)
	l.doomed = l.doomed[:0]
	l.resumed = l.resumed[:copy(l.resumed, l.resumed[n:])]
	if len(l.resumed) > 0 {
		l.tasks.signal()
	}
}

// bury tells the handler and releases the slot.
func (l *Loop) bury(d doomed) {
	s := l.conns.At(d.slot)
	if e, ok := l.endings[d.slot]; ok {
		d.why = e.why
		delete(l.endings, d.slot)
	}
	c := Conn{l, makeHandle(l.index, d.slot, s.gen)}
	l.h.Closed(c, d.why)
	l.release(d.slot, s)
	l.p.conns.Add(-1)
	l.n.closed.Add(1)
}

// stopListening closes the listener; established connections stay.
func (l *Loop) stopListening() {
	if l.listener >= 0 {
		sysClose(l.listener)
		l.listener, l.acceptAt = -1, 0
		l.p.listenerClosed()
	}
	if l.reserve >= 0 {
		sysClose(l.reserve)
		l.reserve = -1
	}
}

// stop closes every connection and ends the loop after this turn.
func (l *Loop) stop(why error) {
	if l.stopping {
		return
	}
	l.bringDown(why)
	l.re.close() // ends wait; run refuses and runs out the tasks
}

// bringDown closes everything that the handler knows of.
func (l *Loop) bringDown(why error) {
	l.stopping = true
	l.stopListening()
	for slot := range l.slots {
		if s := l.conns.At(slot); s.flags&flagUsed != 0 {
			l.doom(slot, s, why)
		}
	}
	l.settle()
	l.failJobs()
}

func (l *Loop) closeDescriptors() {
	l.stopListening()
	if l.ring != nil {
		l.ring.close()
		l.ring = nil
	}
	for _, fd := range []int{l.tasks.fd, l.timer} {
		if fd >= 0 {
			sysClose(fd)
		}
	}
}
