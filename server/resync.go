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
	lost   bool // of all: those whose streams are gone are told to come back afterwards
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

// askLost wants a look at all, after which those whose streams are gone come back.
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

// take returns what to look at next, "" for all, and whether those whose streams are gone come back afterwards; ok is
// false when there is nothing.
func (r *resyncs) take() (topic string, lost, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", false, false
	}
	if r.all {
		lost = r.lost
		r.all, r.lost = false, false
		return "", lost, true
	}
	for topic := range r.topics {
		delete(r.topics, topic)
		return topic, false, true
	}
	return "", false, false
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
		for topic, lost, ok := r.take(); ok; topic, lost, ok = r.take() {
			r.n.Add(1)
			pause := resyncPause
			if topic != "" {
				pause = 0
			}
			switch err := s.cluster.store.Resync(topic, pause); {
			case err == nil && lost:
				s.cluster.recall()
				continue
			case err == nil:
				continue
			case lost:
				r.askLost()
			default:
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
