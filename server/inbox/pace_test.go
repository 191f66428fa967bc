package inbox

import (
	"fmt"
	"strings"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// cleaned steps until there is nothing to do, at most so often.
func (m *manual) cleaned(steps int) {
	m.t.Helper()
	for range steps {
		if !m.Step() {
			return
		}
	}
	m.t.Errorf("after %d steps the log is still being cleaned: %d bytes, %d count", steps, m.journal.Size(), m.x.live())
}

// TestCleaningEnds: the cleaner knows what it would have to write again, whatever
// that consists of, and does not do so over and over.
func TestCleaningEnds(t *testing.T) {
	long := strings.Repeat("n", 120)
	for name, fill := range map[string]func(m *manual){
		"receivers": func(m *manual) {
			for range 50 {
				m.do(&Spread{Message: &Message{TTL: 3600}})
			}
		},
		"topics of devices": func(m *manual) {
			for i := range MaxSubscriptions {
				for ref := range Ref(50) {
					m.do(&Subscription{Ref: ref + 1, Topic: fmt.Sprint(long, i), On: true})
				}
			}
		},
		"ids": func(m *manual) {
			for i := range 3000 {
				m.open(fmt.Sprint(long, i))
			}
		},
		"keys": func(m *manual) {
			for i := range 3000 {
				m.put("d0", fmt.Sprint(long[:60], i), 0)
			}
			last, _ := m.Last(1, 1)
			m.Ack(1, 1, last)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManual(t, diskfault.New(), newClock())
			for i := range 1000 {
				m.open(fmt.Sprint("d", i))
			}
			m.x.limits.Messages = 5000
			fill(m)
			m.Tick()
			m.cleaned(10_000)
			for range 20 { // nothing happens but time
				m.Tick()
				m.Step()
			}
			m.cleaned(10)
			if m = m.again(); len(m.Check()) > 0 {
				t.Error(m.Check())
			}
		})
	}
}

// TestCleaningForNothing: when the estimate of what counts is far too low, the log is
// gone through once, and then when it has grown or less counts.
func TestCleaningForNothing(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	o := m.open("a")
	for range 100 {
		m.put("a", "", 1000)
	}
	m.x.mu.Lock()
	m.x.n.Bytes -= 80_000
	m.x.mu.Unlock()
	m.cleaner.slack = 0
	m.cleaned(1000)
	m.x.mu.Lock()
	m.x.n.Bytes += 80_000
	m.x.mu.Unlock()
	first := m.oldest()
	for range 50 {
		m.put("a", "", 10)
		m.Ack(o.Ref, o.Fence, 0)
	}
	if m.oldest() != first {
		t.Error("it is gone through again for nothing")
	}
	last, _ := m.Last(o.Ref, o.Fence)
	m.Ack(o.Ref, o.Fence, last)
	if m.cleaned(1000); m.journal.Size() > 32<<10 {
		t.Errorf("%d bytes when nothing counts any more", m.journal.Size())
	}
}

// TestRecordsGrow: the devices of one batch have been subscribed to so much since
// that their records do not fit into one any more.
func TestRecordsGrow(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	const devices = 5000
	for i := range devices {
		m.open(fmt.Sprint("d", i))
	}
	m.Tick()
	m.Step() // one batch of 200 KB
	m.x.mu.Lock()
	for i := range MaxSubscriptions {
		name := fmt.Sprint(strings.Repeat("t", 120), i)
		for ref := Ref(1); ref <= devices; ref++ {
			if err := m.x.subscribe(ref, m.x.get(ref), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.x.mu.Unlock()
	if err := m.journal.Rotate(); err != nil {
		t.Fatal(err)
	}
	for last := m.head(); m.oldest() < last; { // 40 MB
		m.cleanOldest()
	}
	m = m.again()
	for _, i := range []int{0, devices / 2, devices - 1} {
		if info, _ := m.Lookup(fmt.Append(nil, "d", i)); len(info.Topics) != MaxSubscriptions {
			t.Errorf("d%d has %d topics", i, len(info.Topics))
		}
	}
}

// TestReceiversAtFirst: a repetition of a message to all is answered with how many
// got it, also when few still wait for it and its record was copied, twice.
func TestReceiversAtFirst(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	for _, id := range []string{"a", "b", "c"} {
		m.open(id)
	}
	all := &Message{TTL: 3600, ID: []byte("k"), Payload: []byte("to all")}
	m.do(&Spread{Message: all})
	for _, id := range []string{"a", "b"} {
		o := m.open(id)
		m.Ack(o.Ref, o.Fence, 1)
		m.Tick()
		m.fill(id, o)
		m.cleanOldest()
		m = m.again()
		m.cleaner.slack = 1 << 30
		s := &Spread{Message: all}
		if m.do(s); s.Verdict != Duplicate || s.Receivers != 3 {
			t.Errorf("%s has acknowledged: verdict %d, %d receivers", id, s.Verdict, s.Receivers)
		}
	}
	o := m.open("c")
	q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 1, Bytes: 100}
	if m.Fetch(q); len(q.Items) != 1 || string(q.Items[0].Message.Payload) != "to all" {
		t.Errorf("%+v", q)
	}
}
