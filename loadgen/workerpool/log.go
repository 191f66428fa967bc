package workerpool

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// Bounds of what a child may print: a line, and how many.
const (
	maxLine  = 4 << 10
	maxLines = 1000
)

// log writes whole lines of several writers.
type log struct {
	sync.Mutex
	w io.Writer
}

func newLog(w io.Writer) *log { return &log{w: w} }

func (l *log) line(format string, args ...any) {
	l.Lock()
	defer l.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...) // nobody could be told if it fails
}

// prefixed returns a writer whose lines begin with prefix. Long lines are cut,
// and after maxLines there are no more.
func (l *log) prefixed(prefix string) *lines { return &lines{log: l, prefix: prefix} }

// lines is written to by one goroutine; lastLine may be called when that has
// ended.
type lines struct {
	log    *log
	prefix string

	part []byte
	cut  bool // the rest of this line is left out
	n    int
	last string
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		p = rest
		if room := maxLine - len(l.part); len(line) > room {
			line, l.cut = line[:room], true
		}
		l.part = append(l.part, line...)
		if whole {
			l.flush()
		}
	}
	return n, nil
}

// flush writes what there is of a line.
func (l *lines) flush() {
	if len(l.part) == 0 {
		return
	}
	text := string(l.part)
	if l.cut {
		text += " ..."
	}
	l.part, l.cut, l.last = l.part[:0], false, text
	switch l.n++; {
	case l.n < maxLines:
		l.log.line("%s%s", l.prefix, text)
	case l.n == maxLines:
		l.log.line("%sfurther lines are left out", l.prefix)
	}
}

// lastLine returns the last line, for the reason of an end.
func (l *lines) lastLine() string {
	if l.last == "" {
		return ""
	}
	return ": " + l.last
}
