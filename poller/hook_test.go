package poller

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// runReactor opens a reactor and runs it until the test ends.
func runReactor(t *testing.T, handle func([]unix.EpollEvent)) *reactor {
	t.Helper()
	r, err := openReactor(handle)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.wait() }()
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
		if err := recv(t, "wait ends after close", ended); err != nil {
			t.Error(err)
		}
	})
	return r
}

// eventfds makes n eventfds that are closed with the test.
func eventfds(t *testing.T, n int, initial uint) []int {
	t.Helper()
	fds := make([]int, n)
	for i := range fds {
		fd, err := unix.Eventfd(initial, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
		t.Cleanup(func() { unix.Close(fd) })
	}
	return fds
}

type seen struct {
	token  uint64
	events uint32
}

// TestHookTaggedEvents follows one descriptor through all that the package asks
// of the hook: readable, writable, changed interest, hang-up, detached, closed,
// number reused.
func TestHookTaggedEvents(t *testing.T) {
	got := make(chan seen, 1024)
	r := runReactor(t, func(events []unix.EpollEvent) {
		for i := range events {
			select {
			case got <- seen{tokenOf(&events[i]), events[i].Events}:
			default:
			}
		}
	})
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := pair[0], pair[1]
	ctl := func(op, fd int, events uint32, token uint64) {
		t.Helper()
		if err := r.control(op, fd, events, token); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what string, ok func(seen) bool) {
		t.Helper()
		for end := time.After(patience); ; {
			select {
			case s := <-got:
				if ok(s) {
					return
				}
			case <-end:
				t.Fatalf("no event: %s", what)
			}
		}
	}
	is := func(token uint64, events uint32) func(seen) bool {
		return func(s seen) bool { return s.token == token && s.events&events == events }
	}

	first := makeToken(kindConn, 0xabcdef, 0xfedcba98)
	ctl(unix.EPOLL_CTL_ADD, a, unix.EPOLLIN|unix.EPOLLRDHUP, first)
	unix.Write(b, []byte("x"))
	until("readable", is(first, unix.EPOLLIN))

	second := makeToken(kindConn, 0xabcdef, 0xfedcba99)
	ctl(unix.EPOLL_CTL_MOD, a, unix.EPOLLOUT, second)
	until("writable, with the token of the change", is(second, unix.EPOLLOUT))

	ctl(unix.EPOLL_CTL_MOD, a, unix.EPOLLRDHUP, second)
	unix.Shutdown(b, unix.SHUT_WR)
	until("peer's end", is(second, unix.EPOLLRDHUP))

	ctl(unix.EPOLL_CTL_DEL, a, 0, 0)
	drainEvents(t, r, got)
	if len(got) != 0 {
		t.Errorf("an event after detach: %+v", <-got)
	}

	ctl(unix.EPOLL_CTL_ADD, a, unix.EPOLLRDHUP, second)
	until("registered again", is(second, unix.EPOLLRDHUP))
	unix.Close(a)
	unix.Close(b)
	drainEvents(t, r, got)

	fd := eventfds(t, 1, 1)[0]
	if fd != a && fd != b {
		t.Logf("the descriptor was not reused: %d, want %d or %d", fd, a, b)
	}
	third := makeToken(kindConn, 1, 1)
	ctl(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, third)
	until("reused", func(s seen) bool {
		if s.token == second {
			t.Error("the event of a closed descriptor")
		}
		return s.token == third
	})
}

// drainEvents waits until the reactor has reported everything that was ready
// before the call, and forgets it.
func drainEvents(t *testing.T, r *reactor, got chan seen) {
	t.Helper()
	fence := eventfds(t, 1, 0)[0]
	token := makeToken(kindTimer, 7, 7)
	if err := r.control(unix.EPOLL_CTL_ADD, fence, unix.EPOLLIN, token); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second was ready after the first was seen: a whole turn between
		unix.Write(fence, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		for recv(t, "fence", got).token != token {
		}
		unix.Read(fence, make([]byte, 8))
	}
	r.control(unix.EPOLL_CTL_DEL, fence, 0, 0)
	for len(got) > 0 {
		<-got
	}
}

// TestHookLeavesNetpollAlone mixes ready descriptors of ours with netpoll's own
// operators: both work, and Trigger and Close too.
func TestHookLeavesNetpollAlone(t *testing.T) {
	var ours tally
	fds := eventfds(t, 8, 1)
	r := runReactor(t, func(events []unix.EpollEvent) {
		for i := range events {
			if tokenOf(&events[i])&tokenTag == 0 {
				t.Errorf("netpoll's event came to us: %#x", tokenOf(&events[i]))
			}
		}
		ours.inc()
	})
	for i, fd := range fds {
		if err := r.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, makeToken(kindConn, uint32(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	theirs := eventfds(t, 1, 0)[0]
	read := make(chan struct{}, 1)
	op := &netpoll.FDOperator{FD: theirs, OnRead: func(netpoll.Poll) error {
		unix.Read(theirs, make([]byte, 8))
		read <- struct{}{}
		return nil
	}}
	if err := r.poll.Control(op, netpoll.PollReadable); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		unix.Write(theirs, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		recv(t, "netpoll's operator reads", read)
		if err := r.poll.Trigger(); err != nil {
			t.Fatal(err)
		}
	}
	n := ours.get()
	await(t, "our events go on", func() bool { return ours.get() > n+10 })
	if err := r.poll.Control(op, netpoll.PollDetach); err != nil {
		t.Fatal(err)
	}
}

// TestHookBatchStaysClamped has more descriptors ready at once than a batch
// takes. netpoll would double its arrays, to 1.3 KB per event, and keep them.
func TestHookBatchStaysClamped(t *testing.T) {
	const n = 3 * maxBatch
	fds := eventfds(t, n, 1)
	started, all := make(chan struct{}), make(chan struct{})
	reported := map[uint64]bool{}
	largest, turns := 0, 0
	r, err := openReactor(func(events []unix.EpollEvent) {
		if largest == 0 {
			<-started
		}
		largest = max(largest, len(events))
		for i := range events {
			reported[tokenOf(&events[i])] = true
		}
		if turns++; turns == 64 {
			close(all)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		if err := r.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, makeToken(kindConn, uint32(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- r.wait() }()
	close(started)
	recv(t, "64 turns", all)
	r.close()
	if err := recv(t, "wait ends", ended); err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(r.poll).Elem()
	if size, events, barriers := v.FieldByName("size").Int(), v.FieldByName("events").Len(), v.FieldByName("barriers").Len(); size != 1 || events != 1 || barriers != 1 {
		t.Errorf("size %d, %d events, %d barriers: want 1 of each", size, events, barriers)
	}
	if caps := v.FieldByName("caps").Int(); caps != 1 {
		t.Errorf("caps %d: want 1", caps)
	}
	if largest != maxBatch {
		t.Errorf("largest batch %d: want %d", largest, maxBatch)
	}
	if len(reported) != n {
		t.Errorf("%d of %d descriptors were reported", len(reported), n)
	}
}

// otherPoll has the methods of a netpoll.Poll and none of its fields.
type otherPoll struct{ netpoll.Poll }

// strangeReset has a Handler that fits and a Reset that does not.
type strangeReset struct {
	netpoll.Poll
	fd      int //lint:ignore U1000 read by reflection, by its name
	Handler func([]struct{ unix.EpollEvent }) bool
	Reset   func(size int)
}

func TestHookRefusesOtherShapes(t *testing.T) {
	for name, poll := range map[string]netpoll.Poll{
		"no fields":    &otherPoll{},
		"no pointer":   otherPoll{},
		"reset":        &strangeReset{},
		"fd not found": &struct{ netpoll.Poll }{},
	} {
		if err := (&reactor{poll: poll}).hook(nil); !errors.Is(err, errHook) {
			t.Errorf("%s: %v", name, err)
		}
	}
	type wrapped struct{ unix.EpollEvent }
	type larger struct {
		unix.EpollEvent
		_ int
	}
	for _, c := range []struct {
		f  any
		ok bool
	}{
		{func([]wrapped) bool { return false }, true},
		{func([]larger) bool { return false }, false},
		{func([]unix.EpollEvent) bool { return false }, false}, // netpoll's own type is a struct around it
		{func([]*wrapped) bool { return false }, false},
		{func([]int) bool { return false }, false},
		{func([]wrapped) {}, false},
		{func([]wrapped) error { return nil }, false},
		{func([]wrapped, int) bool { return false }, false},
		{func(wrapped) bool { return false }, false},
		{func() bool { return false }, false},
		{1, false},
	} {
		if got := isHandler(reflect.ValueOf(c.f)); got != c.ok {
			t.Errorf("isHandler(%T) = %v", c.f, got)
		}
	}
	if isHandler(reflect.Value{}) {
		t.Error("isHandler of nothing")
	}
}

func TestSplitTagged(t *testing.T) {
	for mask := range 1 << 6 {
		events := make([]unix.EpollEvent, 6)
		for i := range events {
			token := uint64(i) | 1<<40
			if mask&(1<<i) != 0 {
				token |= tokenTag
			}
			setToken(&events[i], token)
		}
		tagged, rest := splitTagged(events)
		found := 0
		for i := range tagged {
			if tokenOf(&tagged[i])&tokenTag == 0 {
				t.Fatalf("mask %b: netpoll's event among ours", mask)
			}
			found |= 1 << (tokenOf(&tagged[i]) & 7)
		}
		if found != mask || len(tagged)+len(rest) != len(events) {
			t.Fatalf("mask %b: got %b, %d and %d", mask, found, len(tagged), len(rest))
		}
	}
}

// TestReactorDescriptorsAreNotInherited: netpoll opens them without
// close-on-exec.
func TestReactorDescriptorsAreNotInherited(t *testing.T) {
	p := start(t, Options{Loops: 2}, &script{})
	for _, l := range p.Loops() {
		wop := netpollWakeup(l)
		fds := map[string]int{"epoll": l.re.epfd, "wake-up": wop, "eventfd": l.tasks.fd, "timerfd": l.timer,
			"listener": l.listener, "reserve": l.reserve, "guard": p.ls.guard}
		if l.ring != nil {
			fds["ring"] = l.ring.fd
		}
		for name, fd := range fds {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s (%d) is inherited by children: %#x %v", name, fd, flags, err)
			}
		}
	}
}

// netpollWakeup returns the descriptor that netpoll wakes l's reactor by.
func netpollWakeup(l *Loop) int {
	return int(reflect.ValueOf(l.re.poll).Elem().FieldByName("wop").Elem().FieldByName("FD").Int())
}
