package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"roost/ring"
	"roost/server/testetcd"
)

// TestVersions: the way of a ring: put, read back, in force, on trial, promoted,
// rolled back; and what is refused.
func TestVersions(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	v := c.Versions()
	if p, err := v.Pointer(limit(t)); err != nil || p != (Pointer{}) {
		t.Errorf("no pointer yet: %+v, %v", p, err)
	}
	one, two := built(t, 1, "a", "b"), built(t, 2, "a", "b", "c")
	hash, err := v.Put(limit(t), one)
	if err != nil || hash == 0 {
		t.Fatal(hash, err)
	}
	if again, err := v.Put(limit(t), one); err != nil || again != hash {
		t.Errorf("the same again: %v, %v", again, err)
	}
	if _, err := v.Put(limit(t), built(t, 1, "a", "x")); !errors.Is(err, ErrConflict) {
		t.Errorf("another ring with its number: %v", err)
	}
	if _, err := v.Put(limit(t), built(t, 0, "a")); !errors.Is(err, ErrOptions) {
		t.Errorf("version 0: %v", err)
	}
	got, err := v.Get(limit(t), 1)
	if err != nil || got.Hash != hash || one.Compare(got.Ring).Moved != 0 {
		t.Errorf("read: %+v, %v", got, err)
	}
	if _, err := v.Get(limit(t), 9); !errors.Is(err, ErrNoVersion) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := v.Activate(limit(t), 0, 9, tell); !errors.Is(err, ErrNoVersion) {
		t.Errorf("activate a version that is not there: %v", err)
	}
	p, err := v.Activate(limit(t), 0, 1, tell)
	if err != nil || p.Activation == 0 || p.StableHash != hash {
		t.Fatalf("%+v, %v", p, err)
	}
	stored(t, v, two)
	var moved *MovedError
	if _, err := v.Canary(limit(t), 0, 2, 500, tell); !errors.As(err, &moved) || moved.Now != p {
		t.Errorf("an activation of the past: %v", err)
	}
	canary, err := v.Canary(limit(t), p.Activation, 2, 500, tell)
	if err != nil || canary.Activation <= p.Activation {
		t.Fatalf("%+v, %v", canary, err)
	}
	up, err := v.Promote(limit(t), canary.Activation, tell)
	if err != nil || up.Stable != 2 {
		t.Fatalf("%+v, %v", up, err)
	}
	down, err := v.Rollback(limit(t), up.Activation, tell)
	if err != nil || down.Stable != 1 || down.Activation <= up.Activation {
		t.Errorf("a rollback is a new activation: %+v, %v", down, err)
	}
	if now, err := v.Pointer(limit(t)); err != nil || now != down {
		t.Errorf("read %+v, want %+v: %v", now, down, err)
	}
	damagedVersions(t, c, down)
}

