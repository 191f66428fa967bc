package experiment

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// mostLog bounds what is kept of what a process says.
const mostLog = 16 << 20

// logFile is where a process's output goes. It sees a line that begins with
// "ready", and keeps no more than mostLog. Safe for concurrent use: stdout and
// stderr both write.
type logFile struct {
	ready chan struct{} // closed at that line

	mu      sync.Mutex
	file    *os.File
	written int
	begin   []byte // of the line under way, as much as "ready" is long
	said    bool
}

const readyWord = "ready"

func newLog(path string) (*logFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &logFile{ready: make(chan struct{}), file: f}, nil
}

// Write never fails: a process must not end for its log.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range p {
		switch {
		case c == '\n':
			l.begin = l.begin[:0]
		case len(l.begin) < len(readyWord):
			l.begin = append(l.begin, c)
			if !l.said && string(l.begin) == readyWord {
				l.said = true
				close(l.ready)
			}
		}
	}
	if keep := min(len(p), mostLog-l.written); keep > 0 {
		n, _ := l.file.Write(p[:keep])
		l.written += n
		if l.written >= mostLog {
			fmt.Fprintf(l.file, "\n(the rest is left out: more than %d MiB)\n", mostLog>>20)
		}
	}
	return len(p), nil
}

// close closes the file.
func (l *logFile) close() error { return l.file.Close() }

// lastLines are the last lines of a file, for an error.
func lastLines(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, 2)
	}
	b := make([]byte, most)
	read, _ := f.Read(b)
	lines := bytes.Split(bytes.TrimSpace(b[:read]), []byte("\n"))
	lines = lines[max(0, len(lines)-n):]
	if len(lines) == 1 && len(lines[0]) == 0 {
		return "  (it said nothing)"
	}
	var out strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&out, "  | %s\n", line)
	}
	return strings.TrimRight(out.String(), "\n")
}
