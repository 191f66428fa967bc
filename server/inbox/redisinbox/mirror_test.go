package redisinbox

import (
	"fmt"
	"slices"
	"testing"

	"roost/server/inbox"
)

// TestNoted is the table of what news means to a device.
func TestNoted(t *testing.T) {
	e, other := inbox.RandomEpoch(), inbox.RandomEpoch()
	for _, row := range []struct {
		name  string
		d     device
		fence uint32
		epoch inbox.Epoch
		seq   uint64
		tag   uint32
		want  note
		last  uint64
	}{
		{"the next one", device{fence: 5, epoch: e}, 5, e, 8, 2, moved, 8},
		{"one further on", device{fence: 5, epoch: e}, 5, e, 12, 2, ahead, 12},
		{"told twice", device{fence: 5, epoch: e}, 5, e, 7, 1, nothing, 7},
		{"an older one", device{fence: 5, epoch: e}, 5, e, 6, 9, doubt, 7},
		{"another stream", device{fence: 5, epoch: e}, 5, other, 8, 9, doubt, 7},
		{"of an earlier session", device{fence: 5, epoch: e}, 4, e, 8, 9, nothing, 7},
		{"of a later session", device{fence: 5, epoch: e}, 6, e, 8, 9, overtaken, 7},
		{"of a session that is being opened", device{fence: 5, epoch: e, opening: 1}, 6, e, 8, 9, nothing, 7},
		{"it has left, the next one", device{fence: 5, epoch: e, leftAt: 3}, 5, e, 8, 9, nothing, 8},
		{"it has left, one further on", device{fence: 5, epoch: e, leftAt: 3}, 5, e, 9, 9, nothing, 9},
		{"it has left, and is elsewhere", device{fence: 5, epoch: e, leftAt: 3}, 6, e, 8, 9, nothing, 7},
		{"its session is over", device{fence: 5, epoch: e, stale: true}, 5, e, 8, 9, nothing, 7},
	} {
		row.d.history = history{last: 7, sure: place{7, 1}}
		if got := row.d.noted(row.fence, row.epoch, place{row.seq, row.tag}, 1); got != row.want || row.d.last != row.last {
			t.Errorf("%s: %d and last %d, want %d and %d", row.name, got, row.d.last, row.want, row.last)
		}
	}
}

// TestNewsBeforeOpened: what is heard of a session before its Open has returned is not
// lost.
func TestNewsBeforeOpened(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, d := m.begin("d")
	d.noted(3, e, place{6, 77}, 0)
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 3, Epoch: e, Last: 5, Acked: 2}})
	if d := m.current(ref, 3); d == nil || d.last != 6 || d.sure.seq != 5 || !slices.Contains(d.checks, place{6, 77}) {
		t.Errorf("%+v", d)
	}
	// And of one that was overtaken before it was there.
	_, d = m.begin("d")
	d.noted(5, e, place{8, 78}, 0)
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 4, Epoch: e, Last: 7, Acked: 2}})
	if d := m.current(ref, 4); d != nil {
		t.Errorf("it is current, though there is a later one: %+v", d)
	}
}

// TestOpensOvertake: of two Opens the later session stays, whichever returns first.
func TestOpensOvertake(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, _ := m.begin("d")
	again, _ := m.begin("d")
	if again != ref {
		t.Fatal("two numbers for one device")
	}
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 9, Epoch: e, Last: 5}})
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 8, Epoch: e, Last: 4}})
	if d := m.current(ref, 9); d == nil || d.last != 5 || d.opening != 0 {
		t.Errorf("%+v", m.devs[ref])
	}
	if m.leave(ref, 8, 100) || m.current(ref, 9) == nil {
		t.Error("the late end of an earlier session has ended this one")
	}
}

// TestTopicsWhileOpening: what happens to topics while an Open is under way is not undone
// by its older answer.
func TestTopicsWhileOpening(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, _ := m.begin("d")
	m.subscribed("d", change{"t1", true})
	m.subscribed("d", change{"t2", false})
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 3, Epoch: e}, topics: []string{"t2", "t0"}})
	same(t, "topics", m.devs[ref].topics, "t0", "t1")
	if m.topics["t0"] != 1 || m.topics["t1"] != 1 || m.topics["t2"] != 0 || m.devs[ref].changes != nil {
		t.Errorf("%v %+v", m.topics, m.devs[ref])
	}
	if m.subscribed("d", change{"t1", false}) != ref || m.subscribed("e", change{"t1", true}) != 0 {
		t.Error("who was meant?")
	}
	m.leave(ref, 3, 100)
	if len(m.topics) != 0 {
		t.Errorf("%v", m.topics)
	}
}

