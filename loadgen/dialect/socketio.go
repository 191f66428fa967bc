package dialect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"roost/server/jsonscan"
	"roost/server/ws"
)

// socketio is Engine.IO v4 with Socket.IO v5 in it, over WebSocket from the
// beginning. A packet begins with the type of the one, and a message (4) with
// that of the other behind it: 42["msg","text"] is an event.
// Source: github.com/socketio/socket.io-protocol.
type socketio struct {
	cfg   Config
	path  string
	joins bool // clients are in rooms
	retry retry
	peers []peer
	text  []byte
}

// peer is a client: 16 bytes.
//
//	new --0{...}: sends 40--> connecting --40{...}: sends 421["join",...]--> joining --431[...]--> ready
//	                                         \---------- nothing to join ----------------------/
type peer struct {
	heard    time.Duration
	patience uint32 // ms of silence that are too long
	state    peerState
	failures uint8
}

type peerState uint8

const (
	peerNew peerState = iota
	peerConnecting
	peerJoining
	peerReady
)

func newSocketIO(cfg Config) (Dialect, error) {
	if err := cfg.noFormat(); err != nil {
		return nil, err
	}
	d := &socketio{cfg: cfg, peers: make([]peer, cfg.Clients),
		retry: newRetry(&cfg, time.Second, 5*time.Second)} // as socket.io-client
	d.joins = cfg.wants("device") || cfg.wants("topic")
	d.path = queryPath(cfg.Path, "/socket.io/")
	if !strings.Contains(d.path, "EIO=") {
		d.path += "EIO=4&transport=websocket"
	}
	d.path = strings.TrimSuffix(d.path, "&")
	return d, nil
}

// Supports: live messages alone, by the handler that the package comment shows.
func (d *socketio) Supports(to, class string) error {
	switch {
	case class != "" && class != "live":
		return fmt.Errorf("dialect socketio: class %q: events are not kept, only live works", class)
	case to == "all", to == "topic", to == "device", to == "self":
		return nil
	}
	return fmt.Errorf("dialect socketio: to %q: want all, topic, device or self", to)
}

// Request asks for the WebSocket transport.
func (d *socketio) Request(_ uint32, _ uint8, _ time.Duration, r *ws.ClientRequest) {
	r.Path, r.Protocols, r.Header = d.path, nil, nil
}

// Opened waits for the open packet.
func (d *socketio) Opened(i uint32, _ uint8, now time.Duration, _ Sink) {
	p := &d.peers[i]
	*p = peer{heard: now, failures: p.failures}
}

// Message takes a packet. Binary ones are attachments, of events that are none
// of ours.
func (d *socketio) Message(i uint32, _ uint8, now time.Duration, op ws.OpCode, packet []byte, s Sink) {
	d.peers[i].heard = now
	if op != ws.OpText {
		return
	}
	if err := d.packet(i, packet, s); err != nil {
		s.Fail(fmt.Errorf("socketio: %w", err))
	}
}

// packet takes a packet of Engine.IO.
func (d *socketio) packet(i uint32, packet []byte, s Sink) error {
	if len(packet) == 0 {
		return errors.New("an empty packet")
	}
	p, rest := &d.peers[i], packet[1:]
	switch packet[0] {
	case '0':
		return d.open(p, rest, s)
	case '1':
		return errors.New("the server closes the transport")
	case '2':
		d.text = append(append(d.text[:0], '3'), rest...)
		s.Send(ws.OpText, d.text)
		return nil
	case '3', '5', '6':
		return nil
	case '4':
		if p.state == peerNew {
			return errors.New("a message before the open packet: is it a Socket.IO?")
		}
		return d.message(i, rest, s)
	}
	return fmt.Errorf("a packet of type %q: is it a Socket.IO of version 3 or later?", packet[0])
}

