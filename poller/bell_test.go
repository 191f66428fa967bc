package poller

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestParkedLoop: in a process with one P, loops are parked; they hear of
// connections, input, tasks and their end like others.
func TestParkedLoop(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	p := start(t, Options{}, &script{data: func(c Conn, b []byte) int {
		c.Write(b, Reliable)
		return len(b)
	}})
	runtime.GOMAXPROCS(before)
	if p.Loops()[0].re.bell == nil {
		t.Fatal("it is not parked")
	}
	c := dialTo(t, p)
	defer c.Close()
	for i := range 1000 {
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if b := readFull(t, c, 1); b[0] != byte(i) {
			t.Fatalf("echo %d is %d", i, b[0])
		}
		if i%10 == 0 {
			do(t, p.Loops()[0], func(*Loop) {})
		}
	}
}

// TestBell: it tells of what is there already, of what comes while it waits, and of
// one that comes again; it keeps no descriptor.
func TestBell(t *testing.T) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epfd)
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		t.Fatal(err)
	}
	b, err := newBell(epfd)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]unix.EpollEvent, 4)
	ring := func() { unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }
	heard := make(chan error)
	hear := func() {
		n, err := b.wait(events)
		if err == nil && (n != 1 || events[0].Fd != int32(fd)) {
			err = errors.New("another event")
		}
		var count [8]byte
		unix.Read(fd, count[:])
		heard <- err
	}
	ring() // before
	go hear()
	if err := recv(t, "what was there", heard); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		go hear()
		runtime.Gosched()
		ring() // while it waits, or just before
		if err := recv(t, "what came", heard); err != nil {
			t.Fatal(err)
		}
	}
	go hear() // nothing comes
	select {
	case err := <-heard:
		t.Fatalf("woken for nothing: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	ring()
	if err := recv(t, "the last", heard); err != nil {
		t.Fatal(err)
	}
	go hear()
	time.Sleep(time.Millisecond) // it waits, as a rule
	b.close()
	if err := recv(t, "the end", heard); err == nil {
		t.Error("closed while it waits: an event")
	}
}
