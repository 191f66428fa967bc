package inbox

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// common is what the stores have in common: everything that memory answers.
type common struct{ x *index }

// Open implements Store.
func (s *common) Open(id []byte, r Resume) (Opened, error) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if s.x.closed {
		return Opened{}, fmt.Errorf("%w: it is closed", ErrFailed)
	}
	return s.x.open(id, r)
}

// end lets nobody begin a session any more.
func (s *common) end() {
	s.x.mu.Lock()
	s.x.closed = true
	s.x.mu.Unlock()
}

// Last implements Store.
func (s *common) Last(ref Ref, fence uint32) (last, acked uint64) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	d := s.x.current(ref, fence)
	if d == nil {
		return 0, 0
	}
	return s.x.committed(d), d.acked
}

// Ack implements Store.
func (s *common) Ack(ref Ref, fence uint32, seq uint64) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	d := s.x.current(ref, fence)
	if d != nil {
		s.x.ack(ref, d, seq)
	}
	return d != nil
}

// Waits implements Store.
func (s *common) Waits(ref Ref, fence uint32, body Body) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	d := s.x.current(ref, fence)
	return d != nil && s.x.has(d, body)
}

// Current implements Store.
func (s *common) Current(ref Ref, fence uint32) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	return s.x.current(ref, fence) != nil
}

// Acked implements Store.
func (s *common) Acked(p *Put) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	d := s.x.get(p.Ref)
	return d != nil && s.x.lives[p.Ref].n == p.Life && d.acked >= p.Seq
}

// Remember implements Store.
func (s *common) Remember(c *Commit) {
	locked := false
	for _, op := range c.Ops {
		p, ok := op.(*Put)
		if !ok || p.Verdict != Stored || len(p.Message.ID) == 0 {
			continue
		}
		if !locked {
			s.x.mu.Lock()
			defer s.x.mu.Unlock()
			locked = true
		}
		s.x.keys.note(p.key, p.Outcome)
	}
}

// IsNext implements Store.
func (s *common) IsNext(ref Ref, fence uint32, seq uint64, body Body) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	return s.x.isNext(ref, fence, seq, body)
}

// Remaining implements Store.
func (s *common) Remaining(body Body) int {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if b := s.x.bodyOf(body); b != nil {
		return int(b.refs)
	}
	return 0
}

// Find implements Store.
func (s *common) Find(id []byte) Ref {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	ref, _ := s.x.find(id)
	return ref
}

// AppendID implements Store.
func (s *common) AppendID(dst []byte, ref Ref) []byte {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if s.x.get(ref) == nil {
		return dst
	}
	return append(dst, s.x.ids.ID(uint32(ref)-1)...)
}

// Lookup implements Store.
func (s *common) Lookup(id []byte) (Info, bool) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	ref, d := s.x.find(id)
	if d == nil {
		return Info{}, false
	}
	i := Info{Ref: ref, Epoch: s.x.epoch(d), Last: s.x.committed(d), Acked: d.acked, Topics: s.x.topicNames(d)}
	if d.box != 0 {
		s.x.expire(d, s.x.seconds())
	}
	if d.box != 0 {
		b := s.x.boxes.at(d.box)
		i.Messages, i.Bytes = int(b.live), int(b.bytes)
	}
	return i, true
}

// EachTopic implements Store.
func (s *common) EachTopic(ref Ref, f func(topic string)) {
	s.x.mu.Lock()
	var names []string
	if d := s.x.get(ref); d != nil && d.subs != 0 {
		names = s.x.topicNames(d)
	}
	s.x.mu.Unlock()
	for _, name := range names {
		f(name)
	}
}

// LatestOf implements Store.
func (s *common) LatestOf(name []byte) (m Message, ok bool) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	it := s.x.topics.byName[string(name)]
	if it == nil || it.latest == nil || it.expires <= s.x.seconds() {
		return m, false
	}
	return m, m.parseContent(it.latest) == nil
}

