package dialect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"roost/server/ws"
)

// mqtt is MQTT 3.1.1 over WebSocket: a byte stream of packets, which frames may
// cut or join anywhere (6). A kept message is one of QoS 1 to persistent
// sessions, a latest one is retained, a live one is of QoS 0.
// Source: docs.oasis-open.org/mqtt/mqtt/v3.1.1.
type mqtt struct {
	cfg      Config
	channels channels // of topics of MQTT
	retry    retry
	clients  []mqttClient
	text     []byte

	// What has come of a packet that is not complete, by client.
	parts map[uint32][]byte
	spare [][]byte // of parts that are done with, at most maxSpare
}

// mqttClient is a client: 16 bytes.
//
//	new --Opened: CONNECT--> connecting --CONNACK: SUBSCRIBE--> subscribing --SUBACK--> ready
//	                                           \------ session present -------------/
type mqttClient struct {
	pingAt   time.Duration // 0: not connected
	packet   uint16        // identifier of the last publish of QoS 1
	state    mqttState
	failures uint8
	asked    bool // a PINGREQ has no answer yet
	was      bool // subscribed in this run: its session, if the server has it, is ours
}

type mqttState uint8

const (
	mqttNew mqttState = iota
	mqttConnecting
	mqttSubscribing
	mqttReady
)

// mqttKeepAlive is how often a client speaks at least; the server waits for one
// and a half times as long.
const mqttKeepAlive = 60 * time.Second

// subscribeID numbers the one SUBSCRIBE of a connection.
const subscribeID = 1

// maxSpare bounds the buffers that wait for the next packet in parts.
const maxSpare = 16

func newMQTT(cfg Config) (Dialect, error) {
	if err := cfg.noFormat(); err != nil {
		return nil, err
	}
	d := &mqtt{cfg: cfg, clients: make([]mqttClient, cfg.Clients), parts: map[uint32][]byte{},
		retry: newRetry(&cfg, time.Second, 120*time.Second)}
	d.channels = newChannels(&d.cfg)
	if d.cfg.Path == "" || d.cfg.Path == "/" {
		d.cfg.Path = "/mqtt"
	}
	return d, nil
}

// Supports: what a broker keeps, it keeps for sessions.
func (d *mqtt) Supports(to, class string) error {
	switch {
	case to != "all" && to != "topic" && to != "device" && to != "self":
		return fmt.Errorf("dialect mqtt: to %q: want all, topic, device or self", to)
	case class == "latest" && to != "topic":
		return fmt.Errorf("dialect mqtt: class latest to %s: it is a retained message, which only a topic has here", to)
	case class == "kept" && !d.cfg.Resume:
		return errors.New("dialect mqtt: class kept wants persistent sessions: have clients resume when they reconnect")
	case class != "" && class != "live" && class != "kept" && class != "latest":
		return fmt.Errorf("dialect mqtt: class %q: want live (QoS 0), kept (QoS 1) or latest (retained)", class)
	}
	return nil
}

var mqttProtocols = []string{"mqtt"}

// Request asks for the subprotocol.
func (d *mqtt) Request(_ uint32, _ uint8, _ time.Duration, r *ws.ClientRequest) {
	r.Path, r.Protocols, r.Header = d.cfg.Path, mqttProtocols, nil
}

// Opened sends CONNECT.
func (d *mqtt) Opened(i uint32, _ uint8, _ time.Duration, s Sink) {
	c := &d.clients[i]
	d.drop(i)
	c.state, c.asked, c.pingAt = mqttConnecting, false, 0
	d.text = appendMQTTConnect(d.text[:0], d.cfg.Name(i), !d.cfg.Resume, uint16(mqttKeepAlive/time.Second))
	s.Send(ws.OpBinary, d.text)
}

// Message takes the next bytes of the stream.
func (d *mqtt) Message(i uint32, _ uint8, now time.Duration, op ws.OpCode, data []byte, s Sink) {
	if op != ws.OpBinary {
		s.Fail(errors.New("mqtt: a text message: is it an MQTT broker?"))
		return
	}
	part, cut := d.parts[i]
	if cut {
		part = append(part, data...)
		data = part
	}
	for len(data) > 0 {
		first, body, rest, err := cutMQTT(data)
		if err == errMQTTShort {
			break
		}
		if err == nil {
			err = d.packet(i, now, first, body, s)
		}
		if err != nil {
			d.drop(i)
			s.Fail(err)
			return
		}
		data = rest
	}
	switch {
	case len(data) > 0:
		if !cut {
			part = d.take()
		}
		d.parts[i] = append(part[:0], data...) // may be a part of part: append moves it
	case cut:
		d.parts[i] = part
		d.drop(i)
	}
}

// take returns a buffer for a part.
func (d *mqtt) take() []byte {
	n := len(d.spare)
	if n == 0 {
		return nil
	}
	part := d.spare[n-1]
	d.spare = d.spare[:n-1]
	return part
}

// drop forgets a part.
func (d *mqtt) drop(i uint32) {
	part, cut := d.parts[i]
	if !cut {
		return
	}
	delete(d.parts, i)
	if len(d.spare) < maxSpare && cap(part) <= 64<<10 {
		d.spare = append(d.spare, part[:0])
	}
}

