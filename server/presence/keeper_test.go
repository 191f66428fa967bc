package presence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deployment is keepers over one store, in virtual time.
type deployment struct {
	t     *testing.T
	m     *Memory
	stops map[*Keeper]func()
}

func newDeployment(t *testing.T) *deployment {
	return &deployment{t: t, m: NewMemory(0, nil), stops: map[*Keeper]func(){}}
}

// start runs a keeper until the test ends or it is stopped.
func (d *deployment) start(o Options) *Keeper {
	d.t.Helper()
	if o.Store == nil {
		o.Store = d.m
	}
	k, err := New(o)
	must(d.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	d.stops[k] = func() { cancel(); <-done }
	synctest.Wait()
	return k
}

// stop ends a keeper as a crash does: it says nothing.
func (d *deployment) stop(k *Keeper) {
	d.stops[k]()
	delete(d.stops, k)
}

func (d *deployment) end() {
	for k := range d.stops {
		d.stop(k)
	}
}

// virtual runs f in a bubble of virtual time.
func virtual(t *testing.T, f func(t *testing.T, d *deployment)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDeployment(t)
		defer d.end()
		f(t, d)
	})
}

func mustClaim(t *testing.T, k *Keeper, device string, sid uint64) Claimed {
	t.Helper()
	c, err := k.Claim(t.Context(), device, sid)
	must(t, err)
	return c
}

// status returns what k says of a device.
func status(t *testing.T, k *Keeper, device string) Status {
	t.Helper()
	w, err := k.Get(t.Context(), device)
	must(t, err)
	return w[0].Status
}

// changes empties a listener.
func changes(l *Listener) (out []Change) {
	for len(l.C) > 0 {
		out = append(out, <-l.C)
	}
	return out
}

// TestStoreAway: while the store is away devices come, go and move, and more go than
// the queue holds. Afterwards it is all as it is.
func TestStoreAway(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		f := &faulty{Store: d.m}
		var zombies []Zombie
		var fences int
		o := Options{Store: f, Pending: 20, OnZombie: func(z Zombie) { zombies = append(zombies, z) },
			OnFence: func(_ string, given, fence uint32) {
				if fence > given {
					fences++
				}
			}}
		o.Self = n1
		a := d.start(o)
		o.Self = n2
		b := d.start(o)
		given := map[string]uint32{}
		for i := range 100 {
			device := fmt.Sprint("d", i)
			given[device] = mustClaim(t, a, device, uint64(i+1)).Fence
		}
		time.Sleep(10 * time.Second)
		f.set(true, false)
		time.Sleep(10 * time.Second)
		if a.Up() || b.Up() {
			t.Error("the store is away, and they do not know")
		}
		for i := range 50 { // these go; 30 of them do not fit
			device := fmt.Sprint("d", i)
			if !a.Release(device, given[device], Hangup) {
				t.Fatalf("the release of %s is a late one", device)
			}
		}
		for i := 50; i < 60; i++ { // these move, and their old node does not notice
			if c := mustClaim(t, b, fmt.Sprint("d", i), uint64(i+1)); !c.Provisional || c.Fence == 0 {
				t.Errorf("a claim without a store is %+v", c)
			}
		}
		for i := 200; i < 210; i++ { // these are new
			mustClaim(t, b, fmt.Sprint("d", i), 7)
		}
		if _, err := b.Get(t.Context(), "d1"); !errors.Is(err, ErrDown) {
			t.Errorf("Get is %v, want ErrDown", err)
		}
		if s := status(t, b, "d200"); s != Online {
			t.Errorf("a device that is here is %v, want online", s)
		}
		time.Sleep(time.Minute)
		if s := a.Stats(); s.Pending != 20 || s.Dropped != 30 {
			t.Errorf("%d releases wait and %d were dropped, want 20 and 30", s.Pending, s.Dropped)
		}
		f.set(false, false)
		time.Sleep(20 * time.Second)
		for i := range 210 {
			want := Offline
			if i >= 50 && i < 100 || i >= 200 {
				want = Online
			}
			if s := status(t, a, fmt.Sprint("d", i)); s != want {
				t.Errorf("afterwards d%d is %v, want %v", i, s, want)
			}
		}
		time.Sleep(o.Bounds(0).Zombie)
		if len(zombies) != 10 || !zombies[0].SameSession || zombies[0].Current.Owner != n2 || zombies[0].Fence != given[zombies[0].Device] {
			t.Errorf("%d zombies, want the 10 that moved: %+v", len(zombies), zombies)
		}
		if len(all(t, d.m, n1)) != 40 || len(all(t, d.m, n2)) != 20 || a.Stats().Devices != 40 {
			t.Errorf("indexes have %d and %d devices, want 40 and 20", len(all(t, d.m, n1)), len(all(t, d.m, n2)))
		}
	})
}

