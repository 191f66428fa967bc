package redisinbox

import (
	"slices"

	"roost/server/inbox"
)

// latest is the latest values of topics that devices here are in. It is covered by
// Store.mu.
type latest struct {
	values map[string]string // expires(4) content
	bytes  int64
	max    int64

	reading int                 // reads of values under way
	newer   map[string]struct{} // topics whose values were set since: what is read may be older
	unlike  map[string]string   // what was read of topics and is not what devices here were sent
}

func (l *latest) init(most int64) {
	l.values, l.newer, l.unlike, l.max = map[string]string{}, map[string]struct{}{}, map[string]string{}, most
}

// told is set by who stores a value, or is told of it.
func (l *latest) told(topic, value string) {
	if l.reading > 0 {
		l.newer[topic] = struct{}{}
	}
	delete(l.unlike, topic)
	l.set(topic, value)
}

// read is set by who has read a value of a topic that nobody here is in, between begin and end.
func (l *latest) read(topic, value string) {
	if _, newer := l.newer[topic]; !newer {
		l.set(topic, value)
	}
}

// reread is read for a topic that devices here are in. It reports whether the value is here now and is another one than they were
// sent: as it was the last time already, for word of one that has just been stored may be under way. Until then they have the old one.
// When it ends is left out: each node has worked that out by itself.
func (l *latest) reread(topic, value string) (other bool) {
	if _, newer := l.newer[topic]; newer {
		return false
	}
	old := l.values[topic]
	if len(value) <= 4 || len(old) > 4 && old[4:] == value[4:] {
		delete(l.unlike, topic)
		l.set(topic, value)
		return false
	}
	if l.unlike[topic] != value {
		l.unlike[topic] = value
		return false
	}
	delete(l.unlike, topic)
	l.set(topic, value)
	return l.has(topic)
}

func (l *latest) begin() { l.reading++ }

func (l *latest) end() {
	if l.reading--; l.reading == 0 {
		clear(l.newer)
	}
}

func (l *latest) has(topic string) bool { _, ok := l.values[topic]; return ok }

// set replaces a value; an empty one removes it. What there is no room for is not here.
func (l *latest) set(topic, value string) {
	if old, ok := l.values[topic]; ok {
		l.bytes -= int64(len(topic) + len(old))
		delete(l.values, topic)
	}
	if more := int64(len(topic) + len(value)); len(value) > 4 && l.bytes+more <= l.max {
		l.values[topic] = value
		l.bytes += more
	}
}

// LatestOf implements inbox.Store, for topics that devices here are in, and those that
// this node has published in. Values that others publish are here some seconds later.
func (s *Store) LatestOf(topic []byte) (m inbox.Message, ok bool) {
	s.mu.Lock()
	v := s.latest.values[string(topic)]
	now := s.seconds()
	s.mu.Unlock()
	if len(v) < 5 || beUint32(v) <= now {
		return m, false
	}
	return m, m.ParseContent([]byte(v[4:])) == nil
}

// tookLatest takes what Redis has as the latest value of a topic.
func (s *Store) tookLatest(topic string, v any) {
	value, _ := v.(string)
	s.mu.Lock()
	s.latest.set(topic, value)
	s.mu.Unlock()
}

// loadLatest gets the latest values of topics that nobody here is in yet. What cannot be
// had now is looked for again by the maintenance.
func (s *Store) loadLatest(topics []string) {
	s.mu.Lock()
	missing := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return s.m.topics[t] > 0 || s.latest.has(t) })
	s.mu.Unlock()
	s.readLatest(missing, func(topic, value string, _ uint32) { s.latest.read(topic, value) })
}

// value is one that devices here have not been sent; its TTL is what is left of it.
type value struct {
	topic string
	m     inbox.Message
}

// refreshLatest gets the latest values of topics that devices here are in, and returns those that are not what they were sent: word of
// them was lost, or came behind that of an older one.
func (s *Store) refreshLatest(topics []string) (others []value) {
	s.readLatest(topics, func(topic, v string, now uint32) {
		if !s.latest.reread(topic, v) || beUint32(v) <= now {
			return
		}
		other := value{topic: topic}
		if other.m.ParseContent([]byte(v[4:])) == nil {
			other.m.TTL = beUint32(v) - now
			others = append(others, other)
		}
	})
	return others
}

