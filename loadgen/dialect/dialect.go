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
	API     string                  // base URL of the first API; empty: there is none
	To      []string                // audiences that are published to: clients subscribe to no others; nil: every one
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
	// Refused says that a message which this client published over its own
	// connection was not accepted; which one is not known.
	Refused(err error)
	// Fail gives the connection up.
	Fail(err error)
	// Redial asks for a second connection of the same client that replaces this
	// one when it is ready: make before break. Once asked for it is dialed, even
	// if this connection ends before.
	Redial(after time.Duration)
	// Replaced says that the connection of the client that was called before
	// has been replaced by this one; the engine closes the old one, or lets the
	// server do so.
	Replaced()
}

// Dialect is one server's protocol. i is a client, c numbers its connections:
// while one is replaced there are two, and their numbers are different. now is
// the run's clock.
//
//	Request -> Opened -> Message ... -> Closed
//	   |                                  |
//	   +--------- refused, failed --------+
//
// Of a connection that was closed nothing more is told. A client that must not
// answer (a ghost, a half-open one) is one whose frames the engine does not
// send and for which it does not call Time.
type Dialect interface {
	// Supports returns nil if a message of class can be published to an
	// audience (scenario.Audience), or says what this dialect cannot do and what
	// to do instead.
	Supports(to, class string) error

	// Request fills in the upgrade request of a connection that is being dialed:
	// Path with its query, Protocols, Header. Host and Key are the engine's.
	Request(i uint32, c uint8, now time.Duration, r *ws.ClientRequest)
	// Opened says that the upgrade was answered with 101.
	Opened(i uint32, c uint8, now time.Duration, s Sink)
	// Message takes a whole message, and may change it.
	Message(i uint32, c uint8, now time.Duration, op ws.OpCode, payload []byte, s Sink)
	// Deadline is when Time wants to be called for client i: heartbeats,
	// acknowledgements. 0 is never. Asked after every other call.
	Deadline(i uint32) time.Duration
	Time(i uint32, c uint8, now time.Duration, s Sink)
	// Heard says that the server lives, as far as anyone can know: a client that
	// does not read on purpose must not give a silent server up. Called before
	// Time of such a connection.
	Heard(i uint32, c uint8, now time.Duration)
	// Forget makes client i, which has no connection, one that was never
	// connected.
	Forget(i uint32)
	// Closed says how a connection ended, whoever ended it, also behind
	// Sink.Fail, and returns when to dial again under scenario.PolicyDialect:
	// negative is never, or not because of this connection: there is another one
	// of the client, or a Redial was asked for.
	Closed(i uint32, c uint8, now time.Duration, end End) (wait time.Duration)

	// Publishing says how messages to an audience are published; one of the two
	// below serves it. The same each time.
	Publishing(to string) Way
	// AppendRequest appends the body of the HTTP request by which m is published
	// to dst, and fills in r; its Body is a part of the result. What is constant
	// in r is the same for each message.
	AppendRequest(dst []byte, m *Message, r *HTTPRequest) []byte
	// Answer reads the answer to it: nil if the message was accepted.
	Answer(status int, body []byte) error
	// AppendFrame appends the payload of the frame by which client i publishes,
	// and returns its opcode. The server's answer comes to Message.
	AppendFrame(dst []byte, i uint32, m *Message) ([]byte, ws.OpCode)
}

// Batcher is a Dialect whose API takes several messages in one request, answers
// for each of them, and can wait for acknowledgements before it does.
type Batcher interface {
	// AppendBatch appends m to the body of a request, which dst begins with or
	// which is empty, and fills in r as AppendRequest does.
	AppendBatch(dst []byte, m *Message, r *HTTPRequest) []byte
	// Receipts calls each with what the answer says of message i of the request,
	// in order. An error is of the messages that there was no call for.
	Receipts(status int, body []byte, each func(i int, r Receipt)) error
}

// Receipt is what an answer says of one message.
type Receipt struct {
	Err error // why it was not accepted
	// Acknowledged and Unacknowledged are how many of those that it is for have
	// said that they have it, and have not, when the answer was given. They mean
	// something where that was waited for.
	Acknowledged, Unacknowledged int
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
	To      string // scenario.Audience; node is all clients of the API's node
	Name    string // of the topic or the device
	ID      []byte // unique in the run, or empty; a roost device remembers 8 bytes of each kept one
	Class   string // live, kept, latest
	TTL     time.Duration
	Wait    time.Duration // how long the answer may wait for acknowledgements; of a Batcher's
	Payload []byte        // printable ASCII without quotes and backslashes
}

// HTTPRequest is how a message is published at the API.
type HTTPRequest struct {
	Method      string
	Path        string // of the request line: with the path of the API's URL, and a query
	ContentType string
	Header      []ws.Field // further ones, such as a key
	Body        []byte
}

// End is how a connection ended.
type End struct {
	Greeted    bool
	Nobody     bool          // nobody listened: the dial was refused
	Status     int           // HTTP, of a refused upgrade
	RetryAfter time.Duration // of a refused upgrade
	Code       uint16        // of the server's close frame, 1005 if it had none; 0: there was no close frame
	Reason     string
}
