package redisinbox

import (
	"errors"
	"strconv"

	"roost/server/inbox"
)

// Fetch implements inbox.Store: one round trip, two when messages to many are among what
// is due and their content is not here.
func (s *Store) Fetch(f *inbox.Fetch) {
	f.Skip, f.Why, f.Items, f.Last, f.Gone, f.Err = 0, "", f.Items[:0], 0, false, nil
	s.mu.Lock()
	d := s.m.current(f.Ref, f.Fence)
	if d == nil {
		s.mu.Unlock()
		f.Gone = true
		return
	}
	if d.alone != 0 {
		f.Last = d.alone - 1
		s.mu.Unlock()
		return
	}
	n, asked := s.names(d.id), d.history
	last, tag := asked.asks()
	k := call{script: fetchScript, keys: []string{n.list(), n.head()}, args: []string{
		utoa(f.Fence), d.epoch.String(), strconv.FormatUint(max(f.From, d.acked+1), 10), strconv.Itoa(max(f.Max, 1)),
		strconv.Itoa(f.Bytes), utoa(s.seconds()), last, tag, inbox.RandomEpoch().String()}}
	s.mu.Unlock()

	reply := s.redis.do([]call{k}, false)[0]
	if f.Err = reply.err; f.Err != nil {
		return
	}
	r, err := parseFetch(reply.v, true)
	if f.Err = err; err != nil {
		return
	}
	if r.state != stateIs {
		f.Gone = true
		s.ended(f.Ref, f.Fence, r.state)
		return
	}
	if _, ok := s.caughtUp(f.Ref, f.Fence, &asked, &r); !ok {
		f.Err = errMeanwhile
		return
	}
	f.Last, f.Skip = r.last, r.skip
	if r.skip > 0 {
		f.Why = "ttl"
	}
	s.fill(f, &r)
}

// errMeanwhile says that what was heard meanwhile is too much to go with an answer: it is asked again.
var errMeanwhile = errors.New("redisinbox: an answer was overtaken by news")

// caughtUp notes how far a stream is, where Redis has what it was asked for; it reports what history.answered does.
func (s *Store) caughtUp(ref inbox.Ref, fence uint32, asked *history, r *fetchReply) (more, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.current(ref, fence)
	if d == nil || d.alone != 0 {
		return false, true
	}
	return d.answered(asked, place{r.last, r.tag})
}

// fill reads the items into f. A message to many whose content is gone is a hole if it is
// the first; else the list ends before it.
func (s *Store) fill(f *inbox.Fetch, r *fetchReply) {
	items := make([]item, len(r.items))
	for i, b := range r.items {
		var err error
		if items[i], err = parseItem(b); err != nil {
			f.Err, f.Skip = err, 0
			return
		}
	}
	if err := s.resolve(items); err != nil {
		f.Err, f.Skip = err, 0
		return
	}
	for i := range items {
		seq := r.first + uint64(i)
		if items[i].content == "" {
			if len(f.Items) > 0 {
				return
			}
			f.Skip, f.Why = seq, "gone"
			continue
		}
		it := inbox.Item{Seq: seq}
		if err := it.Message.ParseContent([]byte(items[i].content)); err != nil {
			f.Err, f.Skip, f.Items = err, 0, f.Items[:0]
			return
		}
		f.Items = append(f.Items, it)
	}
}

// resolve gets the contents of messages to many. One that is gone stays empty.
func (s *Store) resolve(items []item) error {
	var calls []call
	wanted := map[string]string{}
	s.mu.Lock()
	for _, it := range items {
		if it.body == "" {
			continue
		}
		content := s.bodies.content(it.body)
		if _, asked := wanted[it.body]; !asked && content == "" {
			calls = append(calls, call{name: "GET", keys: []string{s.bodyKey(it.body)}})
		}
		wanted[it.body] = content
	}
	s.mu.Unlock()
	for i, r := range s.redis.do(calls, false) {
		if r.err != nil {
			return r.err
		}
		content, _ := r.v.(string) // nil: it has expired, or was lost
		name := calls[i].keys[0][len(s.bodyKey("")):]
		wanted[name] = content
		s.mu.Lock()
		s.bodies.keep(name, content)
		s.mu.Unlock()
	}
	for i := range items {
		if items[i].body != "" {
			items[i].content = wanted[items[i].body]
		}
	}
	return nil
}
