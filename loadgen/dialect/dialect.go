// Package dialect is what clients say to a server, without I/O: how they open
// a connection, what they answer, when they are ready, what a delivery looks
// like, and how a message is published. A dialect serves all clients of one
// worker and is called from its loop only; its state per client is small and
// free of pointers.
package dialect

import (
	"time"

	"roost/server/ws"
)

// Config is what a dialect needs to know.
type Config struct {
	Clients int                     // of this worker; they are numbered 0 to Clients-1
	Name    func(i uint32) string   // a client's name
	Topics  func(i uint32) []string // what it subscribes to; called at each greeting
	Format  string                  // json or bin
	Path    string                  // of the URL, with its query
	Resume  bool                    // a client that comes back says what it had
	Seed    uint64
}

// Sink takes what a dialect does about the connection that it was called for.
type Sink interface {
	// Send sends a WebSocket frame.
	Send(op ws.OpCode, payload []byte)
	// Ready says that the connection is greeted and subscribed; resumed, that
	// its session went on.
	Ready(resumed bool)
	// Deliver hands over a message of the application, as it was published.
	// payload is valid during the call.
	Deliver(payload []byte)
	// Fail gives the connection up.
	Fail(err error)
	// Redial asks for a second connection of the same client that replaces this
	// one when it is ready: make before break.
	Redial(after time.Duration)
	// Replaced says that the connection of the client that was called before
	// has been replaced by this one; the engine closes the old one, or lets the
	// server do so.
	Replaced()
}

// Dialect is one server's protocol. i is a client, c numbers its connections:
// while one is replaced there are two. now is the run's clock.
type Dialect interface {
	// Request fills in the upgrade request: Path with its query, Protocols,
	// Header. Host and Key are the engine's.
	Request(i uint32, c uint8, now time.Duration, r *ws.ClientRequest)
	// Opened says that the upgrade was answered with 101.
	Opened(i uint32, c uint8, now time.Duration, s Sink)
	// Message takes a whole message, and may change it.
	Message(i uint32, c uint8, now time.Duration, op ws.OpCode, payload []byte, s Sink)
	// Deadline is when Time wants to be called for client i: heartbeats,
	// acknowledgements. 0 is never. Asked after every other call.
	Deadline(i uint32) time.Duration
	Time(i uint32, c uint8, now time.Duration, s Sink)
	// Closed says how a connection ended and returns when to dial again under
	// scenario.PolicyDialect: negative is never.
	Closed(i uint32, c uint8, now time.Duration, end End) (wait time.Duration)

	// Publishing says how; one of the two below serves it.
	Publishing() Way
	// AppendRequest appends the HTTP request of messages: method, path and body
	// are given back in r, which refers to dst.
	AppendRequest(dst []byte, m *Message, r *HTTPRequest) []byte
	// Answer reads the answer to it: nil if the message was accepted.
	Answer(status int, body []byte) error
	// AppendFrame appends the payload of the frame by which client i publishes,
	// and returns its opcode. The server's answer comes to Message.
	AppendFrame(dst []byte, i uint32, m *Message) ([]byte, ws.OpCode)
}

// Way is how messages are published.
type Way uint8

// Ways to publish.
const (
	ByHTTP   Way = iota // at the API
	BySocket            // by a client's own connection
	Nowhere             // this dialect cannot
)

// Message is what is published.
type Message struct {
	To      string // all, topic, device or self
	Name    string // of the topic or the device
	ID      []byte // unique in the run
	Class   string // live, kept, latest
	TTL     time.Duration
	Payload []byte // printable ASCII without quotes and backslashes
}

// HTTPRequest is how a message is published at the API.
type HTTPRequest struct {
	Method, Path, ContentType string
	Body                      []byte
}

// End is how a connection ended.
type End struct {
	Greeted    bool
	Status     int           // HTTP, of a refused upgrade
	RetryAfter time.Duration // of a refused upgrade
	Code       uint16        // WebSocket close code; 0: there was none
	Reason     string
}
