package server

import (
	"encoding/binary"
	"errors"
	"strconv"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/session"
	"roost/server/wire"
	"roost/server/ws"
)

// connectQuery is what the parameters of /v1/connect say.
type connectQuery struct {
	hello  delivery.Hello // without Conn and Fresh
	hb     int            // s
	topics []string
	hop    int  // times in a row that it was sent elsewhere
	failed bool // a node that it was sent to could not be reached
}

// connectQuery reads the parameters of /v1/connect. The bytes in it are valid
// until the next request.
func (h *handler) connectQuery(q *connectQuery) *ws.HandshakeError {
	*q = connectQuery{}
	scratch := h.query[:0]
	value := func(name string) (v []byte, found bool, err error) {
		v, found, err = ws.QueryValue(h.req.RawQuery, name, scratch)
		scratch = v[len(v):]
		return v, found, err
	}
	id, found, err := value("device")
	switch {
	case !found:
		return errNoDevice
	case err != nil || !session.ValidID(id):
		return errBadDevice
	}
	q.hello.ID = id
	if v, found, err := value("sid"); found {
		if q.hello.SID, err = parseSID(v, err); err != nil {
			return errBadSID
		}
	}
	q.hb = defaultHeartbeat
	if v, found, err := value("hb"); found {
		n, bad := strconv.Atoi(string(v))
		if q.hb = n; err != nil || bad != nil || n < minHeartbeat || n > maxHeartbeat {
			return errBadHeartbeat
		}
	}
	epoch, hasEpoch, err1 := value("epoch")
	seq, hasSeq, err2 := value("seq")
	if hasEpoch || hasSeq {
		n, err3 := strconv.ParseUint(string(seq), 10, 64)
		if !hasEpoch || !hasSeq || errors.Join(err1, err2, err3) != nil || !validEpoch(epoch) || n > wire.MaxSeq {
			return errBadResume
		}
		q.hello.Resume = inbox.Resume{Given: true, Epoch: epoch, Seq: n}
	}
	if v, found, err := value("hop"); found {
		if err != nil || len(v) != 1 || v[0] < '0' || v[0] > '9' {
			return errBadHop
		}
		q.hop = int(v[0] - '0')
	}
	_, q.failed, _ = value("failed")
	return h.claims(q)
}

// claims reads the topics that the device says it belongs to.
func (h *handler) claims(q *connectQuery) *ws.HandshakeError {
	for rest := h.req.RawQuery; ; {
		v, next, found, err := ws.QueryNext(rest, "topic", nil)
		if !found {
			return nil
		}
		if err != nil || !wire.ValidChannel(v) || len(q.topics) == inbox.MaxSubscriptions {
			return errBadTopic
		}
		q.topics = append(q.topics, string(v))
		rest = next
	}
}

// validEpoch is the syntax of epochs: 1 to 32 letters, digits, dots, dashes and
// underscores.
func validEpoch(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return len(b) >= 1 && len(b) <= 32
}

const hexDigits = "0123456789abcdef"

// appendSID writes a session id as 16 hex digits.
func appendSID(dst []byte, sid uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[sid>>shift&15])
	}
	return dst
}

var errSID = errors.New("not a session id")

// parseSID is the inverse of appendSID.
func parseSID(v []byte, err error) (uint64, error) {
	var b [8]byte
	if err != nil || len(v) != 16 {
		return 0, errSID
	}
	for i := range b {
		hi, lo := unhex(v[2*i]), unhex(v[2*i+1])
		if hi > 15 || lo > 15 {
			return 0, errSID
		}
		b[i] = hi<<4 | lo
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
