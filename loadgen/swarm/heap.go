package swarm

// timed is something that is due.
type timed struct {
	at  int64 // ns of the run's clock
	key uint64
}

// timedHeap gives what is due first. Its array is dropped when it is empty: a
// storm leaves nothing behind.
type timedHeap []timed

func (h *timedHeap) push(t timed) {
	s := append(*h, t)
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].at <= s[i].at {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	*h = s
}

// peek returns when the first is due; ok is false if there is none.
func (h timedHeap) peek() (at int64, ok bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].at, true
}

// pop takes the first, of which there must be one.
func (h *timedHeap) pop() timed {
	s := *h
	first := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(s); c++ {
			if s[c].at < s[least].at {
				least = c
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	if *h = s; len(s) == 0 {
		*h = nil
	}
	return first
}
