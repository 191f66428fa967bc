package timing

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pair is two threads on a core each that begin their windows together.
type Pair struct {
	jobs [2]chan job
	done chan half
	wg   sync.WaitGroup
}

// job is a window for both threads.
type job struct {
	loop  Loop
	n     int
	ready *atomic.Int32 // threads that wait for the other
}

// half is what one thread has measured.
type half struct {
	Window
	began, ended time.Time
}

// NewPair starts the two threads. End it by Close.
func NewPair(cores [2]int) (*Pair, error) {
	p := &Pair{done: make(chan half, 2)}
	bound := make(chan error, 2)
	for i := range p.jobs {
		p.jobs[i] = make(chan job, 1)
		p.wg.Go(func() { p.serve(cores[i], p.jobs[i], bound) })
	}
	for range p.jobs {
		if err := <-bound; err != nil {
			p.Close()
			return nil, fmt.Errorf("two threads: %w", err)
		}
	}
	return p, nil
}

// Close ends the threads.
func (p *Pair) Close() {
	for _, jobs := range p.jobs {
		close(jobs)
	}
	p.wg.Wait()
}

// serve is the life of one thread.
func (p *Pair) serve(core int, jobs <-chan job, bound chan<- error) {
	t, err := Bind(core)
	bound <- err
	if err != nil {
		for range jobs {
			// NewPair has failed; nobody sends.
		}
		return
	}
	defer t.Free()
	for j := range jobs {
		j.ready.Add(1)
		for j.ready.Load() < 2 {
			// Spin: a thread that sleeps would begin late, and lose its core.
		}
		h := half{began: time.Now()}
		h.Window = one(j.loop, j.n)
		h.ended = time.Now()
		p.done <- h
	}
}

// Take is Take for both threads at once: each window gives two numbers, and
// counts only if neither thread was off its core and they ran side by side for
// nine tenths of the time.
func (p *Pair) Take(loops [2]Loop, n, want, most int) (w Windows) {
	p.both(loops, n)
	for w.Tried < most && len(w.Nanos) < 2*want {
		w.Tried++
		a, b := p.both(loops, n)
		if a.Kept && b.Kept && sideBySide(a, b) {
			w.Nanos = append(w.Nanos, a.Nanos, b.Nanos)
		}
	}
	return w
}

func (p *Pair) both(loops [2]Loop, n int) (a, b half) {
	ready := new(atomic.Int32)
	for i, jobs := range p.jobs {
		jobs <- job{loops[i], n, ready}
	}
	a, b = <-p.done, <-p.done
	runtime.Gosched()
	return a, b
}

// sideBySide reports whether two halves overlap for nine tenths of the longer.
func sideBySide(a, b half) bool {
	from, to := a.began, a.ended
	if b.began.After(from) {
		from = b.began
	}
	if b.ended.Before(to) {
		to = b.ended
	}
	longer := max(a.ended.Sub(a.began), b.ended.Sub(b.began))
	return to.Sub(from) >= longer*9/10
}
