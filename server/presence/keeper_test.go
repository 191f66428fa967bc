package presence

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestZombieBound: who has lost a device knows within the bound.
func TestZombieBound(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		zombies := make(chan Zombie, 10)
		o := Options{Self: n1, OnZombie: func(z Zombie) { zombies <- z }}
		a, b := d.start(o), d.start(Options{Self: n2})
		for i := range 500 {
			mustClaim(t, a, fmt.Sprint("d", i), 1)
		}
		mustClaim(t, b, "d77", 1)
		mustClaim(t, b, "d78", 2)
		time.Sleep(o.Bounds(0).Zombie)
		got := map[string]bool{}
		for len(zombies) > 0 {
			z := <-zombies
			got[z.Device] = z.SameSession
		}
		if len(got) != 2 || !got["d77"] || got["d78"] {
			t.Errorf("zombies are %v, want d77 of the same session and d78 of another", got)
		}
		if s := a.Stats(); s.Devices != 498 || s.Zombies != 2 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestTouch: what is heard of a device gets to the store with the next refresh.
func TestTouch(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		k := d.start(Options{Self: n1})
		c := mustClaim(t, k, "d", 1)
		time.Sleep(time.Minute)
		heard := time.Now()
		k.Touch("d", c.Fence, heard)
		k.Touch("d", c.Fence+1, heard.Add(time.Hour)) // not this session
		time.Sleep(k.o.Bounds(0).Inbound)
		if r := record(t, d.m, "d"); r.Inbound != heard.UnixMilli() {
			t.Errorf("last inbound %d, want %d", r.Inbound, heard.UnixMilli())
		}
	})
}

// TestArrivals: a claim in a script of somebody else's.
func TestArrivals(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		k := d.start(Options{Self: n1})
		a, err := k.Begin(t.Context(), "d", 5)
		must(t, err)
		if !a.Reachable() || a.Floor != 0 {
			t.Errorf("the arrival is %+v", a)
		}
		c, err := d.m.Claim(t.Context(), n1, a.Device, a.SID, a.Now, a.Floor)
		must(t, err)
		if got := a.Adopt(c); got.Fence != 1 || got.Late || got.Provisional {
			t.Errorf("adopted: %+v", got)
		}
		// Two claims under way; the answers come the other way round.
		a1, _ := k.Begin(t.Context(), "d", 5)
		c1, _ := d.m.Claim(t.Context(), n1, "d", 5, a1.Now, a1.Floor)
		a2, _ := k.Begin(t.Context(), "d", 5)
		c2, _ := d.m.Claim(t.Context(), n1, "d", 5, a2.Now, a2.Floor)
		if got := a2.Adopt(c2); got.Late {
			t.Errorf("the later one is late: %+v", got)
		}
		if got := a1.Adopt(c1); !got.Late {
			t.Errorf("the earlier one is not: %+v", got)
		}
		// One that came to nothing, after its script.
		a3, _ := k.Begin(t.Context(), "e", 5)
		d.m.Claim(t.Context(), n1, "e", 5, a3.Now, a3.Floor)
		a3.Abandon()
		time.Sleep(time.Second)
		if r := record(t, d.m, "e"); r.Hold != Left {
			t.Errorf("an abandoned claim leaves %+v", r)
		}
		if _, err := k.Begin(t.Context(), "a b", 1); !errors.Is(err, ErrDevice) {
			t.Errorf("a device id with a space: %v", err)
		}
	})
}

// TestFlush: an orderly end leaves nobody online.
func TestFlush(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		k := d.start(Options{Self: n1})
		for i := range 1000 {
			mustClaim(t, k, fmt.Sprint("d", i), 1)
		}
		d.stop(k)
		for i := range 1000 {
			k.Release(fmt.Sprint("d", i), 1, Shutdown)
		}
		must(t, k.Flush(t.Context()))
		if got := len(all(t, d.m, n1)); got != 0 || record(t, d.m, "d999").Reason != Shutdown {
			t.Errorf("%d devices left in the index; d999 is %+v", got, record(t, d.m, "d999"))
		}
	})
}

// TestSlowListener: a listener that does not read costs nobody anything but itself.
func TestSlowListener(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		k := d.start(Options{Self: n1})
		slow, good := k.Feed().Listen(10), k.Feed().Listen(1000)
		for i := range 100 {
			mustClaim(t, k, fmt.Sprint("d", i), 1)
		}
		if len(slow.C) != 10 || slow.Missed() != 90 || slow.Missed() != 0 || len(good.C) != 100 || good.Missed() != 0 || k.Stats().Missed != 90 {
			t.Errorf("slow has %d, good %d", len(slow.C), len(good.C))
		}
		slow.Close()
		mustClaim(t, k, "d", 1)
		if len(slow.C) != 10 || len(good.C) != 101 {
			t.Error("a listener that is closed gets changes")
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Self: n1, Store: NewMemory(0, nil)}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(*Options){
		"no self":   func(o *Options) { o.Self = Owner{} },
		"braces":    func(o *Options) { o.Self.Node = "a}b" },
		"no store":  func(o *Options) { o.Store = nil },
		"short ttl": func(o *Options) { o.BeatTTL = time.Second },
		"batch":     func(o *Options) { o.Batch = MaxBatch + 1 },
		"pending":   func(o *Options) { o.Pending = -1 },
		"negative":  func(o *Options) { o.Grace = -1 },
	} {
		o := good
		f(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestClaimAfterAll: a claim that was given up unanswered may be done in time, or after its device has gone. Neither leaves
// a device behind that seems to be here.
func TestClaimAfterAll(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		k := d.start(Options{Self: n1, Store: d.m})
		given := map[string]*Arrival{}
		for _, device := range []string{"early", "late"} {
			a, err := k.Begin(t.Context(), device, 7)
			must(t, err)
			if !a.Reachable() {
				t.Fatal("the store cannot be reached")
			}
			given[device] = a
		}
		claim := func(device string) {
			a := given[device]
			_, err := d.m.Claim(t.Context(), n1, device, a.SID, a.Now, a.Floor)
			must(t, err)
		}
		claim("early")
		for device, a := range given {
			if c := a.Provisional(); !k.Release(device, c.Fence, Hangup) {
				t.Errorf("%s: not released", device)
			}
		}
		time.Sleep(time.Second)
		if r := record(t, d.m, "early"); r.Hold != Left || r.Reason != Hangup {
			t.Errorf("early: %+v", r)
		}
		must(t, d.m.Prepare(t.Context(), n1, "late")) // as the script does where it can
		claim("late")
		time.Sleep(10 * time.Second)
		if r := record(t, d.m, "late"); r.Hold != Left {
			t.Errorf("late: %+v", r)
		}
		if left := all(t, d.m, n1); len(left) != 0 {
			t.Errorf("in the index are %v", left)
		}
	})
}
