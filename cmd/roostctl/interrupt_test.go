package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterruptedRead: a command that waits for its input ends when it is told to,
// says nothing of what it has read, and writes nothing.
func TestInterruptedRead(t *testing.T) {
	inTemp(t)
	if _, err := call(t, "ring build --node a:1 --out a.ring", ""); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ring verify --nodes 3 -", "ring lookup a.ring -"} {
		ctx, cancel := context.WithCancel(context.Background())
		in, feed := io.Pipe()
		ended := make(chan error)
		var out strings.Builder
		go func() { ended <- run(ctx, strings.Fields(line), in, &out, io.Discard) }()
		_, _ = feed.Write([]byte("device-1\ndevi")) // ends when it was read
		cancel()
		err := <-ended
		var errout strings.Builder
		if code := exitCode(err, &errout); code != 130 || errout.String() != "roostctl: interrupted\n" || strings.Contains(out.String(), "verdict") {
			t.Errorf("%s: code %d, %q, output %q", line, code, errout.String(), out.String())
		}
		feed.Close() // the read that was left behind ends
	}
}

// TestInterruptedFifo: also one that nobody has opened yet, to read or to write.
func TestInterruptedFifo(t *testing.T) {
	inTemp(t)
	if err := syscall.Mkfifo("fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ring show fifo", "ring verify --file fifo", "ring profile fifo", "ring build --node a:1 --out fifo"} {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- run(ctx, strings.Fields(line), nil, io.Discard, io.Discard) }()
		cancel()
		if err := <-ended; !errors.Is(err, errInterrupted) || err.Error() != "interrupted" {
			t.Errorf("%s: %v", line, err)
		}
	}
	// Opened for both, a fifo lets go whoever waits for the other side, or will.
	var err error
	if openFifo, err = os.OpenFile("fifo", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
}

var openFifo *os.File // until the end

// TestInterruptedBeforeWriting: a ring that was asked for is not written then.
func TestInterruptedBeforeWriting(t *testing.T) {
	inTemp(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := run(ctx, strings.Fields("ring build --node a:1 --out a.ring"), nil, io.Discard, io.Discard)
	if _, there := os.Stat("a.ring"); !errors.Is(err, errInterrupted) || there == nil {
		t.Errorf("%v, file: %v", err, there)
	}
}

// process starts roostctl itself: this test program, which TestMain turns into it.
func process(t *testing.T, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), beRoostctl+"=1")
	errout := &strings.Builder{}
	c.Stderr = errout
	return c, errout
}

// TestSignal: a signal is told as what it is, and not as an error of a server.
func TestSignal(t *testing.T) {
	asked := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer s.Close()
	c, errout := process(t, "ring", "profile", "--url", s.URL)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _ = c.Wait(); c.ProcessState.ExitCode() != 130 || errout.String() != "roostctl: interrupted\n" {
		t.Errorf("%v, %q", c.ProcessState, errout.String())
	}
}

// TestSecondSignal ends a process that can not end by itself: it writes to a pipe from
// which nobody reads.
func TestSecondSignal(t *testing.T) {
	inTemp(t)
	if _, err := call(t, "ring build --node a:1 --out a.ring", ""); err != nil {
		t.Fatal(err)
	}
	c, _ := process(t, "ring", "lookup", "a.ring", "-")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = strings.NewReader(lines(100_000))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReaderSize(out, 16).ReadByte(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = c.Process.Wait()
	}()
	for again := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ended:
			again.Stop()
			out.Close()
			_ = c.Wait()
			return
		case <-again.C:
			_ = c.Process.Signal(os.Interrupt)
		}
	}
}
