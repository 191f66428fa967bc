package inbox

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// sharedPuts makes puts of one message.
func sharedPuts(m *Message, ids ...string) (ops []Op) {
	for _, id := range ids {
		ops = append(ops, &Put{Device: id, Message: m})
	}
	return ops
}

// TestSharedBody: one message for many devices by name is stored once; what would
// not fit into a batch otherwise is accepted.
func TestSharedBody(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprint("d", i))
		m.open(ids[i])
	}
	body := &Message{TTL: 3600, Payload: []byte(strings.Repeat("x", 40<<10))}
	c := m.do(sharedPuts(body, ids...)...)
	for _, op := range c.Ops {
		if p := op.(*Put); c.Err != nil || p.Verdict != Stored || p.Seq != 1 {
			t.Fatalf("%+v, %v", p, c.Err)
		}
	}
	check := func(where string) {
		t.Helper()
		n := m.Counts()
		if n.InFlight != 1000 || n.Bytes > 42<<10 || n.Disk > 512<<10 || len(m.Check()) > 0 {
			t.Errorf("%s: %+v, %v", where, n, m.Check())
		}
		o := m.open("d999")
		q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1 << 20}
		if m.Fetch(q); len(q.Items) != 1 || string(q.Items[0].Message.Payload) != string(body.Payload) {
			t.Errorf("%s: %+v", where, q)
		}
	}
	check("stored")
	m = m.again()
	m.cleaner.slack = 1 << 30
	check("after a restart")
	m.cleanOldest()
	m = m.again()
	check("cleaned and after a restart")
}

// TestSharedVerdicts: each put has a verdict, a number and a key of its own, whatever
// becomes of the others, also when the disk refuses, after restarts, and after the
// cleaner was there.
func TestSharedVerdicts(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	sessions := map[string]Opened{}
	for _, id := range []string{"a", "b", "c", "d"} {
		sessions[id] = m.open(id)
	}
	m.put("b", "", 10)
	body := &Message{TTL: 3600, ID: []byte("k"), Payload: []byte("x")}
	m.do(&Put{Device: "c", Message: body})
	m.disk.Fail(diskfault.OpWrite, 0, 100, syscall.EIO)
	if c := m.do(sharedPuts(body, "a", "nobody", "b", "c", "d", "a")...); c.Err == nil || m.Counts().InFlight != 2 || len(m.Check()) > 0 {
		t.Fatalf("%v, %+v, %v", c.Err, m.Counts(), m.Check())
	}
	m.disk.Fail(diskfault.OpWrite, 0, 0, nil)
	verdicts := func(want string) {
		t.Helper()
		c := m.do(sharedPuts(body, "a", "nobody", "b", "c", "d", "a")...)
		var got []string
		for _, op := range c.Ops {
			p := op.(*Put)
			got = append(got, fmt.Sprintf("%d:%d", p.Verdict, p.Seq))
		}
		if s := strings.Join(got, " "); s != want || len(m.Check()) > 0 {
			t.Errorf("%s, want %s; %v", s, want, m.Check())
		}
	}
	again := "2:1 3:0 2:2 2:1 2:1 2:1"
	verdicts("1:1 3:0 1:2 2:1 1:1 2:1")
	verdicts(again)
	m.Ack(sessions["a"].Ref, sessions["a"].Fence, 1)
	m.Ack(sessions["b"].Ref, sessions["b"].Fence, 2)
	m.Tick()
	m.Step()
	for range 3 { // d waits, a and b do not
		m.fill("c", sessions["c"])
		m.cleanOldest()
		m = m.again()
		m.cleaner.slack = 1 << 30
		sessions["c"] = m.open("c")
		verdicts(again)
	}
	for id, want := range map[string]int{"a": 0, "b": 0, "d": 1} {
		if i, _ := m.Lookup([]byte(id)); i.Messages != want {
			t.Errorf("%s: %+v", id, i)
		}
	}
}
