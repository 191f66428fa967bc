package inbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// TestBoundedUnderLoad: the log keeps its bound although more commits are always
// waiting, and what is logged lazily is logged.
func TestBoundedUnderLoad(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	o := m.open("a")
	commits, most := 0, int64(0)
	var publish func(c *Commit)
	publish = func(c *Commit) { // each begins the next one, as those do who wait for an answer
		if c != nil {
			m.Ack(o.Ref, o.Fence, c.Ops[0].(*Put).Seq)
		}
		if most = max(most, m.journal.Size()); commits < 20_000 {
			commits++
			m.Commit(&Commit{Ops: []Op{&Put{Device: "a", Message: &Message{TTL: 60, Payload: make([]byte, 1000)}}}, Done: publish})
		}
	}
	for range 8 {
		publish(nil)
	}
	for m.Step() {
	}
	if commits != 20_000 || most > 256<<10 {
		t.Errorf("%d bytes on disk after %d commits", most, commits)
	}
}

// TestTickUnderLoad: one step writes one batch, and what a tick has it log with it.
func TestTickUnderLoad(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.open("a")
	m.open("b")
	done := 0
	for range 3 {
		m.Commit(&Commit{Ops: []Op{&Removal{Device: "nobody"}}, Done: func(*Commit) { done++ }}) // alone in its batch
	}
	m.Tick()
	if m.Step(); done != 1 || len(m.x.fresh) != 0 {
		t.Errorf("%d commits are done, %d devices are to be logged", done, len(m.x.fresh))
	}
}

// TestTooLarge: a commit that does not fit into a batch is refused, and not those
// beside it.
func TestTooLarge(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	payload := []byte(strings.Repeat("x", 60<<10))
	puts := func(from, to int) (ops []Op) {
		for i := from; i < to; i++ { // of a message each
			ops = append(ops, &Put{Device: fmt.Sprint("d", i), Message: &Message{TTL: 60, ID: []byte("k"), Payload: payload}})
		}
		return ops
	}
	for i := range 1200 {
		m.open(fmt.Sprint("d", i))
	}
	var errs []error
	done := func(c *Commit) { errs = append(errs, c.Err) }
	m.write([]*Commit{
		{Ops: puts(0, 300), Done: done},
		{Ops: puts(600, 1200), Done: done}, // too much
		{Ops: puts(300, 600), Done: done},
		{Ops: puts(600, 800), Done: done}, // too much together with those before
	}, true)
	if len(errs) != 4 || errs[0] != nil || !errors.Is(errs[1], ErrTooLarge) || errs[2] != nil || errs[3] != nil {
		t.Fatal(errs)
	}
	check := func() {
		t.Helper()
		if n := m.Counts(); n.InFlight != 800 || n.Devices != 1200 || len(m.Check()) > 0 {
			t.Errorf("%+v, %v", n, m.Check())
		}
	}
	check()
	m = m.again()
	check()
}
