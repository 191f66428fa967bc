package mesh

import "sync"

// seekers ask presence for those who must not wait. What is about one device is done in its
// order: it has a line by its hash, and each line a goroutine while something waits in it.
type seekers struct {
	mu     sync.Mutex // covers the following
	lines  [seekerLines][]func()
	busy   [seekerLines]bool
	closed bool
	idle   sync.WaitGroup // goroutines; added to with mu held and not closed
}

const (
	seekerLines = 64
	// seekerMost bounds a line. Presence answers in less than a millisecond, or not
	// within Options.Deadline; then they would wait in vain.
	seekerMost = 256
)

// run has f called soon; it reports false when too many wait, or it is over.
func (s *seekers) run(hash uint64, f func()) bool {
	i := hash % seekerLines
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.lines[i]) >= seekerMost {
		return false
	}
	s.lines[i] = append(s.lines[i], f)
	if !s.busy[i] {
		s.busy[i] = true
		s.idle.Add(1)
		go s.work(i)
	}
	return true
}

func (s *seekers) work(i uint64) {
	defer s.idle.Done()
	for {
		s.mu.Lock()
		if len(s.lines[i]) == 0 {
			s.busy[i], s.lines[i] = false, nil
			s.mu.Unlock()
			return
		}
		f := s.lines[i][0]
		s.lines[i][0] = nil
		s.lines[i] = s.lines[i][1:]
		s.mu.Unlock()
		f()
	}
}

// close takes no more, and returns when all that waited is done.
func (s *seekers) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.idle.Wait()
}
