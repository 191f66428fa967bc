package swarm

import "bytes"

// maxEarly bounds what is kept for a phase that has not begun here: a second of 65,536 messages/s, in messages. What
// comes beyond it is late, and missing in the phase.
const maxEarly = 1 << 16

// early is a message of a phase that another worker has begun and that this one has not been told of yet, as happens
// where it has had no processor for longer than the coordinator's lead (200 ms). Without it the server would have
// lost what has come.
type early struct {
	client uint32
	at     int64 // when it came
	bytes  []byte
}

// keepEarly keeps a message that is in the cache for the phase that it is of. It reports false for one that is of no
// phase to come.
func (w *Worker) keepEarly(i uint32, at int64) bool {
	m := &w.cache
	if int(m.stamp.Phase) <= w.begun || int(m.stamp.Phase) >= len(w.s.Phases) || len(w.early) >= maxEarly {
		return false
	}
	w.early = append(w.early, early{i, at, bytes.Clone(m.bytes)})
	return true
}

// deliverEarly delivers what has come before its phase: the one that begins, or it is kept on.
func (w *Worker) deliverEarly(p *phase) {
	list := w.early
	w.early = nil
	if len(list) > 0 && w.now() >= p.begin {
		w.startPhase(p) // who is slow in it is chosen before anything of it is looked at
	}
	for _, e := range list {
		w.rec.arrival = 0 // of when the kernel had it nothing is known any more
		w.deliver(e.client, e.at, e.bytes)
	}
}
