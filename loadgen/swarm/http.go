package swarm

import (
	"slices"
	"strconv"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
)

// api is a base URL to publish at, with kept-alive connections of one request at
// a time.
type api struct {
	target
	open    int      // connections, those that are being dialed too
	dialing int      // of them
	free    []uint32 // posts: connected, without a request
	broken  int      // dials that have failed, and no message has been told yet
	lastErr error    // of them
}

// post is a connection to an API.
type post struct {
	conn    poller.Handle // 0: none, the place is free
	api     uint8
	up      bool // connected
	busy    bool // a request is under way
	phase   uint16
	publish uint16
	count   uint16 // of messages, from number on
	number  uint32
	due     int64
	big     *answer // whose body is being dropped; nil: none
}

// posts are the connections to all APIs.
type posts struct {
	list   []post
	unused []uint32 // places of list
	most   int      // of one API
}

// MaxPosts is how many requests a worker may have under way at one API, as far as
// there are descriptors beside those of clients. What is due beyond that waits.
const MaxPosts = scenario.MaxInFlight

// maxPostDials is how many connections to an API may be on their way at once.
const maxPostDials = 64

// warm is how many connections are made to each API when a phase begins, of
// mostWarm in all: sixty workers with sixty APIs would keep 250 at each.
const warm, mostWarm = 4, 16

func newAPIs(t targets) []api {
	apis := make([]api, len(t.apis))
	for i := range apis {
		apis[i].target = t.apis[i]
	}
	return apis
}

// warmPosts makes connections before the first message wants one.
func (w *Worker) warmPosts() {
	for i := range w.apis[:min(len(w.apis), mostWarm/warm)] {
		for w.apis[i].open < warm {
			if !w.dialPost(i) {
				break
			}
		}
	}
}

// sendHTTP publishes the request that send is at, at its API, or at each of them.
func (w *Worker) sendHTTP(s *stream, due int64) bool {
	s.full = 0
	if s.most > 0 && s.flying >= s.most && s.part == 0 || w.now() < s.pause {
		return false
	}
	n := s.send.n
	first, last := 0, len(w.apis)-1
	switch s.spec.To {
	case scenario.ToNode:
		first = int(n) % len(w.apis)
		last = first
	case scenario.ToDevice:
		first = int(s.of(n)) % len(w.apis)
		last = first
	}
	for first+s.part <= last {
		if !w.postTo(first+s.part, s, request{n, due}) {
			return false
		}
		s.part++
	}
	return true
}

// postTo publishes the request that send is at, at an API. It reports false if
// that has no connection free. A message whose API cannot be reached was sent, and
// is refused: it was not the generator that failed.
func (w *Worker) postTo(i int, s *stream, r request) bool {
	a := &w.apis[i]
	if sent, size, ok := w.postRequest(i, s, r); ok {
		s.flying++
		w.level.pending.Add(1)
		if s.part == 0 {
			w.sent(s, 0, r.due, sent, s.batch, size)
		}
		return true
	}
	if a.broken > 0 {
		a.broken--
		if s.spec.Retry {
			w.rec.failure(plan.StagePublish, a.lastErr)
			s.pause = w.now() + int64(retryPause)
			return false
		}
		if s.part == 0 {
			w.sent(s, 0, r.due, w.now(), s.batch, 0)
		}
		for k := range s.batch {
			w.notAccepted(s, r.number+k, a.lastErr)
		}
		return true
	}
	if !w.morePosts(i) {
		s.full = i + 1
	}
	return false
}

// request is what one HTTP request publishes: as many messages as a batch has.
type request struct {
	number uint32 // of the first
	due    int64
}

// postRequest writes a request on a connection that is free; ok is false without
// one.
func (w *Worker) postRequest(i int, s *stream, r request) (sent int64, size int, ok bool) {
	a := &w.apis[i]
	for len(a.free) > 0 {
		k := a.free[len(a.free)-1]
		a.free = a.free[:len(a.free)-1]
		p := &w.posts.list[k]
		pc := w.l.Conn(p.conn)
		if !pc.Alive() || pc.Ended() { // one that the API has closed since: a system call, 0.3 us
			continue
		}
		sent, size = w.appendRequest(s, r)
		if w.write(pc, w.appendPost(w.out[:0], a), poller.Reliable) > poller.Queued {
			continue
		}
		pc.SetDeadline(w.s.Clients.Timeout + s.spec.Wait)
		p.busy, p.phase, p.publish, p.number, p.count, p.due = true, s.phase, s.index, r.number, uint16(s.batch), r.due
		return sent, size, true
	}
	return 0, 0, false
}

