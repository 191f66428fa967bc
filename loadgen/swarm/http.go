package swarm

import (
	"errors"
	"slices"
	"strconv"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
)

// api is a base URL to publish at, with kept-alive connections of one request at
// a time.
type api struct {
	target
	open    int      // connections, those that are being dialed too
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
	number  uint32
	due     int64
}

// maxPosts is how many requests may be under way at one API; more are late.
const maxPosts = 64

// warm is how many connections are made when a phase begins.
const warm = 4

func newAPIs(t targets) []api {
	apis := make([]api, len(t.apis))
	for i := range apis {
		apis[i].target = t.apis[i]
	}
	return apis
}

// warmPosts makes connections before the first message wants one.
func (w *Worker) warmPosts() {
	for i := range w.apis {
		for w.apis[i].open < warm {
			if !w.dialPost(i) {
				break
			}
		}
	}
}

// sendHTTP publishes a message at its API, or at each of them.
func (w *Worker) sendHTTP(s *stream, due int64) bool {
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
		if !w.postTo(first+s.part, s, due, last > first) {
			return false
		}
		s.part++
	}
	return true
}

// postTo publishes a message at an API. It reports false if that has no
// connection free.
func (w *Worker) postTo(i int, s *stream, due int64, partly bool) bool {
	a := &w.apis[i]
	n := s.send.n
	for len(a.free) > 0 {
		k := a.free[len(a.free)-1]
		a.free = a.free[:len(a.free)-1]
		p := &w.posts[k]
		pc := w.l.Conn(p.conn)
		if !pc.Alive() {
			continue
		}
		sent := w.compose(s, s.number(n), due)
		if w.write(pc, w.appendPost(w.out[:0], a), poller.Reliable) > poller.Queued {
			continue
		}
		pc.SetDeadline(w.s.Clients.Timeout)
		p.busy, p.phase, p.publish, p.number, p.due = true, s.phase, s.index, n, due
		w.level.pending.Add(1)
		if s.part == 0 {
			w.sent(0, due, sent)
		}
		return true
	}
	if a.broken > 0 {
		a.broken--
		w.notAccepted(s.index, n, partly, a.lastErr)
		return true
	}
	if a.open < maxPosts {
		w.dialPost(i)
	}
	return false
}

// appendPost appends the request of w.message.
func (w *Worker) appendPost(dst []byte, a *api) []byte {
	r := &w.http
	w.text = w.d.AppendRequest(w.text[:0], &w.message, r)
	dst = append(append(append(dst, r.Method...), ' '), r.Path...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), a.host...)
	dst = append(append(dst, "\r\nContent-Type: "...), r.ContentType...)
	for _, h := range r.Header {
		dst = append(append(append(append(dst, "\r\n"...), h.Name...), ": "...), h.Value...)
	}
	dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(r.Body)), 10)
	return append(append(dst, "\r\n\r\n"...), r.Body...)
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
	w.posts[k] = post{conn: pc.Handle(), api: uint8(i)}
	*w.conns.At(pc.Slot()) = conn{client: k, kind: kindPost}
	pc.SetDeadline(w.s.Clients.Timeout)
	a.open++
	return true
}

func (w *Worker) freePost() uint32 {
	for k := range w.posts {
		if w.posts[k].conn == 0 {
			return uint32(k)
		}
	}
	w.posts = append(w.posts, post{})
	return uint32(len(w.posts) - 1)
}

// postOpen puts a connection to use.
func (w *Worker) postOpen(k uint32) {
	p := &w.posts[k]
	p.up = true
	w.l.Conn(p.conn).SetDeadline(0)
	w.postFree(k)
}

func (w *Worker) postFree(k uint32) {
	a := &w.apis[w.posts[k].api]
	a.free = append(a.free, k)
	if now := w.now(); w.phase != nil && w.phase.started {
		w.sendDue(now)
		if w.phase.finishing {
			w.judge(now)
		}
	}
}

// errUnasked is an answer without a request.
var errUnasked = errors.New("an answer that nobody has asked for")

// postData takes the answer to a request.
func (w *Worker) postData(pc poller.Conn, k uint32, b []byte) int {
	p := &w.posts[k]
	if !p.busy {
		pc.Reset(errUnasked)
		return len(b)
	}
	a, err := parseAnswer(b, w.answer[:0])
	switch {
	case errors.Is(err, errShort):
		return 0
	case err != nil:
		pc.Reset(err)
		return len(b)
	}
	w.answer = a.body
	pc.SetDeadline(0)
	w.level.pending.Add(-1)
	p.busy = false
	if w.phase != nil && int(p.phase) == w.phase.index {
		w.rec.hist(histPublishAck, w.now()-p.due)
		if err := w.d.Answer(a.status, a.body); err != nil {
			w.notAccepted(p.publish, p.number, w.partly(p.publish), refusal(err))
		}
	}
	if a.last {
		pc.Close(errPlanned)
		return len(b)
	}
	w.postFree(k)
	return a.size
}

// partly reports whether messages of a publish go to several APIs: then one that
// says no does not speak for the others.
func (w *Worker) partly(publish uint16) bool {
	to := w.phase.streams[publish].spec.To
	return len(w.apis) > 1 && (to == scenario.ToAll || to == scenario.ToTopic)
}

// refusal gives a dialect's refusal its class.
func refusal(err error) error {
	var r *dialect.RefusedError
	if errors.As(err, &r) {
		return &plan.StatusError{Status: r.Status, Text: r.Reason}
	}
	return err
}

// notAccepted counts a message that an API has refused; unknown, that others may
// have accepted.
func (w *Worker) notAccepted(publish uint16, n uint32, unknown bool, err error) {
	w.rec.failure(plan.StagePublish, err)
	if w.phase.refuse(publish, n, unknown) {
		w.rec.counts(0).Refused++
	}
}

// postClosed takes the end of a connection to an API.
func (w *Worker) postClosed(k uint32, why error) {
	p := &w.posts[k]
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
	w.posts[k] = post{}
}

// giveUpPost counts a request that was not answered: the message may come.
func (w *Worker) giveUpPost(p *post, why error) {
	if !p.busy || w.phase == nil || int(p.phase) != w.phase.index {
		return
	}
	p.phase = noPhase
	w.rec.failure(plan.StagePublish, why)
	if w.phase.refuse(p.publish, p.number, true) {
		w.rec.counts(0).Unknown++
	}
}

// noPhase is the phase of a request whose answer interests nobody any more.
const noPhase = 1<<16 - 1
