package poller

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPostLosesNothing posts from many goroutines while the loop drains: every
// task runs, those of one goroutine in order.
func TestPostLosesNothing(t *testing.T) {
	p := start(t, Options{}, &script{})
	l := p.Loops()[0]
	const posters, each = 4, 60000
	next := [posters]int{} // on the loop
	var ran tally
	var wg sync.WaitGroup
	for k := range posters {
		wg.Go(func() {
			for i := range each {
				task := TaskFunc(func(*Loop) {
					if next[k] != i {
						t.Errorf("poster %d: task %d ran, want %d", k, i, next[k])
					}
					next[k] = i + 1
					ran.inc()
				})
				for !l.Post(task) { // full: the loop is behind
				}
				if i%500 == 0 { // the loop comes to rest now and then: the wake-up matters
					await(t, "my task runs", func() bool { return allRan(t, l) })
				}
			}
		})
	}
	wg.Wait()
	await(t, "all tasks ran", func() bool { return ran.get() == posters*each })
}

// allRan waits for a task of its own: what was posted before has run then.
func allRan(t *testing.T, l *Loop) bool {
	done := make(chan struct{})
	if !l.Post(TaskFunc(func(*Loop) { close(done) })) {
		return false
	}
	recv(t, "my task runs", done)
	return true
}

// TestWakeUpRace alternates between one post and rest, the case in which a lost
// wake-up shows at once.
func TestWakeUpRace(t *testing.T) {
	p := start(t, Options{}, &script{})
	l := p.Loops()[0]
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			ran := make(chan struct{}, 1)
			task := TaskFunc(func(*Loop) { ran <- struct{}{} })
			for range 5000 {
				if !l.Post(task) {
					t.Error("refused")
				}
				recv(t, "the task runs", ran)
			}
		})
	}
	wg.Wait()
}

// TestWakeUpIsDeduplicated: however many posts, the eventfd is written once
// until the loop has looked.
func TestWakeUpIsDeduplicated(t *testing.T) {
	p := start(t, Options{}, &script{})
	l := p.Loops()[0]
	in, out := make(chan struct{}), make(chan struct{})
	l.Post(TaskFunc(func(l *Loop) { close(in); <-out }))
	recv(t, "the loop is held", in)
	for range 1000 {
		l.Post(TaskFunc(func(*Loop) {}))
	}
	var b [8]byte
	if n, err := unix.Read(l.tasks.fd, b[:]); n != 8 || err != nil || b[0] != 1 || b[1] != 0 {
		t.Errorf("the eventfd counts %v, %v", b, err)
	}
	unix.Write(l.tasks.fd, b[:]) // as it was
	close(out)
	do(t, l, func(*Loop) {})
}

// TestPostBound: a held loop takes so many and says no to the next; those taken
// run.
func TestPostBound(t *testing.T) {
	p := start(t, Options{}, &script{})
	l := p.Loops()[0]
	in, out := make(chan struct{}), make(chan struct{})
	l.Post(TaskFunc(func(l *Loop) { close(in); <-out }))
	recv(t, "the loop is held", in)
	var ran tally
	taken := 0
	for l.Post(TaskFunc(func(*Loop) { ran.inc() })) {
		taken++
	}
	if taken != maxTasks {
		t.Errorf("%d tasks taken, want %d", taken, maxTasks)
	}
	p.StopListening() // is not lost in a full queue
	close(out)
	await(t, "the taken ones run", func() bool { return ran.get() == taken })
	await(t, "it listens no more", func() (closed bool) {
		do(t, l, func(l *Loop) { closed = l.listener < 0 })
		return closed
	})
}

