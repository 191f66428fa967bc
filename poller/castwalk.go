package poller

import "slices"

// castWalk is one way through the receivers of casts: the connections with a
// variant, by slot, or the members of a group.
//
// Casts to all get on wherever the walk is, are joined with those that are on
// it, and stay until it has come round to where they got on, so that eight
// broadcasts published together cost little more sends than one:
//
//	slots   0 . . . . . . . . . . . . . . n
//	          A A A|A+B A+B|A+B+C A+B+C   |   A ends
//	          B+C  |C      |                  B ends, C ends
//
// What a connection gets stays in order: nobody gets on behind a cast to other
// receivers that waits. The positions of a group's members move as members
// leave, so the casts to a group get on at the beginning only.
type castWalk struct {
	group  *Group
	class  Class
	cursor uint32              // next slot, or next member of the group
	jobs   []*castJob          // the casts on it, in the order of the calls
	joined [MaxVariants][]byte // what is sent: the frames of all of them
	size   int                 // of the largest of joined
	whole  [MaxVariants]int    // receivers, by variant, whose socket took all of joined
}

// board lets the casts that wait get on the walk, starting one if there is none.
func (l *Loop) board() *castWalk {
	w := l.walk
	if w == nil {
		w = &castWalk{group: l.jobs[0].Group, class: l.jobs[0].Class}
		l.walk = w
		if w.group != nil {
			w.group.active = w
		}
	}
	if w.group != nil && len(w.jobs) > 0 {
		return w
	}
	n := 0
	for ; n < len(l.jobs); n++ {
		next := l.jobs[n]
		if next.Group != w.group || next.Class != w.class {
			break
		}
		if on := len(w.jobs) + n; on > 0 && w.size+next.largest() > joinBytes || on >= joinCasts {
			break
		}
		w.size += next.largest()
		next.from = w.cursor
	}
	if n > 0 {
		w.share()
		w.jobs = append(w.jobs, l.jobs[:n]...)
		l.jobs = slices.Delete(l.jobs, 0, n)
		if len(l.jobs) == 0 && cap(l.jobs) > keepEntries {
			l.jobs = nil // after a burst
		}
		w.join()
	}
	return w
}

// alight ends the casts that have been everywhere, and the walk with the last.
func (l *Loop) alight(w *castWalk) {
	switch {
	case w.group != nil && w.cursor < l.end(w):
		return
	case w.group == nil && w.cursor >= l.slots:
		w.cursor = 0
		for _, k := range w.jobs {
			k.wrapped = true
		}
	}
	over := func(k *castJob) bool { return w.group != nil || k.wrapped && k.from == w.cursor }
	if !slices.ContainsFunc(w.jobs, over) {
		return
	}
	w.share()
	var done []*castJob
	w.jobs = slices.DeleteFunc(w.jobs, func(k *castJob) bool {
		if over(k) {
			done = append(done, k)
			return true
		}
		return false
	})
	if len(w.jobs) == 0 {
		l.walk = nil
		if w.group != nil {
			w.group.active = nil
		}
	} else {
		w.join()
	}
	for _, k := range done {
		l.report(k)
	}
}

// end returns one past the last position that all on the walk still need: the
// end of the receivers, or where the first one gets off.
func (l *Loop) end(w *castWalk) uint32 {
	if w.group != nil {
		return uint32(len(w.group.members))
	}
	end := l.slots
	for _, k := range w.jobs {
		if k.wrapped {
			end = min(end, k.from)
		}
	}
	return end
}

// join puts the frames of all casts on the walk together.
func (w *castWalk) join() {
	w.size = 0
	for v := range w.joined {
		if len(w.jobs) == 1 {
			w.joined[v] = w.jobs[0].Frames[v]
		} else {
			together := 0
			for _, k := range w.jobs {
				together += len(k.Frames[v])
			}
			w.joined[v] = nil
			if together > 0 {
				b := make([]byte, 0, together)
				for _, k := range w.jobs {
					b = append(b, k.Frames[v]...)
				}
				w.joined[v] = b
			}
		}
		w.size = max(w.size, len(w.joined[v]))
	}
}

// share credits the casts on the walk with the sends that were made whole since
// the set of them last changed.
func (w *castWalk) share() {
	for v, n := range w.whole {
		if n == 0 {
			continue
		}
		for _, k := range w.jobs {
			if len(k.Frames[v]) > 0 {
				k.result.Written += n
			}
		}
	}
	clear(w.whole[:])
}

// largest returns the size of the cast's largest frame.
func (k *castJob) largest() int {
	size := 0
	for _, b := range k.Frames {
		size = max(size, len(b))
	}
	return size
}

// collect fills targets with the next receivers whose sockets are free, in slot
// order (which is close to the order in which the kernel allocated them: a
// random order costs 7-15 % more), and queues for those whose are not.
func (l *Loop) collect(w *castWalk, atMost int) (n, scanned int) {
	end := l.end(w)
	for ; w.cursor < end && n < atMost && scanned < sliceScan; scanned++ {
		slot := w.cursor
		if w.group != nil {
			slot = w.group.members[w.cursor]
		}
		w.cursor++
		s := l.conns.At(slot)
		b := w.joined[s.variant]
		if len(b) == 0 || s.flags&flagUsed == 0 || s.flags&noData != 0 {
			continue
		}
		if s.out != 0 {
			l.queueFrames(w, slot, s, 0)
			continue
		}
		if w.group != nil {
			if s.flags&flagTarget != 0 { // a member twice: a short send must not be followed by another
				w.cursor--
				break
			}
			s.flags |= flagTarget
		}
		l.targets[n] = target{slot: slot, fd: s.fd, variant: s.variant, b: b}
		n++
	}
	return n, scanned
}

// queueFrames queues, for one receiver, the frames behind the first sent bytes,
// one by one; of a frame that has begun, the rest.
func (l *Loop) queueFrames(w *castWalk, slot uint32, s *conn, sent int) {
	variant := s.variant
	for _, k := range w.jobs {
		b := k.Frames[variant]
		if len(b) == 0 {
			continue
		}
		if sent >= len(b) {
			sent -= len(b)
			k.result.Written++
			continue
		}
		switch l.enqueue(slot, s, outItem{b: b[sent:], class: w.class, frames: 1, begun: sent > 0, key: k.Key}, true) {
		case Queued:
			k.result.Queued++
		default:
			k.result.Dropped++
		}
		sent = 0
	}
}

// dropFrames counts, for one receiver, the frames of a connection that broke.
func (w *castWalk) dropFrames(variant uint8) {
	for _, k := range w.jobs {
		if len(k.Frames[variant]) > 0 {
			k.result.Dropped++
		}
	}
}