// TestLostStore: a store that comes back empty is filled again from what is connected.
func TestLostStore(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		a := d.start(Options{Self: n1, RefreshEvery: 30 * time.Second})
		for i := range 200 {
			mustClaim(t, a, fmt.Sprint("d", i), 1)
		}
		d.m.mu.Lock()
		d.m.records, d.m.nodes = map[string]*kept{}, map[Owner]*memoryNode{}
		d.m.mu.Unlock()
		time.Sleep(35 * time.Second)
		for i := range 200 {
			if r := record(t, d.m, fmt.Sprint("d", i)); r.Hold != Held || r.Owner != n1 || r.Fence != 1 {
				t.Fatalf("d%d is %+v", i, r)
			}
		}
		if got := len(all(t, d.m, n1)); got != 200 {
			t.Errorf("%d devices in the index, want 200", got)
		}
	})
}

// hung is a store that does not answer while on.
type hung struct {
	Store
	on atomic.Bool
}

func (h *hung) hang(ctx context.Context) error {
	if !h.on.Load() {
		return nil
	}
	<-ctx.Done()
	return fmt.Errorf("%w: %w", ErrDown, ctx.Err())
}

func (h *hung) Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (bool, error) {
	if err := h.hang(ctx); err != nil {
		return false, err
	}
	return h.Store.Beat(ctx, o, ttl, revive)
}

func (h *hung) Release(ctx context.Context, o Owner, b []Release) ([]Released, error) {
	if err := h.hang(ctx); err != nil {
		return make([]Released, len(b)), err
	}
	return h.Store.Release(ctx, o, b)
}

func (h *hung) Prepare(ctx context.Context, o Owner, device string) error {
	if err := h.hang(ctx); err != nil {
		return err
	}
	return h.Store.Prepare(ctx, o, device)
}

// TestNothingWaits: with a store that hangs, connections are opened and closed all the
// same, and no time passes.
func TestNothingWaits(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		h := &hung{Store: d.m}
		k := d.start(Options{Self: n1, Store: h})
		mustClaim(t, k, "d0", 1)
		h.on.Store(true)
		time.Sleep(10 * time.Second)
		before := time.Now()
		for i := range 100 {
			device := fmt.Sprint("d", i)
			c := mustClaim(t, k, device, 1)
			k.Touch(device, c.Fence, time.Now())
			if !c.Provisional || !k.Release(device, c.Fence, Hangup) {
				t.Fatalf("a claim is %+v", c)
			}
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("opening and closing took %v of waiting", took)
		}
	})
}

// TestHungClaim: a store that begins to hang holds up one claim for ClaimWithin.
func TestHungClaim(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		h := &hung{Store: d.m}
		k := d.start(Options{Self: n1, Store: h})
		h.on.Store(true)
		before := time.Now()
		if c := mustClaim(t, k, "d", 1); !c.Provisional {
			t.Errorf("the claim is %+v", c)
		}
		if took := time.Since(before); took != time.Second {
			t.Errorf("it took %v, want 1 s", took)
		}
		if c := mustClaim(t, k, "e", 1); !c.Provisional || time.Since(before) != time.Second {
			t.Errorf("the next one waits, too: %+v", c)
		}
	})
}

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