// TestPostAfterClose: refused, by the loop and by the poller; what was taken
// before has run.
func TestPostAfterClose(t *testing.T) {
	for range 20 {
		p := start(t, Options{Loops: 2}, &script{})
		var taken, ran tally
		var wg sync.WaitGroup
		for _, l := range p.Loops() {
			for range 2 {
				wg.Go(func() {
					for l.Post(TaskFunc(func(*Loop) { ran.inc() })) {
						if taken.inc() > 1<<20 {
							t.Error("Post goes on after Close")
							return
						}
					}
				})
			}
		}
		await(t, "tasks run", func() bool { return ran.get() > 0 })
		stop(t, p)
		wg.Wait()
		if ran.get() != taken.get() {
			t.Errorf("%d taken, %d ran", taken.get(), ran.get())
		}
		if p.Post(makeHandle(0, 0, 1), TaskFunc(func(*Loop) {})) || p.Post(makeHandle(1, 0, 1), TaskFunc(func(*Loop) {})) ||
			p.Post(makeHandle(9, 0, 1), TaskFunc(func(*Loop) {})) {
			t.Error("Post after Close")
		}
		p.StopListening()
		p.Stop()
	}
}

// TestPostDoesNotWriteToAClosedDescriptor: a poster that was on its way when the
// loop ended once wrote to whatever had got the eventfd's number by then. It has
// to hold the lock, which close takes, until it has written.
func TestPostDoesNotWriteToAClosedDescriptor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // the poster's raw call keeps one
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a raw call that waits would hold up the collector
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)     // one whose writers wait while it is full
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	full := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	unix.Write(fd, full)
	q := &taskQueue{fd: fd}
	posted := make(chan bool, 1)
	go func() { posted <- q.post(TaskFunc(func(*Loop) {})) }()
	await(t, "the poster is about to write", func() bool { return q.signalled.Load() == 1 })
	unlocked := q.mu.TryLock()
	if unlocked {
		t.Error("the lock is free before the write is done")
		q.mu.Unlock()
	}
	unix.Read(fd, full) // lets the write go on
	if !recv(t, "posted", posted) {
		t.Error("refused")
	}
	q.close(nil)
	if q.nudge(); q.post(TaskFunc(func(*Loop) {})) {
		t.Error("posted after close")
	}
	if unix.Read(fd, full); full[0] != 1 {
		t.Errorf("the eventfd counts %d", full[0])
	}
}

// TestTasksThatPost: a task that posts itself does not keep events away.
func TestTasksThatPost(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{}, h)
	l := p.Loops()[0]
	end := false
	var again func(l *Loop)
	again = func(l *Loop) {
		if !end {
			l.Post(TaskFunc(again))
		}
	}
	l.Post(TaskFunc(again))
	client, _ := dialConn(t, p, 0, opened)
	client.close()
	recv(t, "Closed", why)
	do(t, l, func(*Loop) { end = true })
}

// TestAlarm: once, not before its time, and one that is set anew replaces the
// other, whichever is earlier.
func TestAlarm(t *testing.T) {
	p := start(t, Options{}, &script{})
	l := p.Loops()[0]
	rang := make(chan time.Duration, 8)
	ring := func(name time.Duration) Task { return TaskFunc(func(*Loop) { rang <- name }) }
	var set time.Time
	l.Post(TaskFunc(func(l *Loop) {
		l.SetAlarm(time.Hour, ring(time.Hour))
		l.SetAlarm(3*time.Millisecond, ring(3))
		l.SetAlarm(5*time.Millisecond, ring(5))
		set = time.Now()
	}))
	if got := recv(t, "an alarm", rang); got != 5 {
		t.Errorf("alarm %d rang", got)
	}
	if d := time.Since(set); d < 5*time.Millisecond {
		t.Errorf("it rang after %v, before its time", d)
	}
	// One that sets itself again, behind us, goes on.
	n := 0
	var again Task
	again = TaskFunc(func(l *Loop) {
		if n++; n < 100 {
			l.SetAlarm(-time.Second, again)
		} else {
			rang <- 100
		}
	})
	l.Post(again)
	if got := recv(t, "a hundred alarms", rang); got != 100 {
		t.Errorf("alarm %d rang", got)
	}
	select {
	case got := <-rang:
		t.Errorf("alarm %d rang again", got)
	default:
	}
}
