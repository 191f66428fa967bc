package server

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// resyncTopics is how many topics may wait to be looked at: of more, everything is.
	resyncTopics = 64
	// resyncPause is between two questions to the store about 256 devices each, when all
	// are looked at: 100,000 devices take 4 s and more, and others get at Redis.
	resyncPause = 10 * time.Millisecond
	// resyncLost is that pause where Redis has lost what it had: those whose streams are
	// gone come back for new ones, as many a second as a node takes.
	resyncLost = 256 * time.Second / acceptRate
	// resyncAgain is the time until the next try, when the store does not answer.
	resyncAgain = 500 * time.Millisecond
)

// resyncs has the store asked about devices that are connected here, because word of what
// other nodes have stored may have been lost, or is about many. Requests that come while
// one is carried out are one more: there is one goroutine, whatever comes.
type resyncs struct {
	wake chan struct{}
	done chan struct{} // closed when the goroutine has ended; nil: there is none
	n    atomic.Uint64 // looks that were carried out

	mu     sync.Mutex // covers the following
	all    bool
	lost   bool // of all: most will have to come back
	topics map[string]struct{}
	closed bool
}

func (r *resyncs) init() { r.wake, r.topics = make(chan struct{}, 1), map[string]struct{}{} }

// ask wants a look at the devices of a topic, or at all for "". It never waits.
func (r *resyncs) ask(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.all && topic != "" {
		r.topics[topic] = struct{}{}
	}
	if topic == "" || len(r.topics) > resyncTopics {
		r.all = true
		clear(r.topics)
	}
	r.signal()
}

// askLost wants a look at all, most of which will have to come back.
func (r *resyncs) askLost() {
	r.mu.Lock()
	r.lost = true
	r.mu.Unlock()
	r.ask("")
}

func (r *resyncs) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns what to look at next, and how long to pause in it; ok is false when there is
// nothing.
func (r *resyncs) take() (topic string, pause time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", 0, false
	}
	if r.all {
		pause = resyncPause
		if r.lost {
			pause = resyncLost
		}
		r.all, r.lost = false, false
		return "", pause, true
	}
	for topic := range r.topics {
		delete(r.topics, topic)
		return topic, 0, true
	}
	return "", 0, false
}

// start begins to carry out. The goroutine ends after close, and at the latest when the
// store is closed.
func (r *resyncs) start(s *Server) {
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		r.run(s)
	}()
}

func (r *resyncs) run(s *Server) {
	for {
		select {
		case <-r.wake:
		case <-s.stopTick:
			return
		}
		for topic, pause, ok := r.take(); ok; topic, pause, ok = r.take() {
			r.n.Add(1)
			if s.cluster.store.Resync(topic, pause) == nil {
				continue
			}
			if pause == resyncLost {
				r.askLost()
			} else {
				r.ask(topic) // nothing is lost by looking later
			}
			select {
			case <-time.After(resyncAgain):
			case <-s.stopTick:
				return
			}
		}
	}
}

// close has nothing more begun.
func (r *resyncs) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.signal()
}

// wait waits for the goroutine, after the store is closed.
func (r *resyncs) wait() {
	if r.done != nil {
		<-r.done
	}
}
