package redisinbox

import (
	"strconv"

	"roost/server/inbox"
)

// Messages to many whose publisher waits are acknowledged at all nodes, and it waits at one.
// Their names begin with a w. Who writes an acknowledgement of one that is not its own adds it
// to a count in Redis, with what it writes next: within Options.FlushEvery. The publisher's
// node reads that while it waits.

const (
	// counted begins the names of bodies whose acknowledgements are counted.
	counted = "w"
	// countedFor is how long a count is kept, s: longer than anybody waits.
	countedFor = "120"
	// countedMost bounds the counts that wait to be written; of more, a publisher is told
	// less than there was.
	countedMost = 4096
)

// isCounted reports whether a name is of a body whose acknowledgements are counted.
func isCounted(name string) bool { return name[:min(len(name), len(counted))] == counted }

func (s *Store) countKey(name string) string { return s.opt.Prefix + "acked:" + name }

// dropped takes the names of messages to many that a receiver has acknowledged.
func (s *Store) dropped(ref inbox.Ref, names []string) {
	if len(names) == 0 {
		return
	}
	s.mu.Lock()
	others := s.bodies.dropped(ref, names)
	s.mu.Unlock()
	s.acks.count(others)
}

// count has acknowledgements counted of messages that other nodes have published.
func (a *acks) count(names []string) {
	if len(names) == 0 {
		return
	}
	a.mu.Lock()
	for _, name := range names {
		if _, there := a.others[name]; there || len(a.others) < countedMost {
			a.others[name]++
		}
	}
	a.mu.Unlock()
	signal(a.wake)
}

// takeCounts takes the counts that wait.
func (a *acks) takeCounts() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.others) == 0 {
		return nil
	}
	counts := a.others
	a.others = map[string]int{}
	return counts
}

// countCalls are what writes them. If it fails a publisher is told less than there was, and
// never more.
func (s *Store) countCalls(counts map[string]int) (calls []call) {
	for name, n := range counts {
		key := s.countKey(name)
		calls = append(calls, call{name: "INCRBY", keys: []string{key}, args: []string{strconv.Itoa(n)}},
			call{name: "EXPIRE", keys: []string{key}, args: []string{countedFor}})
	}
	return calls
}

// Recount asks how many receivers have acknowledged a message to many of this node at others,
// and returns that; Remaining knows of them then. It waits for Redis; where that does
// not answer, it is what was known.
func (s *Store) Recount(body inbox.Body) int {
	s.mu.Lock()
	v := s.bodies.spreads[body.Serial()]
	name := ""
	if v != nil {
		name = v.name
	}
	s.mu.Unlock()
	if !isCounted(name) {
		return 0
	}
	r := s.redis.do([]call{{name: "GET", keys: []string{s.countKey(name)}}}, false)[0]
	text, _ := r.v.(string)
	n, err := strconv.Atoi(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && n > v.elsewhere {
		v.elsewhere = n
	}
	return v.elsewhere
}
