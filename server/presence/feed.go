package presence

import (
	"sync"
	"sync/atomic"
)

// Kind says what has changed.
type Kind uint8

// The kinds of changes.
const (
	DeviceOnline  Kind = iota + 1 // a device that was not connected is
	DeviceOffline                 // a device is not connected any more
	NodeSuspect                   // a node shows no sign of life: its Devices are suspect
	NodeGone                      // a node is dead: of its Devices, Back have come back and Lost have not
	NodeBack                      // a node that was suspect lives
)

var kindNames = [...]string{"", "online", "offline", "node_suspect", "node_lost", "node_back"}

func (k Kind) String() string { return name(kindNames[:], int(k)) }

// Change is something that a node has seen first. Each is told by one node of the
// cluster. Changes of one device can come from several nodes, in another order than
// they happened: the one with the higher fence is the later, and of the same fence
// offline is. A device that moves from one node to another is online all the while
// and is no change; nor is one that comes back before its release was stored.
type Change struct {
	Kind   Kind
	Device string // DeviceOnline, DeviceOffline
	Node   Owner  // that has the device or had it; that the change is about
	Fence  uint32
	SID    uint64 // DeviceOnline
	At     int64  // Unix milliseconds, clock of the node that tells
	Reason Reason // DeviceOffline

	Devices int // NodeSuspect: at most so many; NodeGone: exactly
	Back    int // NodeGone
	Lost    int // NodeGone
	Singles int // NodeGone: of the lost, how many had a DeviceOffline of their own
}

// Feed gives changes to listeners. It never waits for one.
type Feed struct {
	missed atomic.Uint64

	mu   sync.Mutex // covers the following
	list map[*Listener]struct{}
}

func newFeed() *Feed { return &Feed{list: map[*Listener]struct{}{}} }

// Missed returns how many changes listeners were too slow for, in all.
func (f *Feed) Missed() uint64 { return f.missed.Load() }

// Listener is one who listens.
type Listener struct {
	// C has the changes in the order in which this node saw them.
	C <-chan Change

	f      *Feed
	c      chan Change
	missed atomic.Uint64
}

// defaultQueue is how many changes wait for a listener that does not say.
const defaultQueue = 4096

// Listen returns a listener for whom queue changes may wait (0: 4,096). Close it.
func (f *Feed) Listen(queue int) *Listener {
	if queue <= 0 {
		queue = defaultQueue
	}
	l := &Listener{f: f, c: make(chan Change, queue)}
	l.C = l.c
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list[l] = struct{}{}
	return l
}

// Missed returns how many changes were left out since it was asked last, because the
// queue was full.
func (l *Listener) Missed() uint64 { return l.missed.Swap(0) }

// Close ends the listener; C is not closed.
func (l *Listener) Close() {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	delete(l.f.list, l)
}

// send gives changes to all listeners.
func (f *Feed) send(changes ...Change) {
	if len(changes) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.list {
		for _, c := range changes {
			select {
			case l.c <- c:
			default:
				l.missed.Add(1)
				f.missed.Add(1)
			}
		}
	}
}
