package dialect

import (
	"fmt"

	"roost/server/jsonscan"
	"roost/server/ws"
)

// read reads a line. What a push carries is delivered as it is found, so that
// a delivery is read once.
func (r *reply) read(s *jsonscan.Scanner, sink Sink) error {
	err := eachMember(s, func(key []byte) (err *jsonscan.Error) {
		r.anything = true
		switch string(key) {
		case "push":
			r.pushed = true
			err = r.readPush(s, sink)
		case "id":
			r.id, err = s.Uint()
		case "error":
			r.failed = true
			err = r.readError(s)
		case "connect":
			r.connect = true
			err = r.readConnect(s)
		default:
			err = s.Value()
		}
		return err
	})
	if err == nil && !s.Done() {
		err = s.Fail("the end of the line")
	}
	if err != nil {
		return fmt.Errorf("centrifugo: a message makes no sense: %w", err)
	}
	return r.gone
}

// eachMember calls f for each member of the object that s is at, behind its
// key; f takes the value.
func eachMember(s *jsonscan.Scanner, f func(key []byte) *jsonscan.Error) *jsonscan.Error {
	if !s.Accept('{') {
		return s.Fail("an object")
	}
	for more := !s.Accept('}'); more; {
		key, err := s.Key()
		if err != nil {
			return err
		}
		if err = f(key); err != nil {
			return err
		}
		if more, err = s.More('}'); err != nil {
			return err
		}
	}
	return nil
}

// readError reads code and message, or reason.
func (r *reply) readError(s *jsonscan.Scanner) *jsonscan.Error {
	return eachMember(s, func(key []byte) (err *jsonscan.Error) {
		switch string(key) {
		case "code":
			r.code, err = s.Uint()
		case "message", "reason":
			r.message, err = s.Text()
		default:
			err = s.Value()
		}
		return err
	})
}

// readConnect reads how often the server pings and whether it wants an answer.
func (r *reply) readConnect(s *jsonscan.Scanner) *jsonscan.Error {
	return eachMember(s, func(key []byte) (err *jsonscan.Error) {
		switch string(key) {
		case "ping":
			r.ping, err = s.Uint()
		case "pong":
			r.pong, err = s.Bool()
		default:
			err = s.Value()
		}
		return err
	})
}

// readPush reads a push and delivers its publication.
func (r *reply) readPush(s *jsonscan.Scanner, sink Sink) *jsonscan.Error {
	return eachMember(s, func(key []byte) *jsonscan.Error {
		switch string(key) {
		case "pub":
			return readPublication(s, sink)
		case "unsubscribe":
			err := r.readError(s)
			r.gone = r.err("the server has ended a subscription")
			return err
		}
		return s.Value()
	})
}

// readPublication delivers the data of a publication.
func readPublication(s *jsonscan.Scanner, sink Sink) *jsonscan.Error {
	return eachMember(s, func(key []byte) *jsonscan.Error {
		s.Next()
		from := s.At
		err := s.Value()
		if err == nil && string(key) == "data" {
			sink.Deliver(unquoted(s.Data[from:s.At]))
		}
		return err
	})
}

// Publishing is by the API where there is one; to itself a client publishes.
func (c *centrifugo) Publishing(to string) Way {
	if to != "self" && c.cfg.API != "" {
		return ByHTTP
	}
	return BySocket
}

// AppendRequest makes a POST /api/publish.
func (c *centrifugo) AppendRequest(dst []byte, m *Message, r *HTTPRequest) []byte {
	*r = HTTPRequest{Method: "POST", Path: c.publish, ContentType: "application/json", Header: c.header}
	from := len(dst)
	dst = c.appendPublish(dst, 0, m)
	r.Body = dst[from:]
	return dst
}

// appendPublish appends channel and data, which API and command have alike.
func (c *centrifugo) appendPublish(dst []byte, i uint32, m *Message) []byte {
	prefix, name := c.channels.to(i, m)
	dst = append(dst, `{"channel":`...)
	at := len(dst)
	dst = appendQuoted(dst, name)
	if prefix != "" { // goes between the quote and the name
		dst = append(dst, prefix...)
		copy(dst[at+1+len(prefix):], dst[at+1:])
		copy(dst[at+1:], prefix)
	}
	return append(appendQuoted(append(dst, `,"data":`...), m.Payload), '}')
}

// Answer reads {"result":...} or {"error":{"code":...,"message":...}}.
func (c *centrifugo) Answer(status int, body []byte) error {
	if status < 200 || status > 299 {
		return &RefusedError{Status: status}
	}
	var r reply
	s := jsonscan.Scanner{Data: body, Depth: answerDepth}
	err := eachMember(&s, func(key []byte) *jsonscan.Error {
		if string(key) == "error" && s.Next() == '{' {
			r.failed = true
			return r.readError(&s)
		}
		return s.Value()
	})
	switch {
	case err != nil:
		return &RefusedError{Status: status, Reason: "the answer makes no sense: is it a Centrifugo?"}
	case r.failed:
		return &RefusedError{Status: status, Reason: clip(fmt.Sprintf("%d %s", r.code, r.message))}
	}
	return nil
}

// AppendFrame makes a publish command.
func (c *centrifugo) AppendFrame(dst []byte, i uint32, m *Message) ([]byte, ws.OpCode) {
	dst = append(dst, `{"id":1000000000,"publish":`...)
	return append(c.appendPublish(dst, i, m), '}'), ws.OpText
}
