package dialect

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of control packets: the upper half of the first byte (MQTT 3.1.1, 2.2.1).
const (
	mqttConnect   = 1
	mqttConnack   = 2
	mqttPublish   = 3
	mqttPuback    = 4
	mqttSubscribe = 8
	mqttSuback    = 9
	mqttPingreq   = 12
	mqttPingresp  = 13
)

// maxMQTTPacket bounds what is gathered of one packet, in bytes: 16 messages of
// the largest size that a run has.
const maxMQTTPacket = 1 << 20

var (
	errMQTTShort  = errors.New("a part of a packet")
	errMQTTLength = errors.New("mqtt: a remaining length of more than four bytes")
	errMQTTBig    = fmt.Errorf("mqtt: a packet of more than %d bytes", maxMQTTPacket)
	errMQTTCut    = errors.New("mqtt: a packet ends too early")
)

// cutMQTT takes the first packet off b: its first byte, and what is behind the
// remaining length (2.2.3). errMQTTShort asks for more.
func cutMQTT(b []byte) (first byte, body, rest []byte, err error) {
	length := 0
	for i := 1; ; i++ {
		if i > 4 {
			return 0, nil, b, errMQTTLength
		}
		if i >= len(b) {
			return 0, nil, b, errMQTTShort
		}
		length |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i]&0x80 != 0 {
			continue
		}
		if length > maxMQTTPacket {
			return 0, nil, b, errMQTTBig
		}
		if len(b)-i-1 < length {
			return 0, nil, b, errMQTTShort
		}
		body = b[i+1 : i+1+length]
		return b[0], body, b[i+1+length:], nil
	}
}

// cutMQTTPublish reads the body of a PUBLISH (3.3). id is that of QoS 1.
func cutMQTTPublish(first byte, body []byte) (id uint16, payload []byte, err error) {
	if len(body) < 2 {
		return 0, nil, errMQTTCut
	}
	n := int(binary.BigEndian.Uint16(body))
	if len(body) < 2+n {
		return 0, nil, errMQTTCut
	}
	payload = body[2+n:]
	switch qos := first >> 1 & 3; qos {
	case 0:
	case 1:
		if len(payload) < 2 {
			return 0, nil, errMQTTCut
		}
		if id = binary.BigEndian.Uint16(payload); id == 0 {
			return 0, nil, errors.New("mqtt: a PUBLISH of QoS 1 with packet identifier 0")
		}
		payload = payload[2:]
	default:
		return 0, nil, fmt.Errorf("mqtt: a PUBLISH of QoS %d, and 1 is the most that was subscribed", qos)
	}
	return id, payload, nil
}

// appendMQTTHead appends first byte and remaining length.
func appendMQTTHead(dst []byte, first byte, length int) []byte {
	dst = append(dst, first)
	for length >= 0x80 {
		dst = append(dst, byte(length)|0x80)
		length >>= 7
	}
	return append(dst, byte(length))
}

// appendMQTTString appends a string with its length (1.5.3). It is short: names
// are.
func appendMQTTString(dst []byte, prefix, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(prefix)+len(s)))
	return append(append(dst, prefix...), s...)
}

// appendMQTTConnect appends a CONNECT (3.1).
func appendMQTTConnect(dst []byte, client string, clean bool, keepAlive uint16) []byte {
	dst = appendMQTTHead(dst, mqttConnect<<4, 2+4+1+1+2+2+len(client))
	dst = appendMQTTString(dst, "", "MQTT")
	flags := byte(0)
	if clean {
		flags = 2
	}
	dst = append(dst, 4, flags)
	dst = binary.BigEndian.AppendUint16(dst, keepAlive)
	return appendMQTTString(dst, "", client)
}

// appendMQTTSubscribe appends a SUBSCRIBE with QoS 1 for all topics (3.8).
func appendMQTTSubscribe(dst []byte, id uint16, topics []string) []byte {
	length := 2
	for _, t := range topics {
		length += 2 + len(t) + 1
	}
	dst = appendMQTTHead(dst, mqttSubscribe<<4|2, length)
	dst = binary.BigEndian.AppendUint16(dst, id)
	for _, t := range topics {
		dst = append(appendMQTTString(dst, "", t), 1)
	}
	return dst
}

// appendMQTTPublish appends a PUBLISH; id 0 is QoS 0.
func appendMQTTPublish(dst []byte, prefix, topic string, id uint16, retain bool, payload []byte) []byte {
	first, length := byte(mqttPublish<<4), 2+len(prefix)+len(topic)+len(payload)
	if id != 0 {
		first |= 1 << 1
		length += 2
	}
	if retain {
		first |= 1
	}
	dst = appendMQTTString(appendMQTTHead(dst, first, length), prefix, topic)
	if id != 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	return append(dst, payload...)
}