// packet takes one packet. An error ends the connection.
func (d *mqtt) packet(i uint32, now time.Duration, first byte, body []byte, s Sink) error {
	c := &d.clients[i]
	kind := first >> 4
	if (kind == mqttConnack) != (c.state == mqttConnecting) {
		return fmt.Errorf("mqtt: a packet of type %d at the wrong time: the first, and no other, must be a CONNACK", kind)
	}
	switch kind {
	case mqttConnack:
		return d.connected(i, now, body, s)
	case mqttPublish:
		id, payload, err := cutMQTTPublish(first, body)
		if err != nil {
			return err
		}
		s.Deliver(payload)
		if id != 0 {
			d.text = append(d.text[:0], mqttPuback<<4, 2)
			d.text = binary.BigEndian.AppendUint16(d.text, id)
			s.Send(ws.OpBinary, d.text)
		}
	case mqttSuback:
		return d.subscribed(i, body, s)
	case mqttPingresp:
		c.asked = false
	case mqttPuback: // the broker has our publish
	default:
		return fmt.Errorf("mqtt: a packet of type %d, which was not asked for", kind)
	}
	return nil
}

// connectRefusals are the return codes of CONNACK (3.2.2.3).
var connectRefusals = []string{1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable",
	4: "bad user name or password", 5: "not authorized"}

// connected takes a CONNACK and subscribes, unless the session has that.
func (d *mqtt) connected(i uint32, now time.Duration, body []byte, s Sink) error {
	c := &d.clients[i]
	if len(body) != 2 {
		return errMQTTCut
	}
	if code := int(body[1]); code != 0 {
		why := "unknown"
		if code < len(connectRefusals) {
			why = connectRefusals[code]
		}
		return fmt.Errorf("mqtt: CONNECT was refused: %d %s", code, why)
	}
	// The first after a random part, or all that connected together would ping
	// together for ever.
	c.pingAt = now + d.retry.random(mqttKeepAlive)
	topics := d.channels.of(i)
	resumed := body[0]&1 != 0 && c.was
	if resumed || len(topics) == 0 {
		c.state = mqttReady
		s.Ready(resumed)
		return nil
	}
	c.state = mqttSubscribing
	d.text = appendMQTTSubscribe(d.text[:0], subscribeID, topics)
	s.Send(ws.OpBinary, d.text)
	return nil
}

// subscribed takes a SUBACK.
func (d *mqtt) subscribed(i uint32, body []byte, s Sink) error {
	c := &d.clients[i]
	if len(body) < 2 {
		return errMQTTCut
	}
	if binary.BigEndian.Uint16(body) != subscribeID || c.state != mqttSubscribing {
		return errors.New("mqtt: a SUBACK that was not asked for")
	}
	for k, code := range body[2:] {
		if code < 0x80 {
			continue
		}
		topic := "?"
		if list := d.channels.of(i); k < len(list) {
			topic = list[k]
		}
		return fmt.Errorf("mqtt: SUBSCRIBE to %q was refused", topic)
	}
	c.state, c.was = mqttReady, d.cfg.Resume
	s.Ready(false)
	return nil
}

// Deadline is the next PINGREQ.
func (d *mqtt) Deadline(i uint32) time.Duration { return d.clients[i].pingAt }

// Time sends a PINGREQ, or gives up a broker that has not answered the last one.
func (d *mqtt) Time(i uint32, _ uint8, now time.Duration, s Sink) {
	c := &d.clients[i]
	switch {
	case c.pingAt == 0 || now < c.pingAt:
	case c.asked:
		s.Fail(errors.New("mqtt: the broker has not answered a PINGREQ for a minute"))
	default:
		c.asked = true
		c.pingAt = now + mqttKeepAlive
		d.text = append(d.text[:0], mqttPingreq<<4, 0)
		s.Send(ws.OpBinary, d.text)
	}
}

// Heard is a PINGRESP that nobody could read.
func (d *mqtt) Heard(i uint32, _ uint8, _ time.Duration) { d.clients[i].asked = false }

// Forget begins anew. What the broker has of its session comes all the same.
func (d *mqtt) Forget(i uint32) {
	d.drop(i)
	d.clients[i] = mqttClient{}
}

// Closed backs off.
func (d *mqtt) Closed(i uint32, _ uint8, _ time.Duration, end End) time.Duration {
	c := &d.clients[i]
	d.drop(i)
	c.pingAt, c.state, c.asked = 0, mqttNew, false
	return d.retry.wait(&c.failures, end)
}

// Publishing is by the client's own connection.
func (d *mqtt) Publishing(string) Way { return BySocket }

// AppendRequest is not how it is done.
func (d *mqtt) AppendRequest(dst []byte, _ *Message, _ *HTTPRequest) []byte { return dst }

// Answer is not asked for.
func (d *mqtt) Answer(int, []byte) error { return nil }

// AppendFrame makes a PUBLISH.
func (d *mqtt) AppendFrame(dst []byte, i uint32, m *Message) ([]byte, ws.OpCode) {
	id := uint16(0)
	if m.Class == "kept" {
		c := &d.clients[i]
		if c.packet++; c.packet == 0 {
			c.packet = 1
		}
		id = c.packet
	}
	prefix, name := d.channels.to(i, m)
	return appendMQTTPublish(dst, prefix, name, id, m.Class == "latest", m.Payload), ws.OpBinary
}