// appendRequest makes a request: the body, in w.http, and the size of its
// payloads. The time of the last one stands for all. To topics it has to be the
// one that send is at: their numbers follow from the messages before.
func (w *Worker) appendRequest(s *stream, r request) (sent int64, size int) {
	n, due := r.number, r.due
	if s.batch == 1 {
		sent = w.compose(s, n, s.number(n), due)
		w.text = w.d.AppendRequest(w.text[:0], &w.message, &w.http)
		return sent, len(w.payload)
	}
	w.text = w.text[:0]
	for k := n; k < n+s.batch; k++ {
		sent = w.compose(s, k, s.number(k), due)
		w.text = s.asks.AppendBatch(w.text, &w.message, &w.http)
		size += len(w.payload)
		if s.sending != nil { // those before it in its topic
			s.sending[s.of(k)]++
		}
	}
	for k := n; k < n+s.batch && s.sending != nil; k++ { // pass does that
		s.sending[s.of(k)]--
	}
	return sent, size
}

// appendPost appends the request in w.http.
func (w *Worker) appendPost(dst []byte, a *api) []byte {
	r := &w.http
	dst = append(append(append(dst, r.Method...), ' '), r.Path...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), a.host...)
	dst = append(append(dst, "\r\nContent-Type: "...), r.ContentType...)
	for _, h := range r.Header {
		dst = append(append(append(append(dst, "\r\n"...), h.Name...), ": "...), h.Value...)
	}
	dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(r.Body)), 10)
	return append(append(dst, "\r\n\r\n"...), r.Body...)
}

// morePosts dials a connection to an API, unless enough are on their way. It
// reports false if there may be no more.
func (w *Worker) morePosts(i int) bool {
	a := &w.apis[i]
	if a.open >= w.posts.most {
		return false
	}
	if a.dialing < maxPostDials {
		w.dialPost(i)
	}
	return true
}

// dialPost starts a connection to an API. A failure is told by the next message.
func (w *Worker) dialPost(i int) bool {
	a := &w.apis[i]
	k := w.freePost()
	pc, err := w.l.DialWith(poller.DialOptions{Remote: a.addr})
	if err != nil {
		a.broken, a.lastErr = a.broken+1, err
		return false
	}
	w.posts.list[k] = post{conn: pc.Handle(), api: uint8(i)}
	*w.conns.At(pc.Slot()) = conn{client: k, kind: kindPost}
	pc.SetDeadline(w.s.Clients.Timeout)
	a.open++
	a.dialing++
	return true
}

func (w *Worker) freePost() uint32 {
	p := &w.posts
	if n := len(p.unused); n > 0 {
		k := p.unused[n-1]
		p.unused = p.unused[:n-1]
		return k
	}
	p.list = append(p.list, post{})
	return uint32(len(p.list) - 1)
}

// postOpen puts a connection to use.
func (w *Worker) postOpen(k uint32) {
	p := &w.posts.list[k]
	p.up = true
	w.apis[p.api].dialing--
	w.l.Conn(p.conn).SetDeadline(0)
	w.postFree(k)
}

func (w *Worker) postFree(k uint32) {
	a := &w.apis[w.posts.list[k].api]
	a.free = append(a.free, k)
	if now := w.now(); w.phase != nil && w.phase.started {
		w.sendDue(now)
		if w.phase.finishing {
			w.judge(now)
		}
	}
}

// postClosed takes the end of a connection to an API.
func (w *Worker) postClosed(k uint32, why error) {
	p := &w.posts.list[k]
	a := &w.apis[p.api]
	a.open--
	if i := slices.Index(a.free, k); i >= 0 {
		a.free = slices.Delete(a.free, i, i+1)
	}
	switch {
	case w.ending:
	case p.busy:
		w.giveUpPost(p, why)
		w.level.pending.Add(-1)
	case !p.up:
		a.broken, a.lastErr = a.broken+1, why
	}
	if !p.up {
		a.dialing--
	}
	w.posts.list[k] = post{}
	w.posts.unused = append(w.posts.unused, k)
}

// giveUpPost counts a request that was not answered: the message may come.
func (w *Worker) giveUpPost(p *post, why error) {
	if !p.busy || w.phase == nil || int(p.phase) != w.phase.index {
		return
	}
	p.phase = noPhase
	s := w.phase.streams[p.publish]
	if s.spec.Retry && !w.phase.conceded {
		w.sendLater(s, p, why)
		return
	}
	s.flying--
	for n := p.number; n < p.number+uint32(p.count); n++ {
		w.unanswered(s, n, why)
	}
}

// noPhase is the phase of a request whose answer interests nobody any more.
const noPhase = 1<<16 - 1