// TestRefsComeBackLate: a number is given to another device only when no task can name
// the one before, and a device that comes back sooner has the same.
func TestRefsComeBackLate(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, _ := m.begin("a")
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 1, Epoch: e}})
	m.leave(ref, 1, 100)
	m.sweep(100 + quarantine - 1)
	back, _ := m.begin("a")
	if back != ref {
		t.Errorf("it came back as %d, was %d", back, ref)
	}
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 2, Epoch: e}})
	m.sweep(100 + 2*quarantine)
	if m.current(ref, 2) == nil {
		t.Error("a connected device was swept")
	}
	m.leave(ref, 2, 200)
	m.sweep(200 + quarantine)
	other, _ := m.begin("b")
	if other != ref || m.byID["a"] != 0 {
		t.Errorf("b is %d; a is %d", other, m.byID["a"])
	}
	m.failed(other, 300)
	if m.byID["b"] != 0 {
		t.Error("a device that could not be opened is still there")
	}
}

// TestFlapping: devices that come and go again and again keep nothing of others that came once, and nothing of themselves.
func TestFlapping(t *testing.T) {
	m, e, fence := newMirror(), inbox.RandomEpoch(), uint32(0)
	visit := func(id string, now uint32) {
		fence++
		ref, _ := m.begin(id)
		m.opened(ref, &openReply{Opened: inbox.Opened{Fence: fence, Epoch: e}})
		m.leave(ref, fence, now)
	}
	const flapping, once, hour = 3, 10, 3600
	for now := uint32(1); now <= hour; now++ {
		for i := range uint32(flapping) {
			if (now+7*i)%20 == 0 { // it is away at nearly every look
				visit(fmt.Sprint("flapping", i), now)
			}
		}
		for i := range once {
			visit(fmt.Sprint("d", now, "-", i), now)
		}
		m.sweep(now)
		if most := once*quarantine + flapping; len(m.byID) > most || len(m.left) > most+flapping*(quarantine/20) {
			t.Fatalf("after %d s %d devices are known and %d have left, want at most %d", now, len(m.byID), len(m.left), most)
		}
	}
	m.sweep(hour + 2*quarantine)
	if len(m.byID) != 0 || len(m.left) != 0 || len(m.free) != len(m.devs)-1 {
		t.Errorf("%d devices are left, %d partings, %d of %d numbers free", len(m.byID), len(m.left), len(m.free), len(m.devs)-1)
	}
}

// TestSweptWhileOpening: a device that comes back as its time is over, and then does not, is forgotten a little later.
func TestSweptWhileOpening(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, _ := m.begin("a")
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 1, Epoch: e}})
	m.leave(ref, 1, 100)
	m.begin("a")
	m.sweep(100 + quarantine)
	if m.byID["a"] != ref {
		t.Fatal("it was forgotten while it was being opened")
	}
	m.failed(ref, 100+quarantine)
	m.sweep(100 + 2*quarantine)
	if m.byID["a"] != 0 {
		t.Error("it is kept for ever")
	}
}

// TestRemovedMeanwhile: an Open that was before the removal does not bring the device
// back; one behind it does, with a higher fence.
func TestRemovedMeanwhile(t *testing.T) {
	m, e := newMirror(), inbox.RandomEpoch()
	ref, _ := m.begin("a")
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 7, Epoch: e}})
	life := m.devs[ref].life
	m.begin("a")
	if got := m.removed("a", e, 100); got != ref {
		t.Errorf("removed %d, want %d", got, ref)
	}
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 8, Epoch: e}})
	if m.current(ref, 8) != nil || m.current(ref, 7) != nil {
		t.Error("a session of the removed device is current")
	}
	_, d := m.begin("a")
	if d.floor < 7 || d.life == life {
		t.Errorf("%+v", d)
	}
	m.opened(ref, &openReply{Opened: inbox.Opened{Fence: 9, Epoch: inbox.RandomEpoch()}})
	if m.current(ref, 9) == nil {
		t.Error("the device that came again is not there")
	}
}

func TestKeysOfDevicesShareASlot(t *testing.T) {
	s, seen := &Store{}, map[string]string{}
	for _, id := range []string{"d", "}", "}x", "{", "{}", "a}b", "%7D", "%}", "%", "x}:h", "x"} {
		n := s.names(id)
		this, before := n.keys(1_800_000_000)
		tag := hashTag(n.list())
		for _, key := range []string{n.list(), n.head(), n.subs(), this, before} {
			if got := hashTag(key); got != tag || got == key {
				t.Errorf("id %q: key %q lies by %q, the list by %q", id, key, got, tag)
			}
			if other := seen[key]; other != "" {
				t.Errorf("ids %q and %q share %q", id, other, key)
			}
			seen[key] = id
		}
	}
}

// hashTag is the rule of Redis Cluster.
func hashTag(key string) string {
	for i := range len(key) {
		if key[i] != '{' {
			continue
		}
		for j := i + 1; j < len(key); j++ {
			if key[j] == '}' {
				if j == i+1 {
					return key
				}
				return key[i+1 : j]
			}
		}
		return key
	}
	return key
}
