package coord

import "strings"

// maxOutput is how much of the end of a hook's output is kept, in bytes: what
// went wrong stands there.
const maxOutput = 4 << 10

// maxPID is beyond what Linux has: 2^22.
const maxPID = 1 << 22

// output reads what a hook prints: it keeps the end, and the last pid=NNN of all
// of it.
//
//	0 --p--> 1 --i--> 2 --d--> 3 --=--> 4 --digits--> 4 --other--> 0
type output struct {
	tail []byte
	cut  bool // there was more

	state int  // how many bytes of "pid=" were read
	last  byte // the byte before
	digit int  // the number so far
	pid   int  // the last that was whole
}

const pidMark = "pid="

// Write takes output.
func (o *output) Write(p []byte) (int, error) {
	for _, c := range p {
		o.scan(c)
	}
	if over := len(p) - maxOutput; over > 0 {
		o.tail, o.cut = append(o.tail, p[over:]...), true
	} else {
		o.tail = append(o.tail, p...)
	}
	if over := len(o.tail) - maxOutput; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
		o.cut = true
	}
	return len(p), nil
}

func (o *output) scan(c byte) {
	defer func() { o.last = c }()
	switch {
	case o.state == len(pidMark) && '0' <= c && c <= '9':
		o.digit = min(10*o.digit+int(c-'0'), maxPID+1)
		return
	case o.state == len(pidMark):
		o.pid = o.process()
		o.state, o.digit = 0, 0
	case o.state > 0 && c == pidMark[o.state]:
		o.state++
		return
	default:
		o.state = 0
	}
	if c == pidMark[0] && !inWord(o.last) { // ppid is somebody else's
		o.state = 1
	}
}

func inWord(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_'
}

// process returns the process that was named last; 0: none was.
func (o *output) process() int {
	if o.state == len(pidMark) && 0 < o.digit && o.digit <= maxPID {
		return o.digit
	}
	return o.pid
}

// text returns the end of what was printed.
func (o *output) text() string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(o.tail), "?"))
	if o.cut {
		s = "... " + s
	}
	return s
}
