package redisinbox

import (
	"maps"
	"slices"
	"time"
)

// Every so many ticks, which come once a second.
const (
	clockTicks  = 10 // Redis is asked for its time, and how much there is
	latestTicks = 5  // latest values are read again
	indexTicks  = 10 // the indexes of a part of the devices are looked at: what they lack is rare
)

// latestMost is how many latest values are read again at once.
const latestMost = 1024

// runMaintenance does what is due with each tick, until the store is closed.
func (s *Store) runMaintenance() {
	for {
		select {
		case <-s.due:
			s.maintain()
		case <-s.stop:
			return
		}
	}
}

// maintain frees what has left, asks about a part of the devices that are here, and
// reads again what is kept of others.
func (s *Store) maintain() {
	now := s.seconds()
	s.mu.Lock()
	s.m.sweep(now)
	s.bodies.sweep(now)
	part := max(len(s.m.devs)*int(time.Second)/int(s.opt.Sweep), 1)
	s.mu.Unlock()
	s.sweep(part)
	if s.ticks%indexTicks == indexTicks-1 {
		s.sweepIndexes(part) // so in ten times as long as a sweep takes
	}
	if s.ticks%clockTicks == 0 {
		s.measure()
	} else if s.redis.clock.doubted.Swap(false) {
		s.setClock()
	}
	s.audit()
	if s.ticks%latestTicks == 0 {
		s.mu.Lock()
		topics := slices.Collect(maps.Keys(s.m.topics))
		for t := range s.latest.values { // nobody here is in it any more
			if s.m.topics[t] == 0 {
				s.latest.set(t, "")
			}
		}
		for t := range s.latest.unlike {
			if s.m.topics[t] == 0 {
				delete(s.latest.unlike, t)
			}
		}
		s.mu.Unlock()
		// Of more, others each time: maps have no order.
		for _, other := range s.refreshLatest(topics[:min(len(topics), latestMost)]) {
			s.opt.Latest(other.topic, &other.m)
		}
	}
	s.ticks++
}

// sweep asks about the next so many devices.
func (s *Store) sweep(part int) {
	for part > 0 {
		refs, next := s.some(max(s.swept, 1), min(part, spreadSlice), "")
		if len(refs) > 0 && s.look(refs) != nil {
			return // the same ones again
		}
		if s.swept = next; next == 0 {
			return
		}
		part -= max(len(refs), 1)
	}
}

// sweepIndexes mends the indexes of the next so many devices.
func (s *Store) sweepIndexes(part int) {
	for part > 0 {
		refs, next := s.some(max(s.mended, 1), min(part, spreadSlice), "")
		if len(refs) > 0 && s.mend(refs) != nil {
			return
		}
		if s.mended = next; next == 0 {
			return
		}
		part -= max(len(refs), 1)
	}
}

// measure asks Redis for its time and for the sizes of indexes.
func (s *Store) measure() {
	calls := []call{{name: "ZCARD", keys: []string{s.topicsKey()}}}
	for i := range shards {
		calls = append(calls, call{name: "ZCARD", keys: []string{s.indexKey("", i)}})
	}
	rs := s.redis.do(calls, false)
	if firstError(rs) == nil {
		known := 0
		for _, r := range rs[1:] {
			n, _ := r.v.(int64)
			known += int(n)
		}
		topics, _ := rs[0].v.(int64)
		s.mu.Lock()
		s.known, s.topics = known, int(topics)
		s.mu.Unlock()
	}
	s.setClock()
}

// setClock compares our clock with that of Redis. A difference that the round trip may
// be is none.
func (s *Store) setClock() {
	before := time.Now()
	r := s.redis.do([]call{{script: timeScript, keys: []string{s.topicsKey()}}}, false)[0]
	took := time.Since(before)
	t, ok := parseTime(r.v)
	if !ok {
		return // the next time then
	}
	s.redis.clock.note(t)
	if s.opt.Now != nil {
		return
	}
	offset := t.Sub(before.Add(took / 2))
	if offset.Abs() <= took/2 {
		offset = 0
	}
	s.offset.Store(int64(offset))
}
