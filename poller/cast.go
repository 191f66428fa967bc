package poller

import "golang.org/x/sys/unix"

const (
	// MaxVariants is how many forms of a message one Cast can carry, the
	// unused 0 included.
	MaxVariants = 32

	// sliceTargets is how many connections one slice of a cast sends to before
	// the loop looks at other events: 512 sends are about 2.4 ms. 256 cost 3 to
	// 6 % more CPU per delivery.
	sliceTargets = 512

	// sliceScan bounds the slots looked at in one slice, where few of them are
	// receivers.
	sliceScan = 8192

	// fewTargets is the number below which the ring is not worth its submit.
	fewTargets = 16

	// joinBytes bounds how much of the casts that wait is joined into one send.
	joinBytes = 16 << 10

	// joinCasts bounds how many casts go together: as many as a device's queue
	// holds.
	joinCasts = 64

	// maxCasts bounds the casts that wait on one loop.
	maxCasts = 1024
)

// Cast is one message to many connections of a loop. What receivers get is
// encoded once per variant and shared by all of them; nobody may change it
// afterwards.
type Cast struct {
	// Frames holds the bytes for each variant; receivers of a variant that is
	// nil get nothing. Index 0 is not used.
	Frames [MaxVariants][]byte
	// Group is who receives: nil for every connection with a variant.
	Group *Group
	// Class is what may become of it at a connection whose socket is full.
	Class Class
	// Key, if not 0, is for messages of which only the last matters: in a queue
	// it takes the place of a Droppable one of the same key.
	Key uint32
	// Done, if set, is called on the loop when the last receiver was dealt
	// with.
	Done func(CastResult)
}

// CastResult counts receivers of one cast on one loop.
type CastResult struct {
	Written int // the kernel took the whole frame
	Queued  int // waits in the connection's queue
	Dropped int // refused by a full queue, or the connection broke
}

// castJob is one cast, waiting or on a walk.
type castJob struct {
	Cast
	from    uint32     // where it got on the walk
	wrapped bool       // the walk has been at the end since
	result  CastResult // so far; whole sends of the current walk's set apart
}

// target is one send of the slice that is being put together.
type target struct {
	slot    uint32
	fd      int32
	variant uint8
	b       []byte
}

// Cast queues a message to many. Each receiver gets the casts of one loop in the
// order of the calls; those that wait for the same receivers are joined into one
// send. It reports false, and does nothing, when too many wait.
func (l *Loop) Cast(c Cast) bool {
	if len(l.jobs) >= maxCasts || l.stopping {
		return false
	}
	c.Frames[0] = nil // variant 0 is nobody's
	l.jobs = append(l.jobs, &castJob{Cast: c})
	l.tasks.signal()
	return true
}

// castSlice sends one slice of the walk under way, or of several that are short,
// and reports whether there is more to do.
func (l *Loop) castSlice() bool {
	for budget := sliceTargets; budget > 0 && (l.walk != nil || len(l.jobs) > 0); {
		w := l.board()
		n, scanned := l.collect(w, budget)
		budget -= max(n, scanned/(sliceScan/sliceTargets), 8)
		if l.ring != nil && n >= fewTargets {
			l.sendRing(w, l.targets[:n])
		} else {
			l.sendEach(w, l.targets[:n])
		}
		if w.group != nil {
			for i := range n {
				l.conns.At(l.targets[i].slot).flags &^= flagTarget
			}
		}
		l.alight(w)
	}
	return l.walk != nil || len(l.jobs) > 0
}

// sendEach sends to the targets one by one.
func (l *Loop) sendEach(w *castWalk, targets []target) {
	bytes := 0
	for i := range targets {
		t := &targets[i]
		n, errno := sysSend(int(t.fd), t.b)
		bytes += n
		if n == len(t.b) {
			w.whole[t.variant]++
		} else {
			l.notWhole(w, t, n, errno)
		}
		t.b = nil
	}
	l.n.sends.Add(uint64(len(targets)))
	l.n.bytesOut.Add(uint64(bytes))
}

// notWhole deals with a send that was short or failed. Between collect and here
// nothing runs that could change or free the receiver.
func (l *Loop) notWhole(w *castWalk, t *target, n int, errno unix.Errno) {
	s := l.conns.At(t.slot)
	if errno != 0 && !temporary(errno) {
		l.doom(t.slot, s, errno)
		w.dropFrames(t.variant)
		return
	}
	l.queueFrames(w, t.slot, s, n)
}

// failJobs ends every cast as it stands, when the loop stops.
func (l *Loop) failJobs() {
	if w := l.walk; w != nil {
		l.walk = nil
		w.share()
		for _, k := range w.jobs {
			l.report(k)
		}
		if w.group != nil {
			w.group.active = nil
		}
	}
	for _, k := range l.jobs {
		l.report(k)
	}
	l.jobs = nil
}

// report counts one finished cast and says how it went.
func (l *Loop) report(k *castJob) {
	l.n.castWritten.Add(uint64(k.result.Written))
	l.n.castQueued.Add(uint64(k.result.Queued))
	l.n.castDropped.Add(uint64(k.result.Dropped))
	if k.Done != nil {
		k.Done(k.result)
	}
}
