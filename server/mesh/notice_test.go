package mesh

import (
	"testing"
	"testing/synctest"
	"time"

	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
)

// notice tells and returns what is answered, by the time that all is quiet, or StatusNone.
func (n *node) notice(owner, device string, seq uint64, wait time.Duration) (status func() Status) {
	answer := make(chan Status, 9)
	n.m.Notice(owner, &inbox.Notice{Device: []byte(device), Epoch: []byte("e1"), Fence: 3, Seq: seq, Tag: 77}, wait, func(s Status) { answer <- s })
	return func() Status {
		synctest.Wait()
		switch len(answer) {
		case 0:
			return StatusNone
		case 1:
			return <-answer
		}
		n.r.t.Errorf("%d answers to one notice", len(answer))
		return <-answer
	}
}

func told(t testing.TB, got func() Status, want Status) {
	t.Helper()
	if s := got(); s != want {
		t.Errorf("answered %v, want %v", s, want)
	}
}

func TestNotice(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		told(t, r.at(1).notice("n2:7", "d", 9, 0), StatusQueued)
		told(t, r.at(1).notice("n2", "d", 10, 0), StatusQueued)
		r.at(2).gotSeqs(t, 9, 10)
		if n := r.at(2).notices[0]; string(n.Device) != "d" || string(n.Epoch) != "e1" || n.Fence != 3 || n.Tag != 77 {
			t.Errorf("%+v", n)
		}
		told(t, r.at(1).notice("n1:7", "d", 11, 0), StatusOffline) // the fake's word for who is not here
		r.at(1).gotSeqs(t, 11)
		told(t, r.at(1).notice("", "d", 12, 0), StatusOffline)
		told(t, r.at(1).notice("", "d", 12, time.Second), StatusOffline)
		r.at(1).m.Notice("n3:7", &inbox.Notice{Device: []byte("d"), Seq: 13}, time.Hour, nil)
		synctest.Wait()
		r.at(3).gotSeqs(t, 13)
		if len(r.at(3).waits) != 0 {
			t.Error("nobody waits, and yet an answer is wanted")
		}
	})
}

// TestForward: a notice may have the message with it, whether or not its publisher waits.
func TestForward(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		k := &inbox.Message{TTL: 60, Raw: true, ID: []byte("once"), Channel: []byte("fw"), Payload: []byte{0, 255}}
		for i, wait := range []time.Duration{0, time.Second} {
			r.at(1).m.Notice("n2:7", &inbox.Notice{Device: []byte("d"), Epoch: []byte("e1"), Seq: uint64(i + 1), Message: k}, wait, func(Status) {})
		}
		told(t, r.at(1).notice("n2:7", "d", 3, 0), StatusQueued)
		for i, n := range r.at(2).notices {
			m := n.Message
			if i == 2 && m == nil {
				continue
			}
			if m == nil || m.TTL != 60 || !m.Raw || string(m.ID) != "once" || string(m.Channel) != "fw" || string(m.Payload) != "\x00\xff" {
				t.Errorf("notice %d has %+v", i+1, m)
			}
		}
		if s := r.at(2).m.Stats(); s.Received[fanout.KindForward] != 2 || s.Received[fanout.KindNotice] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNodeOfOwner(t *testing.T) {
	for owner, want := range map[string]string{
		"n1:17": "n1", "n1": "n1", "": "", "a:b:3": "a:b", "a:b": "a:b", "n1:": "n1:", "n1:1x": "n1:1x", ":5": "", "17": "17",
	} {
		if got := NodeOf(owner); got != want {
			t.Errorf("%q: %q, want %q", owner, got, want)
		}
	}
}

func TestNoticeIsAcknowledged(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Copies: 2} })
		told(t, r.at(1).notice("n2:7", "d", 9, 30*time.Second), StatusAcknowledged)
		r.at(2).gotSeqs(t, 9) // once
		if w := r.at(2).waits[0]; w > 30*time.Second || w < 29*time.Second {
			t.Errorf("the node waits for %v", w)
		}
		r.hub.SetFault(nil)
		r.at(2).set(func(n *node) { n.says = StatusWritten }) // once the wait is over
		got := r.at(1).notice("n2:7", "d", 10, 2*time.Second)
		told(t, got, StatusNone)
		time.Sleep(2*time.Second + 10*time.Millisecond)
		told(t, got, StatusWritten)
	})
}

// TestNoticeFollows: between the store's word and the notice the device has moved.
func TestNoticeFollows(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.at(3).connect("d")
		r.at(2).vanish("d")
		told(t, r.at(1).notice("n2:7", "d", 9, time.Minute), StatusAcknowledged)
		r.at(2).gotSeqs(t, 9)
		r.at(3).gotSeqs(t, 9)
		if s := r.at(1).m.Stats(); s.Forwarded != 1 {
			t.Errorf("%+v", s)
		}
		// To here, too.
		r.at(1).connect("d")
		r.at(3).vanish("d")
		told(t, r.at(1).notice("n3:7", "d", 10, time.Minute), StatusAcknowledged)
		r.at(1).gotSeqs(t, 10)
		// And when it is nowhere: presence still says n1.
		r.at(1).vanish("d")
		told(t, r.at(2).notice("n3:7", "d", 11, time.Minute), StatusOffline)
		r.presence.SetDown(true)
		told(t, r.at(2).notice("n3:7", "d", 12, time.Minute), StatusOffline)
	})
}

