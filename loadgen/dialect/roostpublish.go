package dialect

import (
	"bytes"
	"fmt"
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

// AppendRequest makes one message of a POST /v1/publish. Of a live message the
// id would be dead weight: it is for who asks twice, and for what is kept.
func (r *roost) AppendRequest(dst []byte, m *Message, q *HTTPRequest) []byte {
	*q = HTTPRequest{Method: "POST", Path: r.publish, ContentType: "application/json"}
	from := len(dst)
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
	dst = append(appendQuoted(append(dst, `,"payload":`...), m.Payload), '}')
	q.Body = dst[from:]
	return dst
}

// AppendFrame is not how it is done.
func (r *roost) AppendFrame(dst []byte, _ uint32, _ *Message) ([]byte, ws.OpCode) {
	return dst, r.op
}

// Answer accepts what the node has sent, stored, or found nobody for: that a
// live message has met nobody is a loss to be counted, not a refusal.
func (r *roost) Answer(status int, body []byte) error {
	s := jsonscan.Scanner{Data: body, Depth: answerDepth}
	if status < 200 || status > 299 {
		return &RefusedError{Status: status, Reason: clip(member(&s, "title"))}
	}
	if s.Accept('{') {
		for more := !s.Accept('}'); more; {
			key, err := s.Key()
			if err != nil {
				break
			}
			if string(key) == "results" {
				return results(&s, status)
			}
			if err = s.Value(); err != nil {
				break
			}
			if more, err = s.More('}'); err != nil {
				break
			}
		}
	}
	return &RefusedError{Status: status, Reason: "the answer has no results: is it a roost?"}
}

// answerDepth is how deep an answer of an API may be nested.
const answerDepth = 16

// results reads the array of results, at its first bracket.
func results(s *jsonscan.Scanner, status int) error {
	bad := &errResults
	if !s.Accept('[') || s.Accept(']') {
		return bad
	}
	for more := true; more; {
		from := s.At
		s.Next()
		if s.Value() != nil {
			return bad
		}
		one := jsonscan.Scanner{Data: bytes.TrimSpace(s.Data[from:s.At]), Depth: answerDepth}
		switch what := member(&one, "status"); string(what) {
		case "written", "acknowledged", "queued", "offline":
		case "unknown":
			return &RefusedError{Status: status, Reason: "unknown device"}
		default:
			one.At = 0
			return &RefusedError{Status: status, Reason: clip(string(what) + " " + string(member(&one, "reason")))}
		}
		var err *jsonscan.Error
		if more, err = s.More(']'); err != nil {
			return bad
		}
	}
	return nil
}

// errResults is for an answer that cannot be read.
var errResults = RefusedError{Status: 200, Reason: "the answer's results make no sense: is it a roost?"}

// member returns a string member of the object that s is at, nil if there is
// none.
func member(s *jsonscan.Scanner, name string) []byte {
	if !s.Accept('{') {
		return nil
	}
	for more := !s.Accept('}'); more; {
		key, err := s.Key()
		if err != nil {
			return nil
		}
		if string(key) == name {
			text, err := s.Text()
			if err != nil {
				return nil
			}
			return text
		}
		if err = s.Value(); err != nil {
			return nil
		}
		if more, err = s.More('}'); err != nil {
			return nil
		}
	}
	return nil
}
