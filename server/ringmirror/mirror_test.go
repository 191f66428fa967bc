package ringmirror

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testredis"
)

// TestWrite: what is in force comes to Redis: snapshots that do not expire while the pointer names
// them, and then do; a write that is late changes nothing; a rollback is newer than what it
// takes back.
func TestWrite(t *testing.T) {
	t.Parallel()
	x, r := newSource(t), testredis.Start(t)
	s, again := open(t, r), open(t, r)
	write := func(who *Store, a *cluster.Active, want Wrote) {
		t.Helper()
		if got, err := who.Write(limit(t), a, x.watcher.View()); err != nil || got != want {
			t.Errorf("activation %d: %v, %v; want %v", a.Pointer.Activation, got, err, want)
		}
	}
	if _, err := s.Pointer(limit(t)); !errors.Is(err, ErrNone) {
		t.Errorf("nothing is there: %v", err)
	}
	if _, err := s.Write(limit(t), x.router.Load(), x.watcher.View()); !errors.Is(err, ErrNone) {
		t.Errorf("nothing is in force: %v", err)
	}
	for v := uint64(1); v <= 4; v++ {
		x.put(v, "a", "b", fmt.Sprint("c", v))
	}
	one := x.activate(1)
	write(s, one, Swapped)
	write(again, one, Kept)
	two := x.activate(2)
	write(s, two, Swapped)
	three := x.activate(3)
	write(s, three, Swapped)
	if a, b, c := ttl(r, 1), ttl(r, 2), ttl(r, 3); a == "-1" || a == "-2" || b != "-1" || c != "-1" {
		t.Errorf("lives of what was, of what a rollback goes to, and of what is: %s, %s, %s", a, b, c)
	}

	// Late, from another node, in any order.
	for _, late := range []*cluster.Active{two, one} {
		if _, err := again.Write(limit(t), late, x.watcher.View()); !errors.Is(err, ErrOld) {
			t.Errorf("activation %d is late: %v", late.Pointer.Activation, err)
		}
	}
	if p, err := s.Pointer(limit(t)); err != nil || p.Stable != 3 || p.Activation != three.Pointer.Activation || p.StableHash != three.Pointer.StableHash || p.By != "test" || len(p.History) == 0 {
		t.Errorf("the pointer is %+v, %v", p, err)
	}

	p, err := x.versions.Rollback(limit(t), three.Pointer.Activation, cluster.Told{By: "test", At: time.Now()})
	write(again, x.at(p, err), Swapped)
	if b, c := ttl(r, 2), ttl(r, 3); b != "-1" || c == "-1" {
		t.Errorf("after a rollback: %s, %s", b, c)
	}

	// With a canary, two.
	p, err = x.versions.Canary(limit(t), p.Activation, 4, 500, cluster.Told{At: time.Now()})
	trial := x.at(p, err)
	write(s, trial, Swapped)
	if got, err := s.Pointer(limit(t)); err != nil || got.Canary != 4 || got.Share != 500 || got.Trial != 4 || ttl(r, 4) != "-1" || ttl(r, 2) != "-1" {
		t.Errorf("a trial: %+v, %v", got, err)
	}

	// A Redis that has lost something is mended.
	r.Text("DEL", "roost:ring:4")
	r.Text("EXPIRE", "roost:ring:2", "100")
	write(again, trial, Mended)
	write(again, trial, Kept)
	if ttl(r, 4) != "-1" || ttl(r, 2) != "-1" {
		t.Errorf("mended: %s, %s", ttl(r, 4), ttl(r, 2))
	}
	r.Text("SET", "roost:ring:active", "spoilt")
	if _, err := s.Pointer(limit(t)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a spoilt pointer: %v", err)
	}
	write(s, trial, Swapped)
	r.Text("FLUSHALL")
	write(s, trial, Swapped)
}

