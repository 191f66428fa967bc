package link

import (
	"io"
	"sync"
)

// pairQueue is how many messages may wait in a pair: those of some seconds.
const pairQueue = 64

// end is one end of a pair.
type end struct {
	in, out chan *Message
	// closed is shared: closing one end closes both.
	closed chan struct{}
	once   *sync.Once
}

// Pair returns the two ends of a link within a process. Messages are handed
// over as they are, so a sender must not touch what it has sent.
func Pair() (Link, Link) {
	a, b := make(chan *Message, pairQueue), make(chan *Message, pairQueue)
	closed, once := make(chan struct{}), new(sync.Once)
	return &end{a, b, closed, once}, &end{b, a, closed, once}
}

func (e *end) Send(m *Message) error {
	select {
	case <-e.closed:
		return io.ErrClosedPipe
	default:
	}
	select {
	case e.out <- m:
		return nil
	case <-e.closed:
		return io.ErrClosedPipe
	}
}

// Receive returns what was sent before the end, too.
func (e *end) Receive() (*Message, error) {
	select {
	case m := <-e.in:
		return m, nil
	default:
	}
	select {
	case m := <-e.in:
		return m, nil
	case <-e.closed:
		select {
		case m := <-e.in:
			return m, nil
		default:
			return nil, io.EOF
		}
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}
