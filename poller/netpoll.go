package poller

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// This is the one place where roost reaches below netpoll's public API.
//
// netpoll exports its reactor (Poll: Wait, Control, Trigger, Close) but neither
// a constructor nor a way to say what an event carries: a registration is a
// 112-byte FDOperator with closures, which at a million connections costs
// 300 B each and 66 ms of garbage collector marking. So we
//
//   - open a Poll by its unexported constructor (linkname);
//   - put a tagged 64-bit token into epoll's data instead of a pointer, and take
//     tagged events out in front of netpoll's own Handler;
//   - fetch every batch but the first one inside that Handler. netpoll's Wait
//     asks epoll twice for each batch and yields to the Go scheduler in between,
//     which wakes another thread that finds nothing to do: at 30,000 echoes a
//     second, where a batch is one or two events, that was half of the
//     process's CPU (9.8 us per echo instead of 5.2);
//   - clamp the batch of Wait, which otherwise begins with 128 events of 1.3 KB
//     each and doubles up to 128k whenever a batch comes back full.
//
// It relies on netpoll v0.7.5, pinned in go.mod: the fields Handler, Reset and
// fd of the concrete type, checked by name and type when a reactor is opened
// and by hook_test.go. A public constructor and a per-event hook in netpoll
// would remove this file.

//go:linkname openPoll github.com/cloudwego/netpoll.openPoll
func openPoll() (netpoll.Poll, error)

// maxBatch is the number of events taken from epoll_wait at once. 512 events
// are 6 KiB and outlast any gain from larger batches.
const maxBatch = 512

// tokenTag marks epoll data as ours. User-space pointers have the top bit
// clear, and so has the form that netpoll uses under the race detector.
const tokenTag = uint64(1) << 63

// reactor is a netpoll Poll whose tagged events come to us.
type reactor struct {
	// Static after construction.
	poll netpoll.Poll
	epfd int

	bell *bell // nil: wait in epoll itself

	// Owned by the goroutine that calls wait.
	events [maxBatch]unix.EpollEvent
	err    error // why wait ended by itself
}

// errHook says that netpoll is not the one this file was written for.
var errHook = errors.New("poller: netpoll is not v0.7.5: its reactor has another shape")

// openReactor opens an epoll reactor. For each batch of ready descriptors,
// handle gets the tagged events, on the goroutine that calls wait.
func openReactor(handle func(events []unix.EpollEvent)) (*reactor, error) {
	poll, err := openPoll()
	if err != nil {
		return nil, fmt.Errorf("poller: open epoll: %w", err)
	}
	r := &reactor{poll: poll}
	if err := r.hook(handle); err != nil {
		poll.Close()
		poll.Wait() // Wait sees the close and gives the descriptors back
		return nil, err
	}
	return r, nil
}

// hook replaces Handler and Reset of the concrete poll.
func (r *reactor) hook(handle func(events []unix.EpollEvent)) error {
	v := reflect.ValueOf(r.poll)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return errHook
	}
	v = v.Elem()
	fd, handler, reset := v.FieldByName("fd"), v.FieldByName("Handler"), v.FieldByName("Reset")
	if !fd.IsValid() || fd.Kind() != reflect.Int || !isHandler(handler) ||
		!reset.IsValid() || reset.Type() != reflect.TypeFor[func(size, caps int)]() {
		return errHook
	}
	r.epfd = int(fd.Int())
	if runtime.GOMAXPROCS(0) == 1 {
		var err error
		if r.bell, err = newBell(r.epfd); err != nil {
			return err
		}
	}

	// netpoll opens its two descriptors without close-on-exec.
	unix.CloseOnExec(r.epfd)
	if wop := v.FieldByName("wop"); wop.IsValid() && wop.Type() == reflect.TypeFor[*netpoll.FDOperator]() && !wop.IsNil() {
		unix.CloseOnExec(int(wop.Elem().FieldByName("FD").Int()))
	}

	// The element type of Handler's slice is unexported but has the layout of
	// unix.EpollEvent (isHandler checked its size), so the two func types are
	// called alike.
	slotHandler := (*func([]unix.EpollEvent) bool)(unsafe.Pointer(handler.UnsafeAddr()))
	theirs := *slotHandler
	*slotHandler = func(events []unix.EpollEvent) (closed bool) {
		for {
			tagged, rest := splitTagged(events)
			if len(tagged) > 0 {
				handle(tagged)
			}
			if len(rest) > 0 && theirs(rest) {
				return true
			}
			if events, r.err = r.next(); r.err != nil {
				return true
			}
		}
	}

	slotReset := (*func(size, caps int))(unsafe.Pointer(reset.UnsafeAddr()))
	resize, sized := *slotReset, false
	*slotReset = func(int, int) {
		if !sized {
			sized = true
			resize(1, 1) // for the first batch: the others are ours
		}
	}
	return nil
}

// next waits for the next batch.
func (r *reactor) next() ([]unix.EpollEvent, error) {
	if r.bell != nil {
		n, err := r.bell.wait(r.events[:])
		return r.events[:n], err
	}
	for {
		n, err := unix.EpollWait(r.epfd, r.events[:], -1) // the scheduler knows that it blocks
		if err == nil {
			return r.events[:n], nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// isHandler reports whether v is a func(events []T) bool with T as large as,
// and built around, unix.EpollEvent.
func isHandler(v reflect.Value) bool {
	if !v.IsValid() || v.Kind() != reflect.Func {
		return false
	}
	t := v.Type()
	if t.NumIn() != 1 || t.NumOut() != 1 || t.Out(0).Kind() != reflect.Bool || t.In(0).Kind() != reflect.Slice {
		return false
	}
	elem, want := t.In(0).Elem(), reflect.TypeFor[unix.EpollEvent]()
	return elem.Kind() == reflect.Struct && elem.NumField() == 1 && elem.Field(0).Type == want
}

// splitTagged moves netpoll's own events (its wake-up; at most a few) behind
// the tagged ones, in place.
func splitTagged(events []unix.EpollEvent) (tagged, rest []unix.EpollEvent) {
	n := len(events)
	for i := 0; i < n; {
		if tokenOf(&events[i])&tokenTag != 0 {
			i++
			continue
		}
		n--
		events[i], events[n] = events[n], events[i]
	}
	return events[:n], events[n:]
}

// tokenOf reads the 64 bits of user data of an event.
func tokenOf(ev *unix.EpollEvent) uint64 {
	return uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
}

// setToken writes the 64 bits of user data of an event.
func setToken(ev *unix.EpollEvent, token uint64) {
	ev.Fd, ev.Pad = int32(uint32(token)), int32(uint32(token>>32))
}

// control adds, changes or removes (unix.EPOLL_CTL_*) the registration of fd.
func (r *reactor) control(op, fd int, events uint32, token uint64) error {
	ev := unix.EpollEvent{Events: events}
	setToken(&ev, token)
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(r.epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// wait runs the reactor on this goroutine until close.
func (r *reactor) wait() error {
	if r.bell != nil {
		defer r.bell.close()
	}
	if err := r.poll.Wait(); err != nil {
		return err
	}
	return r.err
}

// close ends wait, from any goroutine; the epoll descriptor is closed by wait
// as it returns.
func (r *reactor) close() error { return r.poll.Close() }
