package redisinbox

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"roost/server/inbox"
)

// Noticed implements inbox.Noticer.
func (s *Store) Noticed(n *inbox.Notice) (ref inbox.Ref, look bool) {
	epoch, ok := inbox.ParseEpoch(n.Epoch)
	if !ok {
		return 0, false
	}
	s.mu.Lock()
	ref, d := s.m.find(string(n.Device))
	if d == nil || d.fence == 0 && d.opening == 0 {
		s.mu.Unlock()
		return 0, false
	}
	fence := d.fence
	news := d.noted(n.Fence, epoch, place{n.Seq, n.Tag}, n.Before)
	away := d.leftAt != 0
	if n.Life = 0; d.epoch == epoch || d.fence == 0 {
		n.Life = d.life
	}
	s.mu.Unlock()
	switch news {
	case overtaken:
		s.ended(ref, fence, stateStale)
	case doubt:
		s.doubt(string(n.Device))
	case ahead:
		n.Message = nil
	}
	if away {
		return 0, false
	}
	return ref, news == moved || news == ahead
}

// NoticedLatest takes a topic's latest value that another node has set, nil for removed.
// expires is in seconds since 1970.
func (s *Store) NoticedLatest(topic string, m *inbox.Message, expires uint32) {
	value := ""
	if m != nil {
		value = string(m.AppendContent(binary.BigEndian.AppendUint32(nil, expires)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m.topics[topic] > 0 {
		s.latest.told(topic, value)
	}
}

// NoticedSubscription takes that another node has put a device into a topic or taken it
// out. It returns the device's number, 0 when it is not connected here. The topic's
// latest value is here a little later.
func (s *Store) NoticedSubscription(device []byte, topic string, on bool) inbox.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.subscribed(string(device), change{topic, on})
}

// doubtMost bounds the devices that wait to be asked about; more are found by the sweep.
const doubtMost = 16 << 10

// doubts are devices here that Redis has to be asked about.
type doubts struct {
	wake chan struct{}

	// mu covers the following. It is taken alone.
	mu  sync.Mutex
	ids map[string]bool
}

func (d *doubts) init() { d.wake, d.ids = make(chan struct{}, 1), map[string]bool{} }

func (d *doubts) take() (ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.ids {
		if len(ids) == spreadSlice {
			break
		}
		ids = append(ids, id)
		delete(d.ids, id)
	}
	return ids
}

// doubt has Redis asked where a device's stream stands, if the device is here.
func (s *Store) doubt(id string) {
	s.doubts.mu.Lock()
	if len(s.doubts.ids) < doubtMost {
		s.doubts.ids[id] = true
	}
	s.doubts.mu.Unlock()
	signal(s.doubts.wake)
}

// runDoubts asks about devices, until the store is closed.
func (s *Store) runDoubts() {
	for {
		select {
		case <-s.doubts.wake:
		case <-s.stop:
			return
		}
		for ids := s.doubts.take(); len(ids) > 0; ids = s.doubts.take() {
			var refs []inbox.Ref
			s.mu.Lock()
			for _, id := range ids {
				if ref, d := s.m.find(id); d != nil {
					refs = append(refs, ref)
				}
			}
			s.mu.Unlock()
			if s.look(refs) == nil {
				continue
			}
			for _, id := range ids { // Redis is away: nothing is lost by asking later
				s.doubt(id)
			}
			select {
			case <-time.After(500 * time.Millisecond):
			case <-s.stop:
				return
			}
		}
	}
}

// look asks where the streams of connected devices stand. Who has more to get is told.
// The error is that of the last that Redis did not answer.
func (s *Store) look(refs []inbox.Ref) (err error) {
	type asked struct {
		ref   inbox.Ref
		fence uint32
		id    string
		known history
	}
	var who []asked
	var calls []call
	s.mu.Lock()
	for _, ref := range refs {
		d := s.m.get(ref)
		if d == nil || d.alone != 0 || s.m.current(ref, d.fence) == nil {
			continue
		}
		n := s.names(d.id)
		who = append(who, asked{ref, d.fence, d.id, d.history})
		last, tag := d.asks()
		calls = append(calls, call{script: lookScript, keys: []string{n.list(), n.head()}, args: []string{
			utoa(d.fence), d.epoch.String(), last, tag, inbox.RandomEpoch().String()}})
	}
	s.mu.Unlock()
	for i, r := range s.redis.do(calls, false) {
		if r.err != nil {
			err = r.err
			continue
		}
		is, bad := parseFetch(r.v, false)
		if bad != nil {
			continue // somebody has written into our keys: Check says it
		}
		s.ended(who[i].ref, who[i].fence, is.state)
		if is.state != stateIs {
			continue
		}
		more, ok := s.caughtUp(who[i].ref, who[i].fence, &who[i].known, &is)
		if more {
			s.opt.Moved(who[i].ref, who[i].fence)
		}
		if !ok {
			s.doubt(who[i].id)
		}
	}
	return err
}

// Resync looks at all connected devices, or at those in a topic, after notices may have
// been lost: pause is slept after every 256 of them. Who has more to get, or, of all, is in other
// topics than it was known here, is told by Moved. It ends with the first question that Redis does not answer. It is not for an
// event loop.
func (s *Store) Resync(topic string, pause time.Duration) error {
	for next := inbox.Ref(1); next != 0; {
		var refs []inbox.Ref
		if refs, next = s.some(next, spreadSlice, topic); len(refs) == 0 {
			continue
		}
		err := s.look(refs)
		if err == nil && topic == "" {
			err = s.lookAtTopics(refs)
		}
		if err != nil {
			return err
		}
		select {
		case <-s.stop:
			return nil
		case <-time.After(pause):
		}
	}
	return nil
}

// some returns connected devices from a number on, and where to go on, 0 for the end.
func (s *Store) some(from inbox.Ref, most int, topic string) (refs []inbox.Ref, next inbox.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref := from; int(ref) < len(s.m.devs); ref++ {
		if len(refs) == most || int(ref-from) == 64*spreadSlice {
			return refs, ref
		}
		d := &s.m.devs[ref]
		if s.m.current(ref, d.fence) != nil && (topic == "" || slices.Contains(d.topics, topic)) {
			refs = append(refs, ref)
		}
	}
	return refs, 0
}
