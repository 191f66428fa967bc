package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"roost/server/jsonscan"
	"roost/server/ws"
)

// centrifugo is the JSON form of the client protocol of Centrifuge and
// Centrifugo: commands with a number, replies that repeat it, pushes without
// one, one or more of them in a frame, each on a line.
// Source: github.com/centrifugal/protocol, client.proto.
type centrifugo struct {
	cfg      Config
	channels channels
	path     string // of the URL
	publish  string // path
	header   []ws.Field
	retry    retry
	users    []user
	text     []byte
}

// user is a client: 16 bytes.
//
//	new --Opened--> connecting --connect reply--> subscribing --all replies--> ready
type user struct {
	heard    time.Duration // when the server last said something
	patience uint16        // s of silence that are too long; 0: the server does not ping
	waiting  uint16        // subscriptions without an answer
	failures uint8
	state    userState
	pong     bool // pings want an answer
}

type userState uint8

const (
	userConnecting userState = iota
	userSubscribing
	userReady
)

// Numbers of commands. Those of subscriptions follow firstSubscribe.
const (
	connectID      = 1
	firstSubscribe = 2
	publishID      = 1_000_000_000 // all; what fails is known by its error
)

// pingSlack is how late a ping may be (centrifuge-js, maxServerPingDelay).
const pingSlack = 10 // s

func newCentrifugo(cfg Config) (Dialect, error) {
	if err := cfg.noFormat(); err != nil {
		return nil, err
	}
	a, err := parseAPI(cfg.API)
	if err != nil {
		return nil, err
	}
	c := &centrifugo{cfg: cfg, path: cfg.Path, publish: a.prefix + "/api/publish", header: a.header("X-API-Key"),
		users: make([]user, cfg.Clients),
		retry: newRetry(&cfg, 500*time.Millisecond, 20*time.Second)} // as centrifuge-js
	c.channels = newChannels(&c.cfg)
	if c.path == "" || c.path == "/" {
		c.path = "/connection/websocket"
	}
	return c, nil
}

// Supports: what is kept (history, recovery) is a channel's option there, and
// not a message's.
func (c *centrifugo) Supports(to, class string) error {
	switch {
	case class != "" && class != "live":
		return fmt.Errorf("dialect centrifugo: class %q: history is an option of the server's channels, only live works", class)
	case to == "node" && c.cfg.API == "":
		return errors.New("dialect centrifugo: to node wants an API: name it, or publish to all")
	case to == "all", to == "node", to == "topic", to == "device", to == "self":
		return nil
	}
	return fmt.Errorf("dialect centrifugo: to %q: want all, node, topic, device or self", to)
}

// Request asks for the URL's path.
func (c *centrifugo) Request(_ uint32, _ uint8, _ time.Duration, r *ws.ClientRequest) {
	r.Path, r.Protocols, r.Header = c.path, nil, nil
}

// Opened sends the connect command.
func (c *centrifugo) Opened(i uint32, _ uint8, now time.Duration, s Sink) {
	u := &c.users[i]
	*u = user{heard: now, failures: u.failures}
	c.text = append(c.text[:0], `{"id":1,"connect":{}}`...)
	s.Send(ws.OpText, c.text)
}

// Message takes the lines of a frame.
func (c *centrifugo) Message(i uint32, _ uint8, now time.Duration, op ws.OpCode, payload []byte, s Sink) {
	if op != ws.OpText {
		s.Fail(errors.New("centrifugo: a binary message: the server speaks Protobuf, or is none"))
		return
	}
	c.users[i].heard = now
	for len(payload) > 0 {
		line, rest, _ := bytes.Cut(payload, newline)
		payload = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := c.reply(i, line, s); err != nil {
			s.Fail(err)
			return
		}
	}
}

var newline = []byte{'\n'}

// reply is what one line said.
type reply struct {
	id       uint64
	code     uint64 // of the error
	message  []byte // of the error
	failed   bool
	connect  bool
	ping     uint64 // s, of a connect reply
	pong     bool
	pushed   bool
	gone     error // a push that says that the server has ended a subscription
	anything bool
}

