package link

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"roost/loadgen/swarm"
	"roost/loadgen/tally"
)

// all has one message of each kind.
func all() []*Message {
	h := tally.NewHist()
	h.Record(5_000_000)
	h.Miss(2)
	t := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 3, Delivered: 1, Missing: 2}}}}
	t.Groups[0].Hists[tally.Delivery] = h
	tick := Tick{Phase: 1, At: 7, Tally: t, Self: &Self{CPU: time.Second, Net: Net{"ListenDrops": 3}}}
	return []*Message{
		{Hello: &Hello{Version: Version, Token: "t", Host: "h", PID: 1, Boot: "b", TimeNS: "n", Cores: 2, Files: 1024}},
		{Ready: &Ready{Clients: 3}}, {Tick: &tick}, {Progress: &swarm.Progress{Phase: 2, Idle: true}},
		{Finished: &Finished{Refused: []swarm.Refusal{{Publish: 1, Number: 2}}, More: true}},
		{Settled: &Settled{Tick: tick}}, {Pong: &Pong{At: 1, Own: 2}},
		{Plan: &Plan{Scenario: "name: x", Worker: 1, Workers: 2, Run: 5, Shift: -3, Check: true, Here: 2, Index: 1}},
		{Begin: &Begin{Phase: 1, At: 2}}, {Finish: &Finish{At: 1, Wait: time.Second}}, {Settle: &Settle{}}, {Ping: &Ping{At: 1, Shift: 2}},
		{Done: &Done{}}, {Fail: &Fail{Error: "no", Shortfalls: []string{"ulimit -n 10"}}},
	}
}

func text(t *testing.T, m *Message) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEveryKindArrives, over a connection and within a process.
func TestEveryKindArrives(t *testing.T) {
	if kinds := reflect.TypeFor[Message]().NumField(); kinds != len(all()) {
		t.Fatalf("%d kinds, %d tested", kinds, len(all()))
	}
	a, b := net.Pipe()
	ca, cb := NewConn(a), NewConn(b)
	cb.Trust()
	pa, pb := Pair()
	for name, ends := range map[string][2]Link{"connection": {ca, cb}, "pair": {pa, pb}} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan error, 1)
			go func() {
				for _, m := range all() {
					if err := ends[0].Send(m); err != nil {
						sent <- err
						return
					}
				}
				sent <- ends[0].Close()
			}()
			for _, want := range all() {
				got, err := ends[1].Receive()
				if err != nil {
					t.Fatal(err)
				}
				if text(t, got) != text(t, want) {
					t.Errorf("got %s, want %s", text(t, got), text(t, want))
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			if _, err := ends[1].Receive(); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
			if err := ends[1].Send(all()[0]); err == nil {
				t.Error("sent to nobody")
			}
			ends[1].Close()
		})
	}
}

// frame is a message's bytes, with the length that is given.
func frame(length uint32, body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, length), body...)
}

// TestBadMessagesAreErrors: each says what was wrong.
func TestBadMessagesAreErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		in         []byte
	}{
		{"cut in the length", "unexpected EOF", []byte{0, 0}},
		{"cut in the body", "unexpected EOF", frame(10, `{"done"`)},
		{"too long", "at most", frame(MaxMessage+1, "")},
		{"another protocol", "at most", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"not JSON", "invalid character", frame(3, "abc")},
		{"empty", "unexpected end", frame(0, "")},
		{"no member", "exactly one", frame(2, "{}")},
		{"unknown member", "exactly one", frame(8, `{"x": 1}`)},
		{"two members", "exactly one", frame(21, `{"done":{},"ping":{}}`)},
		{"tick without tally", "without a tally", frame(11, `{"tick":{}}`)},
		{"no worker of none", "worker 0 of 0", frame(11, `{"plan":{}}`)},
		{"broken histogram", "message of", frame(64, `{"tick":{"tally":{"hists":[{"hdr":"AAAA"}],"groups":[]}}}       `)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(bytes.NewReader(c.in), true)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestStrangersSayHelloOnly: nothing else is read of them, and nothing long.
func TestStrangersSayHelloOnly(t *testing.T) {
	for _, m := range all() {
		body := text(t, m)
		_, err := read(bytes.NewReader(frame(uint32(len(body)), body)), false)
		if (err == nil) != (m.Hello != nil) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := read(bytes.NewReader(frame(MaxHello+1, "")), false); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a long hello: %v", err)
	}
}

// TestWhoDoesNotReadIsAnError: a sender never waits for ever.
func TestWhoDoesNotReadIsAnError(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	l := NewConn(a)
	done := make(chan error, 1)
	go func() { done <- l.Send(&Message{Done: &Done{}}) }()
	l.Close()
	if err := <-done; err == nil {
		t.Error("sent to nobody")
	}
}

// FuzzRead: whatever comes is a message or an error, and what is a message can
// be written again.
func FuzzRead(f *testing.F) {
	for _, m := range all() {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(true, frame(uint32(len(b)), string(b)))
	}
	f.Add(false, frame(1<<31, "x"))
	f.Fuzz(func(t *testing.T, trusted bool, in []byte) {
		m, err := read(bytes.NewReader(in), trusted)
		if err != nil {
			return
		}
		if _, err := json.Marshal(m); err != nil {
			t.Errorf("%s: cannot be written again: %v", in, err)
		}
	})
}

// TestOffsetIsWithinItsBound: whatever the two ways of a ping take, and though
// the worker's clock drifts.
func TestOffsetIsWithinItsBound(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		truth := rng.Int64N(2e18) - 1e18
		ppm := (rng.Float64() - .5) * 2 * 15e-6
		var o Offset
		if _, _, ok := o.Shift(0); ok {
			t.Fatal("knows something before the first ping")
		}
		for i := range int64(40) {
			now := i * 1e9
			there, back := rng.Int64N(2e6), rng.Int64N(2e6)
			shift := truth + int64(ppm*float64(now))
			o.Add(now, now+there+back, now+there-shift)
			at := now + there + back
			got, bound, ok := o.Shift(at)
			if miss := got - (truth + int64(ppm*float64(at))); !ok || max(miss, -miss) > int64(bound)+1 {
				t.Fatalf("seed %d, ping %d: wrong by %d, bound %d", seed, i, miss, bound)
			}
		}
	}
}
