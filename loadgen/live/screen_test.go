package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// recorder is a terminal that keeps each write.
type recorder struct {
	mu     sync.Mutex
	writes []string
	wrote  chan struct{}
}

func newRecorder() *recorder { return &recorder{wrote: make(chan struct{}, 1000)} }

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.writes = append(r.writes, string(b))
	r.mu.Unlock()
	r.wrote <- struct{}{}
	return len(b), nil
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.writes, "")
}

func (r *recorder) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes[len(r.writes)-1]
}

// await fails the test if nothing comes of c in time.
func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("waiting for %s", what)
	}
	return v
}

func size(columns, rows int) func() (int, int) {
	return func() (int, int) { return columns, rows }
}

// TestScreenPaintsInOneWrite, goes back over its own lines, writes the log above
// them, and leaves nothing behind.
func TestScreenPaintsInOneWrite(t *testing.T) {
	r := newRecorder()
	s := NewScreen(Terminal{Out: r, Size: size(80, 24)})
	s.Show(busy())
	await(t, r.wrote, "the first picture")
	if got := r.last(); !strings.HasPrefix(got, hideCursor) || !strings.HasSuffix(got, eraseBelow+showCursor) || strings.Contains(got, eraseAll) {
		t.Errorf("first picture %q", got)
	}
	lines := strings.Count(r.last(), "\r\n")
	fmt.Fprint(s.Log(), "worker 1: \x1b[2Jhello\n")
	await(t, r.wrote, "the log")
	want := hideCursor + fmt.Sprintf(upBy, lines) + "\rworker 1: ?[2Jhello" + eraseLine + "\r\nfan-out"
	if got := r.last(); !strings.HasPrefix(got, want) {
		t.Errorf("with log %q, want prefix %q", got, want)
	}
	if err := errors.Join(s.Done(nil), s.Done(nil)); err != nil {
		t.Fatal(err)
	}
	if got, want := r.last(), fmt.Sprintf(upBy, lines)+"\r"+eraseBelow; got != want {
		t.Errorf("at the end %q, want %q", got, want)
	}
	fmt.Fprint(s.Log(), "late\n")
	if r.last() != "late\n" {
		t.Errorf("after the end %q", r.last())
	}
	s.Show(busy()) // is late, and does nothing
	if strings.Contains(r.all(), "\x1b[1m") {
		t.Error("colours where there are none")
	}
}

// TestScreenFollowsTheWindow: another size is another picture, at once, on a
// clean screen.
func TestScreenFollowsTheWindow(t *testing.T) {
	r := newRecorder()
	var mu sync.Mutex
	columns := 120
	resized := make(chan os.Signal)
	stopped := false
	s := NewScreen(Terminal{Out: r, Colour: true, Resized: resized, Stop: func() { stopped = true }, Size: func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return columns, 30
	}})
	s.Show(busy())
	await(t, r.wrote, "a picture")
	if !strings.Contains(r.last(), "\x1b[1;31m✗ INVALID so far\x1b[0m") {
		t.Errorf("no colours in %q", r.last())
	}
	mu.Lock()
	columns = 50
	mu.Unlock()
	resized <- syscall.SIGWINCH
	await(t, r.wrote, "a smaller picture")
	if got := r.last(); !strings.HasPrefix(got, hideCursor+eraseAll) {
		t.Errorf("smaller picture %q", got)
	}
	if err := s.Done(nil); err != nil || !stopped {
		t.Errorf("done: %v, stopped %v", err, stopped)
	}
}

// vanished is a terminal that has gone away.
type vanished struct{ tried chan struct{} }

func (f vanished) Write([]byte) (int, error) {
	f.tried <- struct{}{} // holds one: a second write would hang
	return 0, errors.New("disk full")
}

// TestScreenThatFailsIsQuiet: it writes no more, and the error comes at the end.
func TestScreenThatFailsIsQuiet(t *testing.T) {
	out := vanished{make(chan struct{}, 1)}
	s := NewScreen(Terminal{Out: out, Size: size(0, 0)})
	f := busy()
	s.Show(f)
	for len(out.tried) == 0 {
		runtime.Gosched()
	}
	for range 3 {
		s.Show(f)
	}
	if err := s.Done(nil); err == nil || err.Error() != "disk full" {
		t.Errorf("got %v", err)
	}
	if err := NewScreen(Terminal{Out: broken{}}).Done(nil); err != nil {
		t.Errorf("never shown: %v", err)
	}
}

