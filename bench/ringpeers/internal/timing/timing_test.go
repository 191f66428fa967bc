package timing

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bind binds the test to a core until it ends.
func bind(t *testing.T) {
	t.Helper()
	cores, err := Cores()
	if err != nil || len(cores) == 0 {
		t.Fatalf("cores %v, %v", cores, err)
	}
	thread, err := Bind(cores[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(thread.Free)
}

// yield makes the calling thread leave its core.
func yield(int) {
	if err := unix.Nanosleep(&unix.Timespec{Nsec: 1}, nil); err != nil && !errors.Is(err, unix.EINTR) {
		panic(err)
	}
}

var sink uint64

// spin is a loop of which the compiler keeps every step.
func spin(n int) {
	h := sink
	for range n {
		h = h*0x9e3779b97f4a7c15 + 1
	}
	sink = h
}

func TestBind(t *testing.T) {
	before, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	last := before[len(before)-1]
	thread, err := Bind(last)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := Cores(); err != nil || !slices.Equal(now, []int{last}) {
		t.Errorf("bound to core %d, may use %v (%v)", last, now, err)
	}
	thread.Free()
	if now, err := Cores(); err != nil || !slices.Equal(now, before) {
		t.Errorf("free again, may use %v, before %v (%v)", now, before, err)
	}
	if _, err := Bind(1023); err == nil {
		t.Error("bound to core 1023")
	}
}

// TestDisturbedIsNotKept: a window in which the thread has left its core does
// not count, and tries are bounded.
func TestDisturbedIsNotKept(t *testing.T) {
	bind(t)
	if w := one(yield, 1); w.Kept {
		t.Error("a window in which the thread slept was kept")
	}
	if w := Take(yield, 1, 3, 7); len(w.Nanos) != 0 || w.Tried != 7 {
		t.Errorf("%d windows kept of %d, want 0 of 7", len(w.Nanos), w.Tried)
	}
	if s := Once(func() { yield(0) }); s.Kept || s.Wall <= 0 || s.CPU <= 0 {
		t.Errorf("a run in which the thread slept: %+v", s)
	}
}

func TestQuietIsKept(t *testing.T) {
	bind(t)
	n := Ops(spin)
	w := Take(spin, n, 2, 1000)
	if len(w.Nanos) != 2 {
		t.Fatalf("%d windows kept of %d", len(w.Nanos), w.Tried)
	}
	for _, ns := range w.Nanos {
		if ns <= 0 {
			t.Errorf("%v ns an operation", ns)
		}
	}
}

func TestPair(t *testing.T) {
	cores, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	if len(cores) < 2 {
		t.Skip("one core")
	}
	p, err := NewPair([2]int{cores[0], cores[1]})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var a, b int // how often each thread had its turn
	w := p.Take([2]Loop{func(int) { a++ }, func(int) { b++ }}, 1, 1000, 5)
	if a != 6 || b != 6 || w.Tried != 5 || len(w.Nanos) > 10 || len(w.Nanos)%2 != 0 {
		t.Errorf("%d and %d turns, %d windows of %d tries; want 6 turns each with the one that is not counted", a, b, len(w.Nanos), w.Tried)
	}
	if w := p.Take([2]Loop{func(int) {}, yield}, 1, 1, 4); len(w.Nanos) != 0 {
		t.Error("windows were kept though one thread slept in each")
	}
	if _, err := NewPair([2]int{cores[0], 1023}); err == nil {
		t.Error("a pair with core 1023")
	}
}

func TestSideBySide(t *testing.T) {
	at := func(from, to int) half {
		var zero time.Time
		return half{began: zero.Add(time.Duration(from)), ended: zero.Add(time.Duration(to))}
	}
	for _, test := range []struct {
		a, b half
		want bool
	}{
		{at(0, 100), at(0, 100), true},
		{at(0, 100), at(10, 110), true},
		{at(0, 100), at(11, 111), false},
		{at(0, 100), at(5, 95), true},
		{at(0, 100), at(0, 80), false},
		{at(0, 100), at(200, 300), false},
	} {
		if got := sideBySide(test.a, test.b); got != test.want || sideBySide(test.b, test.a) != got {
			t.Errorf("%v and %v: %v", test.a, test.b, got)
		}
	}
}

func TestMemory(t *testing.T) {
	const size = 4 << 20
	made, bytes := Retained(func() []byte { return make([]byte, size) })
	// What others have let go meanwhile is taken off: it was 16 bytes once.
	if bytes < size-size/64 || bytes > size+size/8 {
		t.Errorf("%d bytes are said to be kept, want %d", bytes, size)
	}
	runtime.KeepAlive(made)
	if bytes, objects := Allocated(func() { made = make([]byte, size) }); bytes < size || objects < 1 {
		t.Errorf("%d bytes in %d objects are said to be allocated, want %d", bytes, objects, size)
	}
	WithoutGC(func() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 64 {
			made = make([]byte, size)
		}
		if runtime.ReadMemStats(&after); before.NumGC != after.NumGC {
			t.Error("the collector ran")
		}
	})
}
