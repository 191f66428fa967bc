package redisinbox

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"roost/server/inbox"
)

// Store is an inbox.Store in Redis, which the nodes of a cluster share. It is also an
// inbox.Blocking, an inbox.Leaver and an inbox.Noticer.
type Store struct {
	// Static after construction.
	opt   Options
	redis *link
	open  *script
	put   *script

	offset atomic.Int64 // ns to add to our clock for that of Redis

	// mu covers the following. Nothing is called while it is held.
	mu     sync.Mutex
	m      *mirror
	bodies bodies
	latest latest
	memory accepted
	n      inbox.Counts
	closed bool
	known  int // devices in the index, some seconds ago
	topics int // topics there are, some seconds ago

	acks   acks
	queue  queue
	spread queue // commits with a message to many: those take long

	// Owned by the maintaining goroutine, but for the channel.
	due    chan struct{}
	swept  inbox.Ref
	mended inbox.Ref
	audits map[string]acceptance // that Redis is to be asked about: accepted.go
	ticks  int

	doubts doubts

	stop chan struct{}
	wg   sync.WaitGroup
}

var (
	_ inbox.Store    = (*Store)(nil)
	_ inbox.Blocking = (*Store)(nil)
	_ inbox.Leaver   = (*Store)(nil)
	_ inbox.Noticer  = (*Store)(nil)
)

// New returns a store. Redis need not be there yet: until it is, everything that asks it
// fails with inbox.ErrFailed. The error says what is wrong with the options.
func New(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o, redis: newLink(&o), open: openWith(o.Presence), put: putWith(o.Notify), m: newMirror(), stop: make(chan struct{}), due: make(chan struct{}, 1)}
	s.bodies.init()
	s.memory.last = map[string]acceptance{}
	s.latest.init(o.Limits.Latest)
	s.acks.init()
	s.queue.init()
	s.spread.init()
	s.doubts.init()
	s.redis.scripts = append([]*script{s.open, s.put}, scripts...)
	go s.redis.connect()
	s.wg.Go(s.runCommits)
	s.wg.Go(s.runSpreads)
	s.wg.Go(s.runAcks)
	s.wg.Go(s.runMaintenance)
	s.wg.Go(s.runDoubts)
	return s, nil
}

// Blocking implements inbox.Blocking: Open asks Redis.
func (s *Store) Blocking() {}

// Reached returns nil once Redis has been reached for the first time, else why not.
func (s *Store) Reached() error {
	_, err := s.redis.get()
	return err
}

// Close writes what waits, and the acknowledgements, as far as Redis takes them within
// its deadline, and ends the store.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	s.queue.close()
	s.spread.close()
	close(s.stop)
	s.wg.Wait()
	err := s.Flush()
	s.redis.close()
	return err
}

// seconds returns the time in seconds since 1970.
func (s *Store) seconds() uint32 { return uint32(s.now().Unix()) }

// millis returns it in milliseconds.
func (s *Store) millis() int64 { return s.now().UnixMilli() }

func (s *Store) now() time.Time {
	if s.opt.Now != nil {
		return s.opt.Now()
	}
	return time.Now().Add(time.Duration(s.offset.Load()))
}

// Tick implements inbox.Store. It does not wait.
func (s *Store) Tick() {
	select {
	case s.due <- struct{}{}:
	default: // the last one is still at work
	}
}

// newTag returns a tag, which is not 0.
func newTag() uint32 {
	for {
		if t := rand.Uint32(); t != 0 {
			return t
		}
	}
}

func epochText(e inbox.Epoch) string {
	if e == (inbox.Epoch{}) {
		return ""
	}
	return e.String()
}

// beUint32 reads the first four bytes of b, which has as many.
func beUint32(b string) uint32 { return binary.BigEndian.Uint32([]byte(b[:4])) }
