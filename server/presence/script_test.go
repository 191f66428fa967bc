package presence

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/server/testredis"
)

// someRecord draws a record as it can be stored, close to others drawn.
func someRecord(t *rapid.T) Record {
	r := Record{Hold: Hold(rapid.IntRange(0, 3).Draw(t, "hold"))}
	if r.Hold == Nobody {
		return Record{}
	}
	r.Owner = rapid.SampledFrom([]Owner{n1, n2}).Draw(t, "owner")
	r.Fence = rapid.Uint32Range(1, 4).Draw(t, "fence")
	r.SID = rapid.Uint64().Draw(t, "sid")
	r.Since = rapid.Int64Range(1000, 1002).Draw(t, "since")
	r.Inbound = rapid.Int64Range(1000, 1002).Draw(t, "inbound")
	if r.Connected = r.Since; r.Hold != Held {
		r.Connected = rapid.Int64Range(1000, 1002).Draw(t, "connected")
		r.Reason = Reason(rapid.Uint16().Draw(t, "reason"))
	}
	return r
}

// TestScriptsFollowRules gives the same records and the same operations to the rules
// in Go and to the scripts in Redis.
func TestScriptsFollowRules(t *testing.T) {
	srv := testredis.Start(t)
	s := redisStage(t, "redis", "redis://"+srv.Addr(), nil)
	const device = "d"
	fields := []string{"x", "o", "f", "s", "t", "c", "l", "r"}
	n := 2000
	if testing.Short() {
		n = 500
	}
	times(t, n, func(t *rapid.T) {
		r := someRecord(t)
		srv.Text("DEL", Key(device))
		if r.Hold != Nobody {
			set := []string{"HSET", Key(device)}
			for i, f := range encodeRecord(&r) {
				if f != "" {
					set = append(set, fields[i], f)
				}
			}
			srv.Text(set...)
		}
		before := r
		want, got := applyBoth(t, s, device, &r)
		if want != got {
			t.Fatalf("on %+v: Redis says %+v, the rules %+v", before, got, want)
		}
		answers, err := s.Get(t.Context(), []string{device})
		if err != nil || answers[0].Record != r {
			t.Fatalf("on %+v, %+v: Redis has %+v, the rules %+v (%v)", before, want, answers[0].Record, r, err)
		}
		ttl := srv.Text("PTTL", Key(device))
		if forgets := ttl != "-1" && ttl != "-2"; r != before && forgets != (r.Hold == Left || r.Hold == Lost) {
			t.Fatalf("%v record has PTTL %s", r.Hold, ttl)
		}
	})
}

// applyBoth draws an operation, applies it to r and to the store, and returns both
// results.
func applyBoth(t *rapid.T, s Store, device string, r *Record) (want, got any) {
	o := rapid.SampledFrom([]Owner{n1, n2}).Draw(t, "by")
	fence := rapid.Uint32Range(1, 4).Draw(t, "its fence")
	sid := rapid.Uint64().Draw(t, "its sid")
	now := rapid.SampledFrom([]int64{1000, 1001, 1002, 1_700_000_002_999, 4_000_000_000_000}).Draw(t, "now")
	connected := rapid.Int64Range(1000, 1002).Draw(t, "its connected")
	prov := rapid.Bool().Draw(t, "provisional")
	ctx := t.Context()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch rapid.SampledFrom([]string{"claim", "release", "refresh", "assert", "sweep"}).Draw(t, "operation") {
	case "claim":
		c, err := s.Claim(ctx, o, device, sid, now, fence)
		fail(err)
		return r.claim(o, sid, now, fence), c
	case "release":
		x := Release{Device: device, Fence: fence, Provisional: prov, Connected: connected, At: now, Reason: 4103}
		g, err := s.Release(ctx, o, []Release{x})
		fail(err)
		return r.release(o, &x), g[0]
	case "refresh":
		x := Refresh{Device: device, Fence: fence, Inbound: now}
		g, err := s.Refresh(ctx, o, []Refresh{x})
		fail(err)
		return r.refresh(o, &x), g[0]
	case "assert":
		x := Assertion{Device: device, SID: sid, Connected: connected, Inbound: now, Fence: fence, Provisional: prov}
		g, err := s.Assert(ctx, o, []Assertion{x})
		fail(err)
		return r.assert(o, &x), g[0]
	}
	fail(s.Index(ctx, o, []string{device}))
	if mine, err := s.SweepTake(ctx, o, "test", time.Minute); err != nil || !mine {
		t.Fatal("the sweep is somebody else's", err)
	}
	g, err := s.Sweep(ctx, o, now, 10)
	fail(err)
	fail(s.Unindex(ctx, o, []string{device}))
	w := SweptDevice{Device: device, Fence: r.Fence}
	w.Found = r.sweep(o, now)
	if len(g) != 1 {
		t.Fatalf("a sweep of one device found %+v", g)
	}
	return w, g[0]
}