// Devices implements Store. A page costs a look at every id.
func (s *common) Devices(after string, limit int) []string {
	var all []string
	for n := uint32(0); ; n += sweepSlice {
		s.x.mu.Lock()
		end := s.x.ids.End()
		for i := n; i < min(n+sweepSlice, end); i++ {
			if s.x.ids.Used(i) && string(s.x.ids.ID(i)) > after {
				all = append(all, string(s.x.ids.ID(i)))
			}
		}
		s.x.mu.Unlock()
		all = smallest(all, limit)
		if n+sweepSlice >= end {
			break
		}
	}
	slices.Sort(all)
	return all[:min(len(all), limit)]
}

// smallest keeps the limit smallest of names when there are many more.
func smallest(names []string, limit int) []string {
	if len(names) < 2*limit+sweepSlice {
		return names
	}
	slices.Sort(names)
	clear(names[limit:])
	return names[:limit]
}

// Topics implements Store. A page costs a look at every topic.
func (s *common) Topics(after string, limit int) []TopicInfo {
	var all []TopicInfo
	s.x.mu.Lock()
	now := s.x.seconds()
	for i := 0; i < len(s.x.topics.byID); i++ {
		if i%slice == slice-1 {
			s.x.pause()
		}
		if it := s.x.topics.byID[i]; it != nil && it.name > after && it.shows() {
			all = append(all, it.info(now))
		}
	}
	s.x.mu.Unlock()
	slices.SortFunc(all, func(a, b TopicInfo) int { return strings.Compare(a.Topic, b.Topic) })
	// One may have ended and begun anew behind.
	all = slices.CompactFunc(all, func(a, b TopicInfo) bool { return a.Topic == b.Topic })
	return all[:min(len(all), limit)]
}

// Topic implements Store.
func (s *common) Topic(name string) (TopicInfo, bool) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	it := s.x.topics.byName[name]
	if it == nil || !it.shows() {
		return TopicInfo{}, false
	}
	return it.info(s.x.seconds()), true
}

// counts returns the totals that memory knows.
func (s *common) counts() Counts {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	c := s.x.n
	c.Devices, c.Keys = s.x.ids.Len(), s.x.keys.len()
	return c
}

// Check implements Store.
func (s *common) Check() []string { return s.x.check() }

// slice is how many operations, devices or the like are gone through before others
// get at the index: about half a millisecond.
const slice = 1024

// pause lets others at the index, which is locked. Without a word to the scheduler
// who has just let go of a mutex is nearly always the next to have it, until somebody
// has waited for a millisecond.
func (x *index) pause() {
	x.mu.Unlock()
	runtime.Gosched()
	x.mu.Lock()
}

// plan plans the operations of one commit. Between slices of them the index is
// free: only who commits takes or removes messages at the end of inboxes.
func (x *index) plan(c *Commit, w writer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for ops := c.Ops; len(ops) > 0; {
		k := x.planNext(ops, w)
		ops = ops[k:]
		if n += k; n >= slice {
			n = 0
			x.pause()
		}
	}
}

// commit finishes the operations of commits whose records are safe.
func (x *index) commit(cs []*Commit, w writer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, c := range cs {
		for _, op := range c.Ops {
			op.commit(x, w)
			if n++; n%slice == 0 {
				x.pause()
			}
		}
		x.n.Commits++
	}
}

// undo takes back what was planned for commits that failed with err.
func (x *index) undo(cs []*Commit, err error) {
	for _, c := range slices.Backward(cs) {
		x.unplan(c)
		c.Err = err
	}
	x.mu.Lock()
	x.n.Failed += uint64(len(cs))
	x.mu.Unlock()
}

// unplan takes back what was planned for a commit.
func (x *index) unplan(c *Commit) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, op := range slices.Backward(c.Ops) {
		op.undo(x)
		if n++; n%slice == 0 {
			x.pause()
		}
	}
}