// TestNoticeToNobody: the node is gone, and as long as it counts as a member it is told to look
// when it is back.
func TestNoticeToNobody(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.at(2).end()
		told(t, r.at(1).notice("n2:7", "d", 9, 0), StatusOffline)
		told(t, r.at(1).notice("n2:7", "d", 9, time.Second), StatusOffline)
		time.Sleep(10 * time.Second)
		if s := r.at(1).m.Stats(); s.Debts != 1 || s.Nobody < 4 || s.Nobody > 12 {
			t.Errorf("it is tried again, ever less often: %+v", s)
		}
		r.change(func(v *cluster.View) { delete(v.Members, "n2") })
		time.Sleep(debtLast + time.Second)
		if s := r.at(1).m.Stats(); s.Debts != 0 {
			t.Errorf("a node that is no member is owed nothing: %+v", s)
		}
		told(t, r.at(1).notice("n2:7", "d", 9, 0), StatusOffline)
		if s := r.at(1).m.Stats(); s.Debts != 0 {
			t.Errorf("a node that is no member is owed nothing: %+v", s)
		}
	})
}

// TestMoved: who had a device hears of its session elsewhere, and who tells hears whether it listens; nothing of it
// counts for a trial.
func TestMoved(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		listens := make(chan bool, 4)
		moved := func(node, device string) bool {
			r.at(1).m.Moved(node, &inbox.Notice{Device: []byte(device), Epoch: []byte("e1"), Fence: 4, Seq: 9}, func(yes bool) { listens <- yes })
			synctest.Wait()
			return <-listens
		}
		if !moved("n2", "d") {
			t.Error("n2 does not listen")
		}
		r.at(2).gotSeqs(t, 9)
		if !moved("n2", "") {
			t.Error("n2 does not listen")
		}
		r.at(2).gotSweeps(t, false)
		if len(r.at(2).waits) != 0 {
			t.Error("an answer is wanted")
		}
		r.at(3).end()
		if moved("n3", "d") || moved("nobody", "d") {
			t.Error("a node listens that is not there")
		}
		r.hub.SetCut("n1", true)
		if !moved("n2", "d") {
			t.Error("the bus is away: nobody knows whether n2 listens")
		}
	})
}

// TestNoticeIsOwed: one that the bus did not take is made good by a sweep of its node.
func TestNoticeIsOwed(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		r.hub.SetCut("n1", true)
		told(t, r.at(1).notice("n2:7", "d", 9, 0), StatusQueued)
		told(t, r.at(1).notice("n2:7", "d", 9, time.Second), StatusQueued)
		r.hub.SetCut("n1", false)
		time.Sleep(debtLast)
		r.at(2).gotSweeps(t, false)
		r.at(3).gotSweeps(t)
		r.at(2).gotSeqs(t)
		if s := r.at(1).m.Stats(); s.Debts != 0 {
			t.Errorf("%+v", s)
		}
		r.hub.Partition([]string{"n1"})
		told(t, r.at(1).notice("n2:7", "d", 10, 0), StatusOffline)
		time.Sleep(time.Minute)
		r.at(2).gotSweeps(t, false)
		r.hub.Partition()
		time.Sleep(debtLast + time.Second)
		r.at(2).gotSweeps(t, false, false)
	})
}

// TestNoticeIsSilent: no answer comes, or it comes too late, which harms nobody.
func TestNoticeIsSilent(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.at(2).set(func(n *node) { n.hold = true })
		got := r.at(1).notice("n2:7", "d", 9, time.Second)
		time.Sleep(time.Second + answerSlack + time.Millisecond)
		told(t, got, StatusQueued)
		r.at(2).release(StatusAcknowledged)
		told(t, got, StatusNone)
		if s := r.at(1).m.Stats(); s.Silent != 1 || s.Late != 1 {
			t.Errorf("%+v", s)
		}
		// A notice that comes after its deadline is taken, and not answered.
		r.at(2).forget()
		r.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Delay: 5 * time.Second} })
		got = r.at(1).notice("n2:7", "d", 10, time.Second)
		time.Sleep(6 * time.Second)
		told(t, got, StatusQueued)
		r.at(2).gotSeqs(t, 10)
		if s := r.at(2).m.Stats(); s.Expired != 1 || len(r.at(2).waits) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestCloseAnswersWhoWaits: nobody is left waiting for a mesh that is closed.
func TestCloseAnswersWhoWaits(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.at(2).connect("d")
		r.at(2).set(func(n *node) { n.hold = true })
		got := r.at(1).notice("n2:7", "d", 9, time.Minute)
		r.at(1).end()
		told(t, got, StatusQueued)
		told(t, r.at(1).notice("n2:7", "d", 10, time.Minute), StatusQueued)
		r.at(2).release(StatusAcknowledged)
	})
}

// TestSweeps: a node looks at everything when its channels come back, and when its queues were full.
func TestSweeps(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.hub.SetCut("n2", true)
		r.hub.SetCut("n2", false)
		synctest.Wait()
		r.at(2).gotSweeps(t, true)
		r.at(1).gotSweeps(t)
		hooks := r.at(2).m.hooks()
		hooks.Dropped(fanout.QueueInbox, 5)
		hooks.Dropped(fanout.QueueReplies, 5)
		hooks.Dropped(fanout.QueueTopics, 5)
		hooks.Dropped(fanout.QueueAll, 5)
		hooks.Up(fanout.Scope{Inbox: true}, 1)
		hooks.Up(fanout.Scope{Topics: true}, 1)
		hooks.Twin(99)
		r.at(2).gotSweeps(t, true, false, true, true, false, true)
		if s := r.at(2).m.Stats(); s.Twins != 1 {
			t.Errorf("%+v", s)
		}
	})
}