// TestFencesAfterLoss: a session that is opened after the store has lost what it had, by a node that does not know
// the device, has a higher fence than those before: other nodes remember them.
func TestFencesAfterLoss(t *testing.T) {
	srv := testredis.Start(t)
	s := redisStage(t, "redis", "redis://"+srv.Addr(), nil)
	const now = 1_800_000_000_123
	var last uint32
	for i := range int64(3) {
		c, err := s.Claim(t.Context(), n1, "d", 1, now+1000*i, 0)
		if err != nil || c.Fence <= last {
			t.Fatalf("the claim is %+v after %d, %v", c, last, err)
		}
		last = c.Fence
	}
	srv.Text("FLUSHALL")
	if c, err := s.Claim(t.Context(), n2, "d", 1, now+3000, 0); err != nil || c.Fence <= last {
		t.Errorf("the claim is %+v after %d, %v", c, last, err)
	}
}

// TestLargeFences: a fence goes as far as MaxFence and is told as a whole number.
func TestLargeFences(t *testing.T) {
	srv := testredis.Start(t)
	s := redisStage(t, "redis", "redis://"+srv.Addr(), nil)
	c, err := s.Claim(t.Context(), n1, "d", 1, 1_800_000_000_123, MaxFence-1)
	if err != nil || c.Fence != MaxFence {
		t.Fatalf("the claim is %+v, %v; want fence %d", c, err, MaxFence)
	}
	if r := record(t, s, "d"); r.Fence != MaxFence || r.Since != 1_800_000_000_123 {
		t.Errorf("the record is %+v", r)
	}
	got, err := s.Assert(t.Context(), n2, []Assertion{{Device: "d", Connected: 1_900_000_000_000, Fence: 1, Provisional: true}})
	if err != nil || got[0].Fence != MaxFence+1 {
		t.Errorf("an assertion above is %+v, %v", got, err)
	}
}

// TestOtherKeys: a key that holds something else is an error of that device alone.
func TestOtherKeys(t *testing.T) {
	srv := testredis.Start(t)
	s := redisStage(t, "redis", "redis://"+srv.Addr(), nil)
	srv.Text("SET", Key("string"), "x")
	srv.Text("HSET", Key("hash"), "x", "7", "o", "??")
	claim(t, s, n1, "good", 1000)
	got, err := s.Get(t.Context(), []string{"string", "good", "hash"})
	if err == nil || got[0].OK || !got[1].OK || got[2].OK || got[1].Record.Owner != n1 {
		t.Errorf("Get is %+v, %v; want good alone", got, err)
	}
	x, err := s.Release(t.Context(), n1, []Release{{Device: "string", Fence: 1}, {Device: "good", Fence: 1, At: 2000}})
	if err == nil || x[0].Outcome != Failed || x[1].Outcome != Applied {
		t.Errorf("Release is %+v, %v; want the good one applied", x, err)
	}
}
