package mesh

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/fanout"
)

// TestLateness: a sender whose clock is off by so much, with messages each 100 ms that take 1 ms and may be late
// by 1 s; one of them takes longer.
func TestLateness(t *testing.T) {
	for _, off := range []time.Duration{0, time.Second, -time.Second, time.Hour, -time.Hour} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			var l lateness
			now := time.Unix(1_800_000_000, 0)
			send := func(took time.Duration) bool {
				now = now.Add(100 * time.Millisecond)
				sent := now.Add(-took).Add(off)
				return l.late(&fanout.Envelope{Kind: fanout.KindLive, Origin: []byte("n1"), Wait: 1000, Deadline: sent.Add(time.Second).UnixMilli()}, now)
			}
			if first := send(time.Millisecond); first != (off < -time.Second+time.Millisecond) {
				t.Errorf("the first one is late: %v", first)
			}
			for i := range 2000 {
				took := time.Millisecond
				if i%7 == 3 {
					took = 900 * time.Millisecond
				}
				if send(took) {
					t.Fatalf("message %d, after %v, is late", i, took)
				}
				if i%100 == 50 && !send(1100*time.Millisecond) {
					t.Fatalf("message %d, after 1.1 s, is not late", i)
				}
			}
			// A minute of nothing, and a process that stood still for 30 s.
			now = now.Add(time.Minute)
			if send(time.Millisecond) {
				t.Error("late after a minute of nothing")
			}
			for i := range 20 {
				if !send(time.Duration(30-i) * time.Second) {
					t.Errorf("what was sent %d s ago is not late", 30-i)
				}
			}
			// Our clock jumps.
			off -= 10 * time.Second
			bad := 0
			for range 200 {
				if send(time.Millisecond) {
					bad++
				}
			}
			if bad > 110 {
				t.Errorf("%d messages are dropped after a jump", bad)
			}
			if send(time.Millisecond) {
				t.Error("and it does not end")
			}
		})
	}
}

func TestLatenessIsBounded(t *testing.T) {
	var l lateness
	for i := range 3 * maxSenders {
		l.late(&fanout.Envelope{Kind: fanout.KindLive, Origin: []byte(fmt.Sprint(i)), Wait: 5, Deadline: 7}, time.Now())
		if len(l.by) > maxSenders {
			t.Fatalf("%d senders are remembered", len(l.by))
		}
	}
	if l.late(&fanout.Envelope{Kind: fanout.KindLive}, time.Now()) || !l.late(&fanout.Envelope{Kind: fanout.KindLive, Deadline: 7}, time.Now()) {
		t.Error("without a deadline nothing is late; where no wait is said, the clocks are equal")
	}
}

// TestClocksApart: nodes whose clocks differ hear each other.
func TestClocksApart(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		d := r.device("n2")
		r.at(2).connect(d)
		for i := range 5 {
			e := fanout.Envelope{Kind: fanout.KindLive, Device: []byte(d), ID: uint64(i + 1), Wait: 1000, Payload: []byte{byte('0' + i)},
				Deadline: time.Now().Add(-time.Minute).UnixMilli()}
			r.at(1).m.bus.Post(fanout.ToNode("n2"), &e, nil)
			synctest.Wait()
		}
		r.at(2).gotLives(t, d+" 1", d+" 2", d+" 3", d+" 4")
	})
}
