package redisinbox

import (
	"fmt"
	"slices"

	"roost/server/inbox"
)

// Lookup implements inbox.Store. It waits for Redis; a device that is connected here is
// known also when Redis does not answer.
func (s *Store) Lookup(id []byte) (inbox.Info, bool) {
	n := s.names(string(id))
	r := s.redis.do([]call{{script: lookupScript, keys: []string{n.list(), n.head(), n.subs()}, args: []string{utoa(s.seconds())}}}, false)[0]
	i, err := infoReply{}, r.err
	if err == nil {
		i, err = parseInfo(r.v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n.Expired += i.gone
	ref, d := s.m.find(string(id))
	here := d != nil && d.fence != 0
	switch {
	case err == nil && here && i.known:
		i.Ref = ref
		if i.Epoch == d.epoch && s.m.current(ref, d.fence) != nil { // what an overtaken session acknowledged does not count
			i.Acked = max(i.Acked, d.acked)
		}
	case err != nil && here:
		return inbox.Info{Ref: ref, Epoch: d.epoch, Last: d.last, Acked: d.acked, Topics: slices.Clone(d.topics)}, true
	}
	slices.Sort(i.Topics)
	if len(i.Topics) == 0 {
		i.Topics = nil
	}
	return i.Info, err == nil && i.known
}

// Devices implements inbox.Store. It waits for Redis.
func (s *Store) Devices(after string, limit int) []string {
	calls := make([]call, shards)
	for i := range calls {
		calls[i] = pageCall(s.indexKey("", i), after, limit)
	}
	var all []string
	for _, r := range s.redis.do(calls, false) {
		list, _ := r.v.([]any)
		all = append(all, texts(list)...)
	}
	slices.Sort(all)
	return all[:min(len(all), limit)]
}

// Counts implements inbox.Store. They are of this node: what it has stored, and what it
// has seen the end of. A message that one node stores and another sees acknowledged is in
// flight for the one and recovered for the other; added up over all nodes, and with
// recovered taken from in flight, they are the cluster's.
func (s *Store) Counts() inbox.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.n
	c.Devices = s.known
	done := c.Acknowledged + c.Expired + c.Removed + c.Lost
	if c.Published >= done {
		c.InFlight = c.Published - done
	} else {
		c.Recovered = done - c.Published
	}
	return c
}

// checkMost is how many devices Check looks at.
const checkMost = 10_000

// Check implements inbox.Store: it looks at the inboxes of the first 10,000 devices, and
// whether this node knows where the connected ones of them stand.
func (s *Store) Check() (problems []string) {
	after := ""
	for n := 0; n < checkMost && len(problems) < 20; n += spreadSlice {
		page := s.Devices(after, spreadSlice)
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1]
		problems = append(problems, s.checkSome(page)...)
	}
	return problems
}

func (s *Store) checkSome(ids []string) (problems []string) {
	calls := make([]call, len(ids))
	for i, id := range ids {
		n := s.names(id)
		calls[i] = call{script: checkScript, keys: []string{n.list(), n.head()}}
	}
	for i, r := range s.redis.do(calls, false) {
		text, ok := r.v.(string)
		switch {
		case r.err != nil:
			return append(problems, fmt.Sprintf("device %q cannot be looked at: %v", ids[i], r.err))
		case !ok:
			problems = append(problems, fmt.Sprintf("device %q: %v", ids[i], errReply))
		case text != "":
			problems = append(problems, fmt.Sprintf("device %q: %s", ids[i], text))
		}
		s.mu.Lock()
		if ref, d := s.m.find(ids[i]); d != nil && (d.acked > d.last || s.m.get(ref) != d) {
			problems = append(problems, fmt.Sprintf("device %q: here %d of %d are acknowledged", ids[i], d.acked, d.last))
		}
		s.mu.Unlock()
	}
	return problems
}
