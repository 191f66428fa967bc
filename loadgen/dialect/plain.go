package dialect

import (
	"fmt"
	"time"

	"roost/server/ws"
)

// plain is WebSocket and nothing above it.
type plain struct {
	cfg       Config
	broadcast string // path
	retry     retry
}

func newPlain(cfg Config) (Dialect, error) {
	if err := cfg.noFormat(); err != nil {
		return nil, err
	}
	a, err := parseAPI(cfg.API)
	if err != nil {
		return nil, err
	}
	return &plain{cfg: cfg, broadcast: a.prefix + "/broadcast", retry: newRetry(&cfg, time.Second, time.Second)}, nil
}

// Supports: a bare server knows neither names nor topics, and keeps nothing.
func (p *plain) Supports(to, class string) error {
	switch {
	case class != "" && class != "live":
		return fmt.Errorf("dialect plain: class %q: a bare server keeps nothing, only live works", class)
	case to == "self", to == "all", to == "node" && p.cfg.API != "":
		return nil
	case to == "node":
		return fmt.Errorf("dialect plain: to %s wants an API; without one only self and all work", to)
	}
	return fmt.Errorf("dialect plain: to %s: a bare server knows no names and topics, only self and all work", to)
}

// Request asks for the URL's path.
func (p *plain) Request(_ uint32, _ uint8, _ time.Duration, r *ws.ClientRequest) {
	r.Path, r.Protocols, r.Header = p.cfg.Path, nil, nil
}

// Opened is all there is to a greeting.
func (p *plain) Opened(_ uint32, _ uint8, _ time.Duration, s Sink) { s.Ready(false) }

// Message delivers whatever comes.
func (p *plain) Message(_ uint32, _ uint8, _ time.Duration, _ ws.OpCode, payload []byte, s Sink) {
	s.Deliver(payload)
}

// Deadline is never: there is nothing to say.
func (p *plain) Deadline(uint32) time.Duration { return 0 }

// Time does nothing.
func (p *plain) Time(uint32, uint8, time.Duration, Sink) {}

// Heard does nothing: silence means nothing.
func (p *plain) Heard(uint32, uint8, time.Duration) {}

// Forget does nothing: there is nothing to forget.
func (p *plain) Forget(uint32) {}

// Closed dials again within a second, and not before a refusal allows it.
func (p *plain) Closed(_ uint32, _ uint8, _ time.Duration, end End) time.Duration {
	var failures uint8
	return p.retry.wait(&failures, end)
}

// Publishing is by the API where there is one; an echo comes from the socket.
func (p *plain) Publishing(to string) Way {
	if to != "self" && p.cfg.API != "" {
		return ByHTTP
	}
	return BySocket
}

// AppendRequest makes a POST /broadcast, the payload as it is.
func (p *plain) AppendRequest(dst []byte, m *Message, r *HTTPRequest) []byte {
	*r = HTTPRequest{Method: "POST", Path: p.broadcast, ContentType: "text/plain"}
	from := len(dst)
	dst = append(dst, m.Payload...)
	r.Body = dst[from:]
	return dst
}

// Answer takes any status of success.
func (p *plain) Answer(status int, _ []byte) error {
	if status < 200 || status > 299 {
		return &RefusedError{Status: status}
	}
	return nil
}

// AppendFrame is the payload, as text.
func (p *plain) AppendFrame(dst []byte, _ uint32, m *Message) ([]byte, ws.OpCode) {
	return append(dst, m.Payload...), ws.OpText
}