// damagedVersions: what somebody has spoilt is not put in force.
func damagedVersions(t *testing.T, c *Client, p Pointer) {
	v := c.Versions()
	good, err := v.Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(good.Bytes)
	bad[len(bad)/2] ^= 1
	put(t, c, c.keys.version(3), string(bad))
	put(t, c, c.keys.version(4), string(good.Bytes)) // version 1 under another number: an old one replayed
	for _, version := range []uint64{3, 4} {
		if _, err := v.Activate(limit(t), p.Activation, version, tell); !errors.Is(err, ErrDamaged) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// TestPointerRace: of many who change the pointer from the same state one wins,
// the others are told what it is now.
func TestPointerRace(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	v := c.Versions()
	stored(t, v, built(t, 1, "a"), built(t, 2, "a", "b"), built(t, 3, "b"))
	expect := int64(0)
	for round := range 10 {
		var wins, told atomic.Int64
		var next atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				p, err := v.Activate(limit(t), expect, uint64(1+(i+round)%3), tell)
				var moved *MovedError
				switch {
				case err == nil:
					wins.Add(1)
					next.Store(p.Activation)
				case errors.As(err, &moved) && moved.Now.Activation > expect:
					told.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if wins.Load() != 1 || told.Load() != 7 {
			t.Fatalf("round %d: %d won, %d were told", round, wins.Load(), told.Load())
		}
		expect = next.Load()
	}
}

// versionModel is what Versions has to do, in a few lines.
type versionModel struct {
	t       *rapid.T
	v       *Versions
	ctx     context.Context
	stored  map[uint64]string // version -> nodes
	pointer Pointer
}

var modelRings sync.Map // "version/nodes" -> *ring.Ring

func modelRing(t *rapid.T, version uint64, nodes string) *ring.Ring {
	key := fmt.Sprint(version, "/", nodes)
	if r, ok := modelRings.Load(key); ok {
		return r.(*ring.Ring)
	}
	list := []ring.Node{{ID: nodes, Weight: 1}}
	r, err := ring.Build(version, list, ring.Options{TableBits: 8})
	if err != nil {
		t.Fatal(err)
	}
	modelRings.Store(key, r)
	return r
}

func (m *versionModel) is(err, want error, what string) bool {
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		m.t.Fatalf("%s: %v, want %v; pointer %+v, stored %v", what, err, want, m.pointer, m.stored)
	}
	return err == nil
}

func (m *versionModel) put() {
	version := rapid.Uint64Range(1, 6).Draw(m.t, "version")
	nodes := rapid.SampledFrom([]string{"a", "b"}).Draw(m.t, "nodes")
	var want error
	if old, there := m.stored[version]; there && old != nodes {
		want = ErrConflict
	}
	_, err := m.v.Put(m.ctx, modelRing(m.t, version, nodes))
	if m.is(err, want, fmt.Sprint("put ", version)) {
		m.stored[version] = nodes
	}
}

// change makes one of the changes of the pointer, at times with an activation of
// the past.
func (m *versionModel) change() {
	what := rapid.SampledFrom([]string{"activate", "canary", "promote", "rollback"}).Draw(m.t, "change")
	version := rapid.Uint64Range(1, 6).Draw(m.t, "version")
	share := rapid.SampledFrom([]int{0, 1, 500, 10_000, 10_001}).Draw(m.t, "share")
	expect := m.pointer.Activation - int64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(m.t, "late"))
	before, present := m.pointer, m.stored[version] != ""
	var p Pointer
	var err, want error
	next := before
	switch what {
	case "activate":
		p, err = m.v.Activate(m.ctx, expect, version, tell)
		next = before.activated(named{version, 0}, tell)
	case "canary":
		p, err = m.v.Canary(m.ctx, expect, version, share, tell)
		next, want = before.tried(named{version, 0}, share, tell)
	case "promote":
		present = true
		p, err = m.v.Promote(m.ctx, expect, tell)
		next, want = before.promoted(tell)
	case "rollback":
		present = true
		p, err = m.v.Rollback(m.ctx, expect, tell)
		next, want = before.rolledBack(tell)
	}
	switch {
	case !present:
		want = ErrNoVersion
	case expect != before.Activation:
		want = ErrMoved
	}
	want = sentinel(want)
	if !m.is(err, want, what) {
		return
	}
	if p.Activation <= before.Activation || p.Stable != next.Stable || p.Canary != next.Canary || p.Share != next.Share || p.Previous != next.Previous {
		m.t.Fatalf("%s: %+v, want %+v", what, p, next)
	}
	m.pointer = p
}

// sentinel is which error of the package an error is.
func sentinel(err error) error {
	for _, e := range []error{ErrNoVersion, ErrMoved, ErrNoCanary, ErrOptions} {
		if errors.Is(err, e) {
			return e
		}
	}
	return err
}

func (m *versionModel) collect() {
	keep := rapid.IntRange(0, 4).Draw(m.t, "keep")
	var all []uint64
	for version := range m.stored {
		all = append(all, version)
	}
	slices.Sort(all)
	deleted := 0
	for i, version := range all {
		if i < len(all)-keep && !m.pointer.refers(version) {
			delete(m.stored, version)
			deleted++
		}
	}
	n, err := m.v.Collect(m.ctx, keep)
	if m.is(err, nil, "collect") && n != deleted {
		m.t.Fatalf("collected %d, want %d", n, deleted)
	}
}

func (m *versionModel) check() {
	p, err := m.v.Pointer(m.ctx)
	if err != nil || p != m.pointer {
		m.t.Fatalf("the pointer is %+v, want %+v: %v", p, m.pointer, err)
	}
	list, err := m.v.List(m.ctx)
	if err != nil || len(list) != len(m.stored) {
		m.t.Fatalf("stored are %v, want %v: %v", list, m.stored, err)
	}
	for _, version := range []uint64{p.Stable, p.Canary, p.Previous} {
		if version != 0 && !slices.Contains(list, version) {
			m.t.Fatalf("the pointer names %d, which is not stored: %v", version, list)
		}
	}
}

// TestVersionsModel: random puts, changes, from the present and from the past, and
// collections do what the model does, and what the pointer names is always there.
func TestVersionsModel(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	var prefix atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		own := *c
		own.keys = keys{fmt.Sprintf("/model/%d", prefix.Add(1))}
		ctx := limit(t)
		if err := own.Identify(ctx); err != nil {
			rt.Fatal(err)
		}
		m := &versionModel{t: rt, v: own.Versions(), ctx: ctx, stored: map[uint64]string{}}
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0, 1:
				m.put()
			case 5:
				m.collect()
			default:
				m.change()
			}
			m.check()
		}
	})
}
