package dialect

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"roost/server/jsonscan"
	"roost/server/ws"
)

// Supports: everything but an echo; the latest value is a topic's.
func (r *roost) Supports(to, class string) error {
	switch {
	case to == "self":
		return fmt.Errorf("dialect roost: to self: devices do not publish; use the dialect plain with /v1/echo")
	case to != "all" && to != "node" && to != "topic" && to != "device":
		return fmt.Errorf("dialect roost: to %q: want all, node, topic or device", to)
	case r.cfg.API == "":
		return fmt.Errorf("dialect roost: to %s: it is published over HTTP, and there is no API: name it", to)
	case class == "latest" && to != "topic":
		return fmt.Errorf("dialect roost: class latest to %s: only a topic has a latest value", to)
	case class != "" && class != "live" && class != "kept" && class != "latest":
		return fmt.Errorf("dialect roost: class %q: want live, kept or latest", class)
	}
	return nil
}

// Publishing is by the API.
func (r *roost) Publishing(to string) Way {
	if to == "self" {
		return Nowhere
	}
	return ByHTTP
}

// AppendRequest makes one message of a POST /v1/publish.
func (r *roost) AppendRequest(dst []byte, m *Message, q *HTTPRequest) []byte {
	from := len(dst)
	dst = appendMessage(dst, m)
	*q = HTTPRequest{Method: "POST", Path: r.publish, ContentType: "application/json", Body: dst[from:]}
	return dst
}

// AppendBatch makes one more line of a POST /v1/publish.
func (r *roost) AppendBatch(dst []byte, m *Message, q *HTTPRequest) []byte {
	dst = append(appendMessage(dst, m), '\n')
	*q = HTTPRequest{Method: "POST", Path: r.publish, ContentType: "application/x-ndjson", Body: dst}
	return dst
}

// appendMessage appends a message. Of a live one the id would be dead weight: it
// is for who asks twice, and for what is kept.
func appendMessage(dst []byte, m *Message) []byte {
	switch m.To {
	case "device":
		dst = appendQuoted(append(dst, `{"device":`...), m.Name)
	case "topic":
		dst = appendQuoted(append(dst, `{"topic":`...), m.Name)
	default:
		dst = append(dst, `{"all":true`...)
	}
	if m.Class != "" {
		dst = appendQuoted(append(dst, `,"class":`...), m.Class)
	}
	if m.Class != "live" {
		if len(m.ID) > 0 {
			dst = appendQuoted(append(dst, `,"id":`...), m.ID)
		}
		if m.TTL > 0 { // whole seconds, at least what was asked for
			dst = append(dst, `,"ttl":`...)
			dst = strconv.AppendInt(dst, int64((m.TTL+time.Second-1)/time.Second), 10)
		}
	}
	if m.Wait > 0 {
		dst = strconv.AppendFloat(append(dst, `,"wait":`...), m.Wait.Seconds(), 'f', -1, 64)
	}
	return append(appendQuoted(append(dst, `,"payload":`...), m.Payload), '}')
}

// AppendFrame is not how it is done.
func (r *roost) AppendFrame(dst []byte, _ uint32, _ *Message) ([]byte, ws.OpCode) {
	return dst, r.op
}

// Answer accepts what the node has sent, stored, or found nobody for: that a
// live message has met nobody is a loss to be counted, not a refusal.
func (r *roost) Answer(status int, body []byte) (err error) {
	bad := r.Receipts(status, body, func(_ int, one Receipt) {
		if err == nil {
			err = one.Err
		}
	})
	if err == nil {
		err = bad
	}
	return err
}

// Receipts reads the results, one for each message: those that it is called for
// have one addressee each, a device or all of many.
func (r *roost) Receipts(status int, body []byte, each func(i int, r Receipt)) error {
	s := jsonscan.Scanner{Data: body, Depth: answerDepth}
	if find(&s, "results") { // also in a problem, when only some could be stored
		return results(&s, status, each)
	}
	if s.At = 0; status < 200 || status > 299 {
		return &RefusedError{Status: status, Reason: clip(member(&s, "title"))}
	}
	return &RefusedError{Status: status, Reason: "the answer has no results: is it a roost?"}
}

// answerDepth is how deep an answer of an API may be nested.
const answerDepth = 16

// results reads the array of results, at its first bracket.
func results(s *jsonscan.Scanner, status int, each func(i int, r Receipt)) error {
	bad := &errResults
	if !s.Accept('[') || s.Accept(']') {
		return bad
	}
	i := 0
	for more := true; more; i++ {
		from := s.At
		s.Next()
		if s.Value() != nil {
			return bad
		}
		each(i, receipt(bytes.TrimSpace(s.Data[from:s.At]), status))
		var err *jsonscan.Error
		if more, err = s.More(']'); err != nil {
			return bad
		}
	}
	return nil
}

// receipt reads one result.
func receipt(result []byte, status int) (r Receipt) {
	one := jsonscan.Scanner{Data: result, Depth: answerDepth}
	switch what := member(&one, "status"); string(what) {
	case "acknowledged":
		r.Acknowledged = 1
	case "written", "queued", "offline":
		r.Unacknowledged = 1
	case "unknown":
		return Receipt{Err: &RefusedError{Status: status, Reason: "unknown device"}}
	default:
		one.At = 0
		return Receipt{Err: &RefusedError{Status: status, Reason: clip(string(what) + " " + string(member(&one, "reason")))}}
	}
	one.At = 0
	if all := number(&one, "receivers"); all > 0 { // one of many: the counts are there if it was waited for
		one.At = 0
		if find(&one, "counts") {
			one = jsonscan.Scanner{Data: result[one.At:], Depth: answerDepth}
			r.Acknowledged = min(number(&one, "acknowledged"), all)
		}
		r.Unacknowledged = all - r.Acknowledged
	}
	return r
}

// errResults is for an answer that cannot be read.
var errResults = RefusedError{Status: 200, Reason: "the answer's results make no sense: is it a roost?"}

// member returns a string member of the object that s is at, nil if there is
// none.
func member(s *jsonscan.Scanner, name string) []byte {
	if !find(s, name) {
		return nil
	}
	text, err := s.Text()
	if err != nil {
		return nil
	}
	return text
}

// number returns a member of the object that s is at that is a whole number, 0
// if there is none.
func number(s *jsonscan.Scanner, name string) int {
	if !find(s, name) {
		return 0
	}
	n, err := s.Uint()
	if err != nil || n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

// find goes to a member of the object that s is at.
func find(s *jsonscan.Scanner, name string) bool {
	if !s.Accept('{') {
		return false
	}
	for more := !s.Accept('}'); more; {
		key, err := s.Key()
		if err != nil {
			return false
		}
		if string(key) == name {
			return true
		}
		if err = s.Value(); err != nil {
			return false
		}
		if more, err = s.More('}'); err != nil {
			return false
		}
	}
	return false
}