// readLatest has the latest values of some topics taken, with the store's lock held. now is in seconds since 1970.
func (s *Store) readLatest(topics []string, take func(topic, value string, now uint32)) {
	calls := make([]call, len(topics))
	for i, t := range topics {
		calls[i] = call{name: "GET", keys: []string{s.latestKey(t)}}
	}
	s.mu.Lock()
	s.latest.begin()
	s.mu.Unlock()
	replies := s.redis.do(calls, false)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seconds()
	for i, r := range replies {
		if r.err == nil {
			v, _ := r.v.(string)
			take(topics[i], v, now)
		}
	}
	s.latest.end()
}

// lookAtTopics asks for the topics of connected devices: another node's word of a subscription may have been
// lost. Who is in others than it was known is told by Moved.
func (s *Store) lookAtTopics(refs []inbox.Ref) error {
	var who []inbox.Ref
	var fences []uint32
	var calls []call
	s.mu.Lock()
	for _, ref := range refs {
		d := s.m.get(ref)
		if d == nil || d.alone != 0 || s.m.current(ref, d.fence) == nil {
			continue
		}
		d.looking = true
		who, fences = append(who, ref), append(fences, d.fence)
		calls = append(calls, call{name: "SMEMBERS", keys: []string{s.names(d.id).subs()}})
	}
	s.mu.Unlock()
	var err error
	for i, r := range s.redis.do(calls, false) {
		list, _ := r.v.([]any)
		topics := texts(list)
		if r.err == nil {
			s.loadLatest(topics) // before it counts as one that is here
		}
		s.mu.Lock()
		if r.err != nil {
			err = r.err
			topics = slices.Clone(s.m.topicsOf(who[i])) // as before
		}
		news := s.m.looked(who[i], fences[i], topics)
		s.mu.Unlock()
		if news {
			s.opt.Moved(who[i], fences[i])
		}
	}
	return err
}

// members returns how many devices a topic has.
func (s *Store) members(topic string) (n int, err error) {
	calls := make([]call, shards)
	for i := range calls {
		calls[i] = call{name: "ZCARD", keys: []string{s.indexKey(topic, i)}}
	}
	for _, r := range s.redis.do(calls, false) {
		if r.err != nil {
			return 0, r.err
		}
		k, _ := r.v.(int64)
		n += int(k)
	}
	return n, nil
}

// Topic implements inbox.Store. It waits for Redis; what it cannot learn there is not.
func (s *Store) Topic(name string) (inbox.TopicInfo, bool) {
	infos := s.describe([]string{name})
	if len(infos) == 0 {
		return inbox.TopicInfo{}, false
	}
	return infos[0], true
}

// Topics implements inbox.Store. It waits for Redis.
func (s *Store) Topics(after string, limit int) (infos []inbox.TopicInfo) {
	for len(infos) < limit {
		names, err := s.page(s.topicsKey(), after, limit-len(infos))
		if err != nil || len(names) == 0 {
			break
		}
		infos = append(infos, s.describe(names)...)
		after = names[len(names)-1]
	}
	return infos
}

// describe returns those of the topics that have devices or a value.
func (s *Store) describe(names []string) (infos []inbox.TopicInfo) {
	calls := make([]call, 0, len(names)*(shards+1))
	for _, name := range names {
		calls = append(calls, call{name: "GETRANGE", keys: []string{s.latestKey(name)}, args: []string{"0", "3"}})
		for i := range shards {
			calls = append(calls, call{name: "ZCARD", keys: []string{s.indexKey(name, i)}})
		}
	}
	rs, now := s.redis.do(calls, false), s.seconds()
	for i, name := range names {
		part := rs[i*(shards+1) : (i+1)*(shards+1)]
		t := inbox.TopicInfo{Topic: name}
		expires, _ := part[0].v.(string)
		t.Latest = len(expires) == 4 && beUint32(expires) > now
		for _, r := range part[1:] {
			n, _ := r.v.(int64)
			t.Subscribers += int(n)
		}
		if t.Subscribers > 0 || t.Latest {
			infos = append(infos, t)
		}
	}
	return infos
}
