package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Bounds of messages in bytes. A tick of 16 groups with all histograms full is
// below 2 MB.
const (
	MaxMessage = 64 << 20
	MaxHello   = 64 << 10
)

// writeTimeout is how long a message may take to be taken by the other end: one
// that does not read is as good as gone.
const writeTimeout = 5 * time.Second

// Link carries messages both ways. Send may be called by any goroutine,
// Receive by one; Close ends both at once.
type Link interface {
	Send(m *Message) error
	// Receive returns the next message. Its memory is the caller's.
	Receive() (*Message, error)
	Close() error
}

// Conn is a Link over a connection.
type Conn struct {
	c net.Conn

	// Owned by who calls Receive.
	r       *bufio.Reader
	trusted bool

	// Guarded by sending.
	sending sync.Mutex
}

// NewConn returns a link over c, which it closes. Until Trust is called it
// takes a hello only, of MaxHello bytes at most.
func NewConn(c net.Conn) *Conn { return &Conn{c: c, r: bufio.NewReader(c)} }

// Trust says that the other end has proven who it is. It belongs to who calls
// Receive.
func (l *Conn) Trust() { l.trusted = true }

// Patience bounds how long the next Receive may wait; zero: for ever.
func (l *Conn) Patience(d time.Duration) error {
	if d == 0 {
		return l.c.SetReadDeadline(time.Time{})
	}
	return l.c.SetReadDeadline(time.Now().Add(d))
}

// Send writes a message as a whole.
func (l *Conn) Send(m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("a message of %d bytes: at most %d", len(body), MaxMessage)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	frame = append(frame, body...)
	l.sending.Lock()
	defer l.sending.Unlock()
	if err := l.c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = l.c.Write(frame)
	return err
}

// Receive reads a message.
func (l *Conn) Receive() (*Message, error) { return read(l.r, l.trusted) }

// Close closes the connection.
func (l *Conn) Close() error { return l.c.Close() }

// read reads a message. What a length promises is not allocated before it has
// come, and a stranger's message is not looked into for more than a hello: a
// histogram unpacks to a thousand times its size.
func read(r io.Reader, trusted bool) (*Message, error) {
	most := MaxHello
	if trusted {
		most = MaxMessage
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if int64(n) > int64(most) {
		return nil, fmt.Errorf("a message of %d bytes: at most %d; is this a loadgen of the same version?", n, most)
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if !trusted {
		return decodeHello(body.Bytes())
	}
	return decode(body.Bytes())
}
