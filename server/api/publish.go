package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"roost/server/jsonscan"
)

const (
	// maxLines bounds the messages of a batch.
	maxLines = 1000
	// maxAddressees bounds the devices named in a batch: all its messages are
	// stored in one commit.
	maxAddressees = 10_000
	// maxPooled is the largest buffer that is kept for the next request.
	maxPooled = 256 << 10
	// ownLength is the size of an answer from which on net/http would send chunks
	// if it is not told the length: its buffer.
	ownLength = 2048
)

// work is what a publish request needs while it is read and answered.
type work struct {
	builder
	req     request
	refused []refusal
	out     []byte
}

// refusal is the result of a line that makes no sense, and which message of the
// batch it is.
type refusal struct {
	at  int
	res Result
}

var works = sync.Pool{New: func() any { return new(work) }}

// done gives the work back, without what belongs to this request.
func (w *work) done() {
	if cap(w.out) > maxPooled || cap(w.names) > maxPooled {
		return
	}
	clear(w.refused)
	clear(w.refs)
	clear(w.req.devices[:cap(w.req.devices)])
	w.pubs, w.ones, w.refs, w.refused = nil, nil, w.refs[:0], w.refused[:0]
	w.req = request{devices: w.req.devices[:0]}
	works.Put(w)
}

// publish serves POST /v1/publish.
func (h *handler) publish(x *exchange) {
	w := works.Get().(*work)
	defer w.done()
	lines, bad := isBatch(x.r.Header)
	if bad != nil {
		bad.write(x)
		return
	}
	limit := maxBody
	if lines {
		limit = maxBatchBody
	}
	body, held, bad := h.bodies.read(x.r, limit)
	defer h.bodies.release(held)
	if bad == nil && lines {
		bad = w.readLines(body)
	} else if bad == nil {
		bad = w.readOne(body)
	}
	if bad != nil {
		bad.write(x)
		return
	}
	w.send(h.node, x, w.finish())
}

// send publishes and answers.
func (w *work) send(node Node, x *exchange, ps []*Publication) {
	var results []Result
	var err error
	x.markRing(node.RingMark())
	if len(ps) > 0 { // else no line made sense
		if results, err = node.Publish(x.ctx, ps); err == nil && len(results) != len(ps) {
			err = fmt.Errorf("the node gave %d results for %d messages", len(results), len(ps))
		}
	}
	if err != nil {
		bad := failure(err, "")
		if (errors.Is(err, ErrStoreFull) || errors.Is(err, ErrStore)) && len(results) == len(ps) {
			bad.Results = flatten(w.merge(results))
		}
		bad.write(x)
		return
	}
	w.out = appendResults(w.out[:0], w.merge(results))
	head := x.Header()
	head["Content-Type"] = jsonType
	if len(w.out) >= ownLength {
		head["Content-Length"] = []string{strconv.Itoa(len(w.out))}
	}
	x.Write(w.out)
}

// merge puts the refused lines of a batch in their places.
func (w *work) merge(results []Result) []Result {
	if len(w.refused) == 0 {
		return results
	}
	all := make([]Result, 0, len(results)+len(w.refused))
	for _, no := range w.refused {
		n := no.at - len(all)
		all = append(append(all, results[:n]...), no.res)
		results = results[n:]
	}
	return append(all, results...)
}

// readOne reads a body of one message.
func (w *work) readOne(body []byte) *problem {
	w.reset(1)
	if bad := w.req.parse(body); bad != nil {
		return bad
	}
	return w.add(&w.req)
}

// readLines reads a body of one message a line. Lines of white space alone are
// passed over.
func (w *work) readLines(body []byte) *problem {
	n := min(bytes.Count(body, []byte{'\n'})+1, maxLines)
	w.reset(n)
	addressees := 0
	for number, at := 1, 0; len(body) > 0; number++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		s := jsonscan.Scanner{Data: line}
		if s.Done() {
			continue
		}
		if at++; at > maxLines {
			return &problem{Title: titleTooBig, Status: http.StatusRequestEntityTooLarge,
				Detail: fmt.Sprintf("the body has more than %d lines: nothing was done, send several requests", maxLines)}
		}
		bad := w.readLine(line)
		if bad != nil {
			w.refuse(at-1, number, bad)
			continue
		}
		if addressees += max(1, len(w.req.devices)); addressees > maxAddressees {
			return &problem{Title: titleTooBig, Status: http.StatusRequestEntityTooLarge, Field: "devices",
				Detail: fmt.Sprintf("the lines up to %d name more than %d devices: nothing was done, send several requests", number, maxAddressees)}
		}
	}
	if len(w.pubs)+len(w.refused) == 0 {
		return invalid("", "the body is empty: want one JSON object a line")
	}
	return nil
}

// readLine reads one line of a batch.
func (w *work) readLine(line []byte) *problem {
	if len(line) > maxBody {
		return bodyTooBig(maxBody)
	}
	if bad := w.req.parse(line); bad != nil {
		return bad
	}
	return w.add(&w.req)
}

// refuse makes a problem of one line its result.
func (w *work) refuse(at, number int, bad *problem) {
	reason := ReasonInvalid
	if bad.Status == http.StatusRequestEntityTooLarge {
		reason = ReasonTooBig
	}
	w.refused = append(w.refused, refusal{at, Result{Status: StatusRefused, Reason: reason, Field: bad.Field,
		Detail: fmt.Sprintf("line %d: %s", number, bad.Detail)}})
}
