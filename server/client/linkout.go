package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// closedError is the node's close frame, in words.
type closedError struct {
	code   ws.StatusCode
	reason string
}

func (e *closedError) Error() string {
	return fmt.Sprintf("client: closed by the node with %d %s", e.code, e.reason)
}

var errKind = errors.New("client: a message of the other form")

// mask returns the key of a frame (RFC 6455, 5.3). The generator is seeded by
// the system and not to be foreseen.
func mask() [4]byte {
	v := rand.Uint32()
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

// message queues a message.
func (k *link) message(f wire.Format, msg []byte) {
	op := ws.OpText
	if f == wire.Binary {
		op = ws.OpBinary
	}
	k.frame(op, msg)
}

// frame queues a frame. A node that lets more than maxQueue wait is cut off:
// it does not read.
func (k *link) frame(op ws.OpCode, payload []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing {
		return
	}
	k.out = ws.AppendMasked(k.out, op, mask(), payload)
	if len(k.out) > maxQueue {
		k.abortLocked()
	}
	k.wake.Signal()
}

// close queues a close frame as the last one.
func (k *link) close(code ws.StatusCode, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing {
		return
	}
	k.out = ws.AppendMaskedClose(k.out, mask(), code, reason)
	k.closing = true
	k.wake.Signal()
}

// finish ends the link from the loop's side: with a close frame if it is
// through with its handshake. No event of it comes any more.
func (k *link) finish(code uint16) {
	k.close(ws.StatusCode(code), "")
	k.leave(closingTime)
}

// retire leaves the link to its node, which closes it when it hears that the device is
// connected anew. One that does not, perhaps since the device is with another node now, is
// closed from here.
func (k *link) retire() {
	k.leave(retireTime + closingTime)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bye = time.AfterFunc(retireTime, func() { k.close(ws.StatusCode(CloseBack), "") })
}

func (k *link) leave(within time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = true
	if k.nc == nil {
		k.cancel()
		return
	}
	k.nc.SetDeadline(time.Now().Add(within))
}

// welcomed takes the time limit off reading.
func (k *link) welcomed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nc.SetReadDeadline(time.Time{})
}

// abort cuts the connection: the reader sees it.
func (k *link) abort() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.abortLocked()
}

func (k *link) abortLocked() {
	k.closing = true
	k.out = nil
	k.nc.Close()
}