// open takes the open packet and asks for the namespace /.
func (d *socketio) open(p *peer, data []byte, s Sink) error {
	scan := jsonscan.Scanner{Data: data, Depth: 8}
	var interval, timeout uint64
	err := eachMember(&scan, func(key []byte) (err *jsonscan.Error) {
		switch string(key) {
		case "pingInterval":
			interval, err = scan.Uint()
		case "pingTimeout":
			timeout, err = scan.Uint()
		default:
			err = scan.Value()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the open packet makes no sense: %w", err)
	}
	if p.state != peerNew {
		return errors.New("a second open packet")
	}
	const day = 24 * 3600 * 1000
	p.patience = uint32(min(interval, day) + min(timeout, day))
	p.state = peerConnecting
	d.text = append(d.text[:0], "40"...)
	s.Send(ws.OpText, d.text)
	return nil
}

// joinID numbers the event that wants to be acknowledged.
const joinID = 1

// message takes a packet of Socket.IO.
func (d *socketio) message(i uint32, packet []byte, s Sink) error {
	if len(packet) == 0 {
		return errors.New("an empty message")
	}
	kind, packet := packet[0], packet[1:]
	if len(packet) > 0 && packet[0] == '/' {
		return nil // another namespace than ours
	}
	p := &d.peers[i]
	switch kind {
	case '0':
		if p.state != peerConnecting {
			return errors.New("connected twice")
		}
		d.connected(i, s)
	case '1':
		return errors.New("disconnected by the server")
	case '2':
		return d.event(packet, s)
	case '3':
		if id, _, ok := cutNumber(packet); ok && id == joinID && p.state == peerJoining {
			p.state = peerReady
			s.Ready(false)
		}
	case '4':
		scan := jsonscan.Scanner{Data: packet, Depth: 8}
		return fmt.Errorf("connect: refused: %s", clip(member(&scan, "message")))
	case '5', '6': // binary: not ours
	default:
		return fmt.Errorf("a message of type %q", kind)
	}
	return nil
}

// connected joins rooms, if there is a need to.
func (d *socketio) connected(i uint32, s Sink) {
	p := &d.peers[i]
	if !d.joins {
		p.state = peerReady
		s.Ready(false)
		return
	}
	p.state = peerJoining
	d.text = strconv.AppendInt(append(d.text[:0], "42"...), joinID, 10)
	d.text = appendQuoted(append(d.text, `["join",{"name":`...), d.cfg.Name(i))
	d.text = append(d.text, `,"topics":[`...)
	for k, topic := range d.cfg.topics(i) {
		if k > 0 {
			d.text = append(d.text, ',')
		}
		d.text = appendQuoted(d.text, topic)
	}
	d.text = append(d.text, "]}]"...)
	s.Send(ws.OpText, d.text)
}

// event takes an event, ["name",argument...] behind the number by which it
// wants to be acknowledged, if it does. Those named msg are deliveries.
func (d *socketio) event(packet []byte, s Sink) error {
	id, packet, wants := cutNumber(packet)
	scan := jsonscan.Scanner{Data: packet, Depth: 64}
	if !scan.Accept('[') {
		return fmt.Errorf("an event makes no sense: %w", scan.Fail("an array"))
	}
	name, err := scan.Text()
	for n := 0; err == nil; n++ {
		var more bool
		if more, err = scan.More(']'); !more {
			break
		}
		scan.Next()
		from := scan.At
		if err = scan.Value(); err == nil && n == 0 && string(name) == "msg" {
			s.Deliver(unquoted(packet[from:scan.At]))
		}
	}
	if err != nil {
		return fmt.Errorf("an event makes no sense: %w", err)
	}
	if wants {
		d.text = strconv.AppendUint(append(d.text[:0], "43"...), id, 10)
		d.text = append(d.text, '[', ']')
		s.Send(ws.OpText, d.text)
	}
	return nil
}

// cutNumber takes the digits at the begin of a packet.
func cutNumber(packet []byte) (n uint64, rest []byte, ok bool) {
	at := 0
	for at < len(packet) && at < 19 && packet[at]-'0' <= 9 { // 19 digits fit
		n = 10*n + uint64(packet[at]-'0')
		at++
	}
	return n, packet[at:], at > 0
}

// Deadline is when silence has been too long. The server pings.
func (d *socketio) Deadline(i uint32) time.Duration {
	p := &d.peers[i]
	if p.patience == 0 {
		return 0
	}
	return p.heard + time.Duration(p.patience)*time.Millisecond
}

// Time gives a silent server up.
func (d *socketio) Time(i uint32, _ uint8, now time.Duration, s Sink) {
	if at := d.Deadline(i); at != 0 && now >= at {
		s.Fail(errNoPing)
	}
}

// Heard is a life sign that nobody could read.
func (d *socketio) Heard(i uint32, _ uint8, now time.Duration) { d.peers[i].heard = now }

// Forget begins anew.
func (d *socketio) Forget(i uint32) { d.peers[i] = peer{} }

// Closed backs off.
func (d *socketio) Closed(i uint32, _ uint8, _ time.Duration, end End) time.Duration {
	p := &d.peers[i]
	p.patience, p.state = 0, peerNew
	return d.retry.wait(&p.failures, end)
}

// Publishing is by the client's own connection.
func (d *socketio) Publishing(string) Way { return BySocket }

// AppendRequest is not how it is done.
func (d *socketio) AppendRequest(dst []byte, _ *Message, _ *HTTPRequest) []byte { return dst }

// Answer is not asked for.
func (d *socketio) Answer(int, []byte) error { return nil }

// AppendFrame makes the event publish.
func (d *socketio) AppendFrame(dst []byte, _ uint32, m *Message) ([]byte, ws.OpCode) {
	dst = appendQuoted(append(dst, `42["publish",{"to":`...), m.To)
	dst = appendQuoted(append(dst, `,"name":`...), m.Name)
	dst = appendQuoted(append(dst, `,"data":`...), m.Payload)
	return append(dst, "}]"...), ws.OpText
}