// reply takes one line. An error ends the connection.
func (c *centrifugo) reply(i uint32, line []byte, s Sink) error {
	var r reply
	scan := jsonscan.Scanner{Data: line, Depth: 64}
	if err := r.read(&scan, s); err != nil {
		return err
	}
	u := &c.users[i]
	switch {
	case r.pushed: // delivered already
	case !r.anything:
		if u.pong {
			c.text = append(c.text[:0], '{', '}')
			s.Send(ws.OpText, c.text)
		}
	case r.id == publishID:
		if r.failed {
			s.Refused(r.err("publish: refused"))
		}
	case r.id == connectID && u.state == userConnecting:
		return c.connected(i, &r, s)
	case r.id >= firstSubscribe && u.state == userSubscribing:
		return c.subscribed(i, &r, s)
	}
	return nil
}

// connected takes the reply to the connect command and subscribes, all in one
// frame.
func (c *centrifugo) connected(i uint32, r *reply, s Sink) error {
	if r.failed {
		return r.err("connect: refused")
	}
	if !r.connect {
		return errors.New("centrifugo: the reply to connect is none: is it a Centrifugo?")
	}
	u := &c.users[i]
	u.pong = r.pong
	if r.ping > 0 {
		u.patience = uint16(min(r.ping, 1<<16-1-pingSlack) + pingSlack)
	}
	list := c.channels.of(i)
	if len(list) == 0 {
		u.state = userReady
		s.Ready(false)
		return nil
	}
	u.state, u.waiting = userSubscribing, uint16(len(list))
	c.text = c.text[:0]
	for k, channel := range list {
		if k > 0 {
			c.text = append(c.text, '\n')
		}
		c.text = strconv.AppendInt(append(c.text, `{"id":`...), int64(firstSubscribe+k), 10)
		c.text = appendQuoted(append(c.text, `,"subscribe":{"channel":`...), channel)
		c.text = append(c.text, "}}"...)
	}
	s.Send(ws.OpText, c.text)
	return nil
}

// alreadySubscribed is the error of a channel that the server had subscribed
// the client to.
const alreadySubscribed = 105

// subscribed takes the reply to one subscription; the last one ends the
// greeting.
func (c *centrifugo) subscribed(i uint32, r *reply, s Sink) error {
	u := &c.users[i]
	if r.failed && r.code != alreadySubscribed {
		channel := "?"
		if list := c.channels.of(i); r.id-firstSubscribe < uint64(len(list)) {
			channel = list[r.id-firstSubscribe]
		}
		return r.err("subscribe to " + channel + ": refused")
	}
	if u.waiting--; u.waiting == 0 {
		u.state = userReady
		s.Ready(false)
	}
	return nil
}

// err words the error of a reply.
func (r *reply) err(what string) error {
	return fmt.Errorf("centrifugo: %s: %d %s", what, r.code, clip(r.message))
}

// Deadline is when silence has been too long. The server pings.
func (c *centrifugo) Deadline(i uint32) time.Duration {
	u := &c.users[i]
	if u.patience == 0 {
		return 0
	}
	return u.heard + time.Duration(u.patience)*time.Second
}

// Time gives a silent server up.
func (c *centrifugo) Time(i uint32, _ uint8, now time.Duration, s Sink) {
	if at := c.Deadline(i); at != 0 && now >= at {
		s.Fail(errNoPing)
	}
}

var errNoPing = errors.New("the server's ping did not come in time")

// Heard is a life sign that nobody could read.
func (c *centrifugo) Heard(i uint32, _ uint8, now time.Duration) { c.users[i].heard = now }

// Forget begins anew.
func (c *centrifugo) Forget(i uint32) { c.users[i] = user{} }

// Closed backs off; codes 35xx to 39xx and 45xx to 49xx are for good.
func (c *centrifugo) Closed(i uint32, _ uint8, _ time.Duration, end End) time.Duration {
	u := &c.users[i]
	u.patience, u.waiting = 0, 0
	if code := end.Code; code >= 3500 && code < 4000 || code >= 4500 && code < 5000 {
		return -1
	}
	return c.retry.wait(&u.failures, end)
}