// TestLostHistory: an etcd that has lost its data begins its activations anew; what it says is
// newer all the same, and what a node that has not noticed still says is not.
func TestLostHistory(t *testing.T) {
	t.Parallel()
	x, r := newSource(t), testredis.Start(t)
	s := open(t, r)
	x.put(1, "a")
	for range 20 {
		x.put(2, "a", "b") // revisions go up
		if _, err := x.client.Drains().Start(limit(t), "x", cluster.Drain{Over: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	old, before := x.activate(1), x.watcher.View()
	if _, err := s.Write(limit(t), old, before); err != nil {
		t.Fatal(err)
	}
	x.etcd.Wipe()
	v, err := x.watcher.Wait(limit(t), func(v *cluster.View) bool { return v.Stale.IsZero() && v.History != before.History && v.History != "" })
	if err != nil {
		t.Fatalf("the loss is not noticed: %v, %+v", err, x.watcher.View())
	}
	x.put(1, "a", "c") // another ring of the same number
	p, err := x.versions.Activate(limit(t), 0, 1, cluster.Told{By: "test", At: time.Now()})
	anew := x.at(p, err)
	if anew.Pointer.Activation >= old.Pointer.Activation {
		t.Fatalf("activations do not begin anew: %d after %d", anew.Pointer.Activation, old.Pointer.Activation)
	}
	reader := NewReader(s)
	if _, err := reader.Poll(limit(t)); err != nil {
		t.Fatal(err)
	}
	if wrote, err := s.Write(limit(t), anew, v); err != nil || wrote != Swapped {
		t.Errorf("the new history: %v, %v", wrote, err)
	}
	if changed, err := reader.Poll(limit(t)); err != nil || !changed || reader.Load().Pointer.StableHash != anew.Pointer.StableHash {
		t.Errorf("a reader: %v, %v, %+v", changed, err, reader.Load().Pointer)
	}
	if _, err := s.Write(limit(t), old, before); !errors.Is(err, ErrOld) {
		t.Errorf("the old history: %v", err)
	}
}

// TestRace: nodes that swap at different times write at once; what is newest stays, and all that it
// names is there.
func TestRace(t *testing.T) {
	t.Parallel()
	x, r := newSource(t), testredis.Start(t)
	var all []*cluster.Active
	for v := uint64(1); v <= 6; v++ {
		x.put(v, "a", fmt.Sprint("b", v))
		all = append(all, x.activate(v))
	}
	v := x.watcher.View()
	for range 10 {
		r.Text("FLUSHALL")
		var work sync.WaitGroup
		for range 4 {
			s, order := open(t, r), slices.Clone(all)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			work.Go(func() {
				for _, a := range order {
					if _, err := s.Write(limit(t), a, v); err != nil && !errors.Is(err, ErrOld) && !strings.Contains(err.Error(), "meanwhile") {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		s := open(t, r)
		if _, err := s.Write(limit(t), all[len(all)-1], v); err != nil {
			t.Error(err)
		}
		p, err := s.Pointer(limit(t))
		if err != nil || p.Stable != 6 || ttl(r, 6) != "-1" {
			t.Fatalf("%+v, %v, %s", p, err, ttl(r, 6))
		}
		if changed, err := NewReader(s).Poll(limit(t)); err != nil || !changed {
			t.Errorf("it cannot be read: %v", err)
		}
	}
}

// TestReader: a reader has what is in force, and refuses what is older, and what is not what the
// pointer names.
func TestReader(t *testing.T) {
	t.Parallel()
	x, r := newSource(t), testredis.Start(t)
	s := open(t, r)
	reader := NewReader(s)
	if _, err := reader.Poll(limit(t)); !errors.Is(err, ErrNone) || reader.Load() != nil {
		t.Errorf("nothing is there: %v", err)
	}
	x.put(1, "a", "b")
	x.put(2, "a", "b", "c")
	write := func(a *cluster.Active) {
		t.Helper()
		if _, err := s.Write(limit(t), a, x.watcher.View()); err != nil {
			t.Fatal(err)
		}
	}
	one := x.activate(1)
	write(one)
	old := r.Text("GET", "roost:ring:active")
	poll := func(want bool, wrong error) {
		t.Helper()
		if changed, err := reader.Poll(limit(t)); changed != want || !errors.Is(err, wrong) || wrong == nil && err != nil {
			t.Errorf("%v, %v; want %v, %v", changed, err, want, wrong)
		}
	}
	poll(true, nil)
	poll(false, nil)
	two := x.activate(2)
	write(two)
	bytes := r.Text("GET", "roost:ring:2")
	r.Text("SET", "roost:ring:2", r.Text("GET", "roost:ring:1"))
	poll(false, cluster.ErrDamaged) // an old snapshot under the new number
	if reader.Load().Pointer.Stable != 1 {
		t.Error("what was held is gone")
	}
	r.Text("DEL", "roost:ring:2")
	poll(false, ErrNone)
	r.Text("SET", "roost:ring:2", bytes)
	poll(true, nil)
	for i := range 100 {
		key := fmt.Sprint("d", i)
		_, want := two.Routes.Lookup(key)
		ring, got := reader.Load().Routes.Lookup(key)
		if ring.Node(got).ID != two.Routes.Stable().Node(want).ID {
			t.Fatalf("%s: %s", key, ring.Node(got).ID)
		}
	}
	r.Text("SET", "roost:ring:active", old)
	poll(false, ErrOld) // an old pointer replayed
	if reader.Load().Pointer.Stable != 2 || reader.Refused() != 2 {
		t.Errorf("%+v, %d were refused", reader.Load().Pointer, reader.Refused())
	}
	p, err := x.versions.Rollback(limit(t), two.Pointer.Activation, cluster.Told{At: time.Now()})
	write(x.at(p, err))
	poll(true, nil)
	if reader.Load().Pointer.Stable != 1 {
		t.Error("a rollback is no change")
	}
}

// TestMirror: a mirror follows the router, and mends what was lost when Redis comes back.
func TestMirror(t *testing.T) {
	t.Parallel()
	x, r := newSource(t), testredis.Start(t)
	s := open(t, r, func(o *Options) { o.Deadline = 300 * time.Millisecond })
	m := Follow(s, x.router, x.watcher, quiet)
	defer m.Close()
	has := func(version uint64) func() bool {
		return func() bool { p, err := s.Pointer(limit(t)); return err == nil && p.Stable == version }
	}
	x.put(1, "a")
	x.put(2, "a", "b")
	one := x.activate(1)
	testredis.Await(t, "version 1 in Redis", has(1))
	testredis.Await(t, "the mirror's word", func() bool {
		st := m.Status()
		return st.Activation == one.Pointer.Activation && st.Writes == 1 && st.Err == nil
	})
	r.Kill()
	x.activate(2)
	testredis.Await(t, "the mirror's trouble", func() bool { return m.Status().Err != nil })
	r.Restart() // it has kept nothing
	testredis.Await(t, "version 2 in Redis", has(2))
	if ttl(r, 2) != "-1" {
		t.Errorf("version 2 expires in %s s", ttl(r, 2))
	}
}

// TestNewer: the rule is one order: of two pointers one is newer, or they are one activation.
func TestNewer(t *testing.T) {
	for range 10_000 {
		p := func() Pointer {
			return Pointer{Activation: 1 + rand.Int64N(4), History: string(rune('a' + rand.IntN(2))), AtMS: rand.Int64N(4)}
		}
		a, b := p(), p()
		if a.History == b.History {
			n := 0
			for _, is := range []bool{a.Newer(&b), b.Newer(&a), a.same(&b)} {
				if is {
					n++
				}
			}
			if n != 1 {
				t.Fatalf("%+v, %+v", a, b)
			}
		} else if !a.Newer(&b) && !b.Newer(&a) || a.same(&b) {
			t.Fatalf("%+v, %+v", a, b)
		}
	}
	// What was named and is not is retired once, the latest last, and no more than is kept.
	var p Pointer
	for v := uint64(1); v <= 40; v++ {
		next := Pointer{Pointer: cluster.Pointer{Stable: v, Previous: v - 1}}
		next.after(&p)
		p = next
	}
	if len(p.Retired) != maxRetired || p.Retired[maxRetired-1] != 38 || !slices.IsSorted(p.Retired) {
		t.Errorf("%v", p.Retired)
	}
}
