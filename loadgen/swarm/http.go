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
	count   uint16 // of messages, from number on
	number  uint32
	due     int64
}

// MaxPosts is how many requests a worker may have under way at one API; more are
// late.
const MaxPosts = 64

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

// sendHTTP publishes the request that send is at, at its API, or at each of them.
func (w *Worker) sendHTTP(s *stream, due int64) bool {
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
		if !w.postTo(first+s.part, s, request{n, due}, last > first) {
			return false
		}
		s.part++
	}
	return true
}

// postTo publishes the request that send is at, at an API. It reports false if
// that has no connection free.
func (w *Worker) postTo(i int, s *stream, r request, partly bool) bool {
	a := &w.apis[i]
	if sent, size, ok := w.postRequest(i, s, r); ok {
		s.flying++
		w.level.pending.Add(1)
		if s.part == 0 {
			w.sent(0, r.due, sent, s.batch, size)
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
		for k := range s.batch {
			w.notAccepted(s.index, r.number+k, partly, a.lastErr)
		}
		return true
	}
	if a.open < MaxPosts {
		w.dialPost(i)
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
		p := &w.posts[k]
		pc := w.l.Conn(p.conn)
		if !pc.Alive() {
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
		w.postAnswered(p, &a)
	}
	if a.last {
		pc.Close(errPlanned)
		return len(b)
	}
	w.postFree(k)
	return a.size
}

// postAnswered takes what an API says of a request.
func (w *Worker) postAnswered(p *post, a *answer) {
	s := w.phase.streams[p.publish]
	if s.spec.Retry && a.status == statusBusy {
		w.sendLater(s, p, &plan.StatusError{Status: a.status})
		return
	}
	s.flying--
	w.rec.histN(histPublishAck, w.now()-p.due, uint64(p.count))
	if s.asks == nil {
		if err := w.d.Answer(a.status, a.body); err != nil {
			w.notAccepted(p.publish, p.number, w.partly(p.publish), refusal(err))
		}
		return
	}
	r := &w.receipts
	r.w, r.s, r.number, r.left = w, s, p.number, p.count
	if r.each == nil {
		r.each = r.take
	}
	err := s.asks.Receipts(a.status, a.body, r.each)
	if err == nil {
		err = errFewer
	}
	for ; r.left > 0; r.left-- {
		w.notAccepted(p.publish, r.number, w.partly(p.publish), refusal(err))
		r.number++
	}
}

// errFewer is an answer to several messages that tells only of some.
var errFewer = errors.New("an answer of the API has fewer results than the request had messages")

// receipts takes what an answer says of the messages of a request.
type receipts struct {
	each   func(i int, r dialect.Receipt) // take, made once
	w      *Worker
	s      *stream
	number uint32 // of the next message
	left   uint16 // from it on
}

// take takes what the answer says of the next message.
func (r *receipts) take(_ int, one dialect.Receipt) {
	if r.left == 0 { // more than were asked for
		return
	}
	n := r.number
	r.number, r.left = n+1, r.left-1
	c := r.w.rec.counts(0)
	switch {
	case one.Err != nil:
		r.w.notAccepted(r.s.index, n, r.w.partly(r.s.index), refusal(one.Err))
	case r.s.spec.Wait > 0:
		c.Acknowledged += uint64(one.Acknowledged)
		c.Unacknowledged += uint64(one.Unacknowledged)
	}
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
	s := w.phase.streams[p.publish]
	if s.spec.Retry && !w.phase.conceded {
		w.sendLater(s, p, why)
		return
	}
	s.flying--
	for n := p.number; n < p.number+uint32(p.count); n++ {
		w.rec.failure(plan.StagePublish, why)
		if w.phase.refuse(p.publish, n, true) {
			w.rec.counts(0).Unknown++
		}
	}
}

// noPhase is the phase of a request whose answer interests nobody any more.
const noPhase = 1<<16 - 1
