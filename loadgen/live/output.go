package live

import (
	"errors"
	"io"
	"sync"
	"time"
)

// maxWaiting bounds what waits to be written: an hour of lines that a pipe
// without a reader does not take. What comes when it is full is left out.
const maxWaiting = 1 << 20

// patience is how long the end of a view waits for a slow reader.
const patience = 2 * time.Second

// errSlow is that a reader has not taken all by the end.
var errSlow = errors.New("what it writes to does not take it")

// output writes to something that may be slow, on a goroutine that is there
// while something waits, so that whoever writes never does.
type output struct {
	// Static after construction.
	w io.Writer

	// mu protects the following.
	mu      sync.Mutex
	waiting []byte
	idle    chan struct{} // closed when the goroutine has ended; nil: there is none
	failed  error
}

// put takes a line, or a frame, whole. It reports false if there is no room for
// it; must is taken in any case.
func (o *output) put(b []byte, must bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil || !must && len(o.waiting)+len(b) > maxWaiting {
		return false
	}
	o.waiting = append(o.waiting, b...)
	if o.idle == nil {
		o.idle = make(chan struct{})
		go o.drain(o.idle)
	}
	return true
}

// drain writes until nothing waits.
func (o *output) drain(idle chan struct{}) {
	defer close(idle)
	var spare []byte
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 || o.failed != nil {
			o.idle, o.waiting = nil, nil
			o.mu.Unlock()
			return
		}
		b := o.waiting
		o.waiting = spare[:0]
		o.mu.Unlock()
		_, err := o.w.Write(b)
		spare = b
		if err != nil {
			o.mu.Lock()
			o.failed = err
			o.mu.Unlock()
		}
	}
}

// close waits until all is written, as long as patience lasts, and returns the
// first error of writing. A write that hangs is left behind: the process ends
// soon.
func (o *output) close() error {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	if idle != nil {
		t := time.NewTimer(patience)
		defer t.Stop()
		select {
		case <-idle:
		case <-t.C:
			return errSlow
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}