// TestScreenNeverWaits for a terminal that takes nothing.
func TestScreenNeverWaits(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := NewScreen(Terminal{Out: out, Size: size(200, 60)})
	f := busy()
	for range 200 {
		s.Show(f)
		fmt.Fprintln(s.Log(), strings.Repeat("x", 1000))
	}
	if err := s.Done(nil); !errors.Is(err, errSlow) {
		t.Errorf("got %v, want %v", err, errSlow)
	}
	s.mu.Lock()
	waiting := len(s.log)
	s.mu.Unlock()
	if waiting > maxLog {
		t.Errorf("%d bytes of log wait", waiting)
	}
	in.Close() // lets go of the painter
	await(t, s.gone, "the painter's end")
	out.Close()
}

// openPTY returns a pseudo terminal of a size.
func openPTY(t *testing.T, columns, rows uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	control := func(request uintptr, arg unsafe.Pointer) {
		raw, err := master.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var errno syscall.Errno
		if err := raw.Control(func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)) }); err != nil || errno != 0 {
			t.Skipf("pseudo terminal: %v %v", err, errno)
		}
	}
	var unlock, number int32
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&[4]uint16{rows, columns}))
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("pseudo terminal: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestScreenOnTerminal: on a real one, with its size, and its modes as before.
func TestScreenOnTerminal(t *testing.T) {
	master, slave := openPTY(t, 60, 12)
	terminal, ok := OpenTerminal(slave, func(name string) string {
		return map[string]string{"TERM": "xterm", "LANG": "C"}[name]
	})
	if !ok || !terminal.Colour || !terminal.ASCII {
		t.Fatalf("ok %v, %+v", ok, terminal)
	}
	if c, r := terminal.Size(); c != 60 || r != 12 {
		t.Errorf("size %dx%d", c, r)
	}
	seen, painted := make(chan string), make(chan struct{})
	paint := sync.OnceFunc(func() { close(painted) })
	go func() {
		var b bytes.Buffer
		for !strings.Contains(b.String(), "bye") {
			if _, err := io.CopyN(&b, master, 1); err != nil {
				break
			}
			if strings.Contains(b.String(), showCursor) {
				paint()
			}
		}
		seen <- b.String()
	}()
	s := NewScreen(terminal)
	s.Show(busy())
	await(t, painted, "a picture")
	if err := s.Done(nil); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s.Log(), "bye")
	got := await(t, seen, "what the terminal got")
	for _, want := range []string{"fan-out", "INVALID so far", "\x1b[1;31m", eraseBelow} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Count(got, hideCursor) != strings.Count(got, showCursor) || strings.Contains(got, "\x1b[?1049") {
		t.Errorf("the terminal is not as it was: %q", got)
	}
}

// TestNoTerminal: files, pipes and terminals that obey nothing are none.
func TestNoTerminal(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	xterm := func(name string) string { return map[string]string{"TERM": "xterm", "NO_COLOR": "1"}[name] }
	for _, w := range []io.Writer{out, &bytes.Buffer{}} {
		if _, ok := OpenTerminal(w, xterm); ok {
			t.Errorf("%T is a terminal", w)
		}
	}
	if n := Columns(out); n != 0 {
		t.Errorf("a pipe has %d columns", n)
	}
	_, slave := openPTY(t, 80, 24)
	if n := Columns(slave); n != 80 {
		t.Errorf("%d columns, want 80", n)
	}
	if _, ok := OpenTerminal(slave, func(string) string { return "dumb" }); ok {
		t.Error("a dumb terminal obeys")
	}
	terminal, ok := OpenTerminal(slave, xterm)
	if !ok || terminal.Colour || terminal.ASCII {
		t.Errorf("ok %v, %+v: want no colour, and symbols", ok, terminal)
	}
	terminal.Stop()
}
