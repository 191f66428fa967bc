package live

import (
	"fmt"
	"io"
	"sync"
	"time"

	"roost/loadgen/result"
)

// Screen shows a run on one screen of a terminal, which is painted again each
// second and when the window changes.
//
// It needs nothing to be restored: it stays in the terminal's own screen,
// leaves the keyboard alone, and hides the cursor only within a write, which is
// one for each picture. So a terminal is as it was even after kill -9, and what
// was written before is still there.
//
// What else is written to the terminal goes through Log, above the picture.
type Screen struct {
	// Static after construction.
	t    Terminal
	wake chan struct{}
	over chan struct{} // closed by Done
	gone chan struct{} // closed when the painter has ended

	// mu protects the following.
	mu      sync.Mutex
	shown   *snapshot
	history history
	log     []byte
	left    int // bytes of log that found no room
	begun   bool
	ended   bool
	failed  error

	// Owned by the painter.
	drawn         int // lines of the picture that is there, cursor below
	columns, rows int
}

// maxLog bounds what waits to be written above the picture.
const maxLog = 64 << 10

// NewScreen returns a view on a terminal.
func NewScreen(t Terminal) *Screen {
	return &Screen{t: t, wake: make(chan struct{}, 1), over: make(chan struct{}), gone: make(chan struct{})}
}

// Show draws f soon.
func (s *Screen) Show(f *Frame) {
	snap := keepWhole(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = snap
	s.history.add(f)
	s.poke()
}

// Log returns a writer of what is to stand above the picture. It does not wait: up
// to 64 KiB wait for the picture's next turn, and of more only the size is said.
// Any goroutine may use it; after Done it writes to the terminal itself.
func (s *Screen) Log() io.Writer { return (*screenLog)(s) }

type screenLog Screen

// Write takes whole lines.
func (l *screenLog) Write(b []byte) (int, error) {
	s := (*Screen)(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return s.t.Out.Write(b)
	}
	if len(s.log)+len(b) > maxLog {
		s.left += len(b)
	} else {
		s.log = append(s.log, b...)
	}
	s.poke()
	return len(b), nil
}

// poke wakes the painter, and begins it the first time. It is called with mu.
func (s *Screen) poke() {
	if s.ended {
		return
	}
	if !s.begun {
		s.begun = true
		go s.paint()
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// Done takes the picture away and returns the first error of writing. Further
// calls do nothing.
func (s *Screen) Done(*result.Result) error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.ended = true
	begun := s.begun
	s.mu.Unlock()
	close(s.over)
	if s.t.Stop != nil {
		s.t.Stop()
	}
	if begun {
		t := time.NewTimer(patience)
		defer t.Stop()
		select {
		case <-s.gone:
		case <-t.C: // stopped by Ctrl-S, say: the write is left behind
			return errSlow
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// paint is the painter: it has the terminal to itself.
func (s *Screen) paint() {
	defer close(s.gone)
	for {
		select {
		case <-s.wake:
		case <-s.t.Resized:
		case <-s.over:
			s.write(s.clear())
			return
		}
		s.write(s.picture())
	}
}

func (s *Screen) write(b []byte) {
	s.mu.Lock()
	broken := s.failed != nil
	s.mu.Unlock()
	if broken || len(b) == 0 {
		return
	}
	if _, err := s.t.Out.Write(b); err != nil {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
	}
}

// Codes of ECMA-48 that every terminal since the VT220 knows.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	eraseLine  = "\x1b[K" // what is right of the cursor
	eraseBelow = "\x1b[J"
	eraseAll   = "\x1b[H\x1b[2J"
	upBy       = "\x1b[%dA"
)

// picture returns what to write: the way back to the picture's first line, what
// was logged, and the new picture.
func (s *Screen) picture() []byte {
	columns, rows := s.t.Size()
	if columns <= 0 || rows <= 0 {
		columns, rows = 80, 24
	}
	s.mu.Lock()
	log := s.takeLog()
	shown := s.shown
	var lines []line
	if shown != nil {
		// A line that is full leaves some cursors on it and others below; and the
		// cursor's own line is the last one.
		lines = draw(shown, &s.history, columns-1, rows-1, s.t.ASCII)
	}
	s.mu.Unlock()
	b := append(make([]byte, 0, 8192), hideCursor...)
	if s.drawn > 0 && (columns != s.columns || rows != s.rows) {
		b = append(b, eraseAll...) // the terminal has moved the lines about
		s.drawn = 0
	}
	b = s.back(b)
	b = append(b, log...)
	for _, l := range lines {
		b = l.appendTo(b, s.t.Colour)
		b = append(b, eraseLine+"\r\n"...)
	}
	s.drawn, s.columns, s.rows = len(lines), columns, rows
	return append(b, eraseBelow+showCursor...)
}

// takeLog returns what is to be written above the picture. It is called with mu.
func (s *Screen) takeLog() (out []byte) {
	for _, c := range s.log {
		switch {
		case c == '\n':
			out = append(out, eraseLine+"\r\n"...)
		case c < ' ' && c != '\t' || c == 0x7f:
			out = append(out, '?') // nothing that a terminal would obey
		default:
			out = append(out, c)
		}
	}
	if n := len(s.log); n > 0 && s.log[n-1] != '\n' {
		out = append(out, eraseLine+"\r\n"...)
	}
	if s.left > 0 {
		out = fmt.Appendf(out, "(%d bytes more, too fast to be shown)%s\r\n", s.left, eraseLine)
	}
	s.log, s.left = s.log[:0], 0
	return out
}

// back goes to the first line of the picture.
func (s *Screen) back(b []byte) []byte {
	if s.drawn > 0 {
		b = fmt.Appendf(b, upBy, s.drawn)
		b = append(b, '\r')
	}
	return b
}

// clear takes the picture away.
func (s *Screen) clear() []byte {
	s.mu.Lock()
	log := s.takeLog()
	s.mu.Unlock()
	if s.drawn == 0 {
		return log
	}
	b := s.back(nil)
	s.drawn = 0
	return append(append(b, eraseBelow...), log...)
}
