package dialect

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"roost/server"
)

// startNode runs a node until the test ends.
func startNode(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "none", Echo: true,
		Loops: 1, DrainOver: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func deviceName(i uint32) string { return fmt.Sprintf("lg-%06d", i) }

// roostRig is a rig against a node of its own.
func roostRig(t *testing.T, cfg Config) (r *rig, s *server.Server, base string) {
	s = startNode(t)
	base = "http://" + s.APIAddr().String()
	cfg.API, cfg.Name, cfg.Path = base, deviceName, "/v1/connect?hb=30"
	return newRig(t, s.Addr().String(), "roost", cfg), s, base
}

func eachFormat(t *testing.T, f func(t *testing.T, format string)) {
	for _, format := range []string{"json", "bin"} {
		t.Run(format, func(t *testing.T) { f(t, format) })
	}
}

func TestRoostDelivers(t *testing.T) {
	eachFormat(t, func(t *testing.T, format string) {
		topics := func(i uint32) []string {
			if i == 1 {
				return []string{"fw/eu", "a&b=%20+c"}
			}
			return nil
		}
		r, _, base := roostRig(t, Config{Format: format, Topics: topics})
		a := r.dial(0)
		r.dial(1)
		r.until("both are greeted", func() bool { return r.ready == 2 })
		for _, m := range []Message{
			{To: "all", Class: "live", Payload: []byte("to all")},
			{To: "topic", Name: "fw/eu", Payload: []byte("to topic")},
			{To: "topic", Name: "fw/eu", Class: "latest", TTL: time.Minute, Payload: []byte("latest")},
			{To: "device", Name: deviceName(0), Class: "kept", ID: []byte("m1"), TTL: time.Minute, Payload: []byte("kept")},
			{To: "device", Name: deviceName(0), Class: "live", Payload: []byte("live")},
			{To: "device", Name: deviceName(0), Payload: []byte(`not "plain"`)},
		} {
			if err := r.publish(base, a, &m); err != nil {
				t.Fatalf("%+v: %v", m, err)
			}
		}
		r.until("all is there", func() bool { return len(r.got) >= 7 })
		var of [2][]string
		for k, text := range r.got {
			of[r.by[k]] = append(of[r.by[k]], text)
		}
		slices.Sort(of[0]) // a broadcast takes a way of its own
		slices.Sort(of[1])
		if want := []string{"kept", "live", `not \"plain\"`, "to all"}; !slices.Equal(of[0], want) {
			t.Errorf("client 0 got %q, want %q", of[0], want)
		}
		if want := []string{"latest", "to all", "to topic"}; !slices.Equal(of[1], want) {
			t.Errorf("client 1 got %q, want %q", of[1], want)
		}
		if len(r.failed) > 0 || r.resumed > 0 || r.replaced > 0 {
			t.Errorf("failed %v, resumed %d, replaced %d", r.failed, r.resumed, r.replaced)
		}
	})
}

func TestRoostRefusals(t *testing.T) {
	r, _, base := roostRig(t, Config{})
	err := r.publish(base, nil, &Message{To: "device", Name: "never-seen", Class: "kept", Payload: []byte("x")})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != "unknown device" {
		t.Errorf("to an unknown device: %v", err)
	}
	err = r.publish(base, nil, &Message{To: "device", Name: "a b", Class: "kept", Payload: []byte("x")})
	if !errors.As(err, &refused) || refused.Status != 400 || refused.Reason == "" {
		t.Errorf("to a name that is none: %v", err)
	}
}

// TestRoostResumes: kept messages that came while a device was away come when
// it is back; what it had does not.
func TestRoostResumes(t *testing.T) {
	eachFormat(t, func(t *testing.T, format string) {
		for _, resume := range []bool{true, false} {
			r, _, base := roostRig(t, Config{Format: format, Resume: resume})
			name := deviceName(2)
			a := r.dial(2)
			r.until("greeted", func() bool { return r.ready == 1 })
			if err := r.publish(base, a, &Message{To: "device", Name: name, Class: "kept", Payload: []byte("1")}); err != nil {
				t.Fatal(err)
			}
			r.until("the first is there", func() bool { return len(r.got) == 1 })
			a.end(End{})
			if w := r.waits[0]; w < 0 || w > time.Minute {
				t.Errorf("told to wait %v", w)
			}
			if at := r.d.Deadline(2); at != 0 {
				t.Errorf("deadline %v without a connection", at)
			}
			if err := r.publish(base, a, &Message{To: "device", Name: name, Class: "kept", Payload: []byte("2")}); err != nil {
				t.Fatal(err)
			}
			r.dial(2)
			r.until("the second is there", func() bool { return len(r.got) >= 2 })
			if !slices.Equal(r.got, []string{"1", "2"}) || (r.resumed == 1) != resume {
				t.Errorf("resume %v: got %q, resumed %d", resume, r.got, r.resumed)
			}
		}
	})
}

// TestRoostComesBack: close codes say whether and when.
func TestRoostComesBack(t *testing.T) {
	r, s, base := roostRig(t, Config{Resume: true})
	r.dial(0)
	r.until("greeted", func() bool { return r.ready == 1 })
	if err := s.Disconnect(t.Context(), deviceName(0)); err != nil {
		t.Fatal(err)
	}
	r.until("cut", func() bool { return len(r.ended) == 1 })
	if e := r.ended[0]; e.Code != 4003 || !e.Greeted || r.waits[0] != 0 {
		t.Errorf("ended %+v, wait %v", e, r.waits[0])
	}
	r.dial(0)
	r.until("back", func() bool { return r.ready == 2 })
	if r.resumed != 1 {
		t.Errorf("resumed %d", r.resumed)
	}
	// Another client connects as the same device: that is for good.
	other := newRig(t, r.addr, "roost", Config{Name: deviceName, API: base})
	other.dial(0)
	r.until("stopped", func() bool { return len(r.ended) == 2 })
	if e := r.ended[1]; e.Code != 4303 || r.waits[1] >= 0 {
		t.Errorf("ended %+v, wait %v", e, r.waits[1])
	}
	// As a client that was never there it may come again.
	r.d.Forget(0)
	r.dial(0)
	r.until("back", func() bool { return r.ready == 3 })
	if r.resumed != 1 {
		t.Errorf("resumed %d", r.resumed)
	}
}

// TestRoostMakesBeforeItBreaks: a node that drains gives each device a slot, in
// which it dials while its connection stands.
func TestRoostMakesBeforeItBreaks(t *testing.T) {
	eachFormat(t, func(t *testing.T, format string) {
		r := newRig(t, "", "roost", Config{Format: format, Name: deviceName, Resume: true})
		node := startFake(t)
		r.addr = node.addr
		r.dial(0)
		node.say(0, format, welcome("e1"))
		r.until("greeted", func() bool { return r.ready == 1 })
		node.say(0, format, away)
		r.until("dialed again", func() bool { return node.count() == 2 })
		node.say(0, format, live("on the old one"))
		r.until("the old one delivers", func() bool { return len(r.got) == 1 })
		node.say(1, format, welcome("e1"))
		r.until("greeted again", func() bool { return r.ready == 2 })
		if r.replaced != 1 || r.resumed != 1 || len(r.conns) != 2 {
			t.Errorf("replaced %d, resumed %d, %d connections", r.replaced, r.resumed, len(r.conns))
		}
		node.say(0, format, live("ignored"))
		node.say(1, format, live("on the new one"))
		r.until("the new one delivers", func() bool { return len(r.got) == 2 })
		r.conns[0].end(End{Code: 4002})
		if r.waits[0] >= 0 {
			t.Errorf("a connection that was replaced wants to be dialed after %v", r.waits[0])
		}
	})
}

// TestRoostIsSentAway: a node that drains gives each device a slot. Nobody else
// is there to take it: it keeps its connection until the node ends it, and tries
// again later each time.
func TestRoostIsSentAway(t *testing.T) {
	r, s, _ := roostRig(t, Config{Resume: true})
	r.dial(0)
	r.until("greeted", func() bool { return r.ready == 1 })
	done := make(chan error, 1)
	go func() { done <- s.Drain(t.Context()) }()
	r.until("refused, and cut", func() bool { return len(r.waits) >= 2 && len(r.conns) == 0 })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(r.failed) > 0 || r.ended[0].Code != 4001 || r.waits[len(r.waits)-1] < 0 {
		t.Errorf("failed %v, ended %+v, waits %v", r.failed, r.ended, r.waits)
	}
}
