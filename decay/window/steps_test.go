package window_test

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"roost/decay/window"
)

// The files steps_*_test.go are word.go, counter.go and meter.go with one change:
// the words are stepWords, whose atomic operations go through a machine that
// decides which goroutine takes the next step. So what TestInterleavings
// enumerates is the code that runs, not a model of it.

var update = flag.Bool("update", false, "write steps_*_test.go anew")

// Epoch and Stats are those of the package.
type (
	Epoch = window.Epoch
	Stats = window.Stats
)

func TestStepsAreTheCode(t *testing.T) {
	for _, name := range []string{"word", "counter", "meter"} {
		source, err := os.ReadFile(name + ".go")
		if err != nil {
			t.Fatal(err)
		}
		want := "// Code generated from " + name + ".go by go test -run TestStepsAreTheCode -update. DO NOT EDIT.\n\n" +
			strings.NewReplacer(
				"package window\n", "package window_test\n",
				"import \"sync/atomic\"\n\n", "",
				"atomic.Uint64", "stepWord",
			).Replace(string(source))
		want = regexp.MustCompile(`(?m)^//go:.*\n`).ReplaceAllString(want, "")
		file := "steps_" + name + "_test.go"
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := os.ReadFile(file); string(got) != want {
			t.Errorf("%s is not made of %s.go: run go test -run TestStepsAreTheCode -update", file, name)
		}
	}
}

// stress reports whether the tests that take minutes are asked for.
func stress() bool { return os.Getenv("ROOST_STRESS") != "" }

// stepWord is an atomic.Uint64 under the machine's eye.
type stepWord struct{ v uint64 }

func (w *stepWord) Load() uint64 {
	return the.step(func() uint64 { return w.v })
}

func (w *stepWord) Add(n uint64) uint64 {
	return the.step(func() uint64 { w.v += n; return w.v })
}

func (w *stepWord) CompareAndSwap(old, new uint64) bool {
	return the.step(func() uint64 {
		if w.v != old {
			return 0
		}
		w.v = new
		return 1
	}) == 1
}

// the is the machine. Tests with it do not run in parallel.
var the machine

// machine runs a call of one goroutine up to and with its next atomic step. What
// earlier steps gave is in log and given again, so that the call comes to the same
// point; the step after the next is refused, which ends the call.
type machine struct {
	log  []uint64
	at   int
	more bool // one step is free
}

type outOfSteps struct{}

func (m *machine) step(do func() uint64) uint64 {
	if m.at == len(m.log) {
		if !m.more {
			panic(outOfSteps{})
		}
		m.more = false
		m.log = append(m.log, do())
	}
	m.at++
	return m.log[m.at-1]
}

// memory is what the goroutines share. All of it happens in slot 0.
type memory struct {
	counter Counter
	meter   Meter
}

// actor is a goroutine that makes one call.
type actor struct {
	name string
	call func(m *memory) (ok bool)
	// What the checks need to know.
	lap int
	n   uint64
}

// state is a point between two steps.
type state struct {
	mem    memory
	actors []progress
}

// progress is how far an actor has come.
type progress struct {
	log   []uint64
	done  bool
	ok    bool
	after uint32 // actors that were done before its first step, a bit each
}

func (p *progress) started() bool { return len(p.log) > 0 }

// inFlight reports whether the call has begun and not ended.
func (p *progress) inFlight() bool { return p.started() && !p.done }

// step returns the state after actor i has taken its next step.
func (s *state) step(actors []actor, i int) *state {
	next := &state{mem: s.mem, actors: append([]progress(nil), s.actors...)}
	p := &next.actors[i]
	if !p.started() {
		for j := range next.actors {
			if next.actors[j].done {
				p.after |= 1 << j
			}
		}
	}
	the = machine{log: append([]uint64(nil), p.log...), more: true}
	func() {
		defer func() {
			if why := recover(); why != nil && why != any(outOfSteps{}) {
				panic(why)
			}
		}()
		p.ok = actors[i].call(&next.mem)
		p.done = true
	}()
	p.log = the.log
	return next
}

// key tells states apart: a hash of the shared words of slot 0 and of what each
// actor has seen.
func (s *state) key() [sha256.Size]byte {
	slot := &s.mem.meter.slots[0]
	b := make([]byte, 0, 256)
	for _, w := range []uint64{s.mem.counter.words[0].v, slot.count.v, slot.sum.v, slot.max.v} {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	for i := range s.actors {
		p := &s.actors[i]
		b = append(b, byte(len(p.log)))
		for _, v := range p.log {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		b = binary.LittleEndian.AppendUint32(b, p.after)
	}
	return sha256.Sum256(b)
}

// explorer walks every interleaving of the steps of some actors.
type explorer struct {
	actors []actor
	check  func(s *state, end bool) error
	paths  map[[sha256.Size]byte]float64 // interleavings from a state to the end
	trail  []string
}

// walk returns the number of interleavings from s on. It stops at the first state
// that the check does not like.
func (x *explorer) walk(s *state) (float64, error) {
	key := s.key()
	if n, ok := x.paths[key]; ok {
		return n, nil
	}
	n, end := 0.0, true
	for i := range s.actors {
		if s.actors[i].done {
			continue
		}
		end = false
		x.trail = append(x.trail, x.actors[i].name)
		m, err := x.walk(s.step(x.actors, i))
		if err != nil {
			return 0, err
		}
		x.trail = x.trail[:len(x.trail)-1]
		n += m
	}
	if err := x.check(s, end); err != nil {
		return 0, err
	}
	if end {
		n = 1
	}
	x.paths[key] = n
	return n, nil
}

// explore checks every state that the actors can come to from mem, and returns how
// many interleavings and states there are.
func explore(mem memory, actors []actor, check func(s *state, end bool) error) (paths float64, states int, trail []string, err error) {
	x := &explorer{actors: actors, check: check, paths: map[[sha256.Size]byte]float64{}}
	paths, err = x.walk(&state{mem: mem, actors: make([]progress, len(actors))})
	return paths, len(x.paths), x.trail, err
}
