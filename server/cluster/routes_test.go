package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"roost/server/testetcd"
)

// routed returns a router that ends with the test.
func routed(t testing.TB, c *Client, w *Watcher, o RouterOptions) *Router {
	t.Helper()
	r := c.Route(w, o)
	t.Cleanup(r.Close)
	return r
}

// inForce waits until a router has a pointer in force.
func inForce(t testing.TB, r *Router, p Pointer) *Active {
	t.Helper()
	a, err := r.Wait(limit(t), func(a *Active) bool { return a.Pointer.Activation == p.Activation && a.From == FromEtcd })
	if err != nil {
		t.Fatalf("activation %d: %v; in force is %+v, %+v", p.Activation, err, r.Load().Pointer, r.Status())
	}
	return a
}

func must(t testing.TB) func(p Pointer, err error) Pointer {
	return func(p Pointer, err error) Pointer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// TestRouter: what the pointer says is in force, whichever way it moves, with the
// hash of what is stored; a device stays with its side.
func TestRouter(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	stages := make(chan Stage, 100)
	r := routed(t, c, w, RouterOptions{Stages: func(s Stage, _ time.Duration) { stages <- s }})
	if a := r.Load(); a.From != Nowhere || a.Routes.Stable().Len() != 0 {
		t.Errorf("before the first: %+v", a)
	}
	v := c.Versions()
	one, two := built(t, 1, "a", "b"), built(t, 2, "a", "b", "c")
	stored(t, v, one, two)
	p := must(t)(v.Activate(limit(t), 0, 1, tell))
	a := inForce(t, r, p)
	if a.Routes.Stable().Version() != 1 || a.Pointer != p {
		t.Errorf("%+v", a.Pointer)
	}
	p = must(t)(v.Canary(limit(t), p.Activation, 2, 500, tell))
	a = inForce(t, r, p)
	if canary, share := a.Routes.Canary(); canary == nil || canary.Version() != 2 || share != 500 {
		t.Errorf("%+v", a.Pointer)
	}
	p = must(t)(v.Promote(limit(t), p.Activation, tell))
	a = inForce(t, r, p)
	if canary, _ := a.Routes.Canary(); canary != nil || a.Routes.Stable().Version() != 2 {
		t.Errorf("%+v", a.Pointer)
	}
	p = must(t)(v.Rollback(limit(t), p.Activation, tell))
	a = inForce(t, r, p)
	if a.Routes.Stable().Version() != 1 {
		t.Errorf("%+v", a.Pointer)
	}
	counts := map[Stage]int{}
	for len(stages) > 0 {
		counts[<-stages]++
	}
	if counts[Compute] == 0 || counts[Compute] != counts[Swap] || counts[Swap] != counts[Whole] {
		t.Errorf("stages told: %v", counts)
	}
	routerRefuses(t, c, r, p)
}

// routerRefuses: a pointer to what is not there, or is another content, leaves the
// ring that is in force, and says why; so does one that is gone.
func routerRefuses(t *testing.T, c *Client, r *Router, p Pointer) {
	bad := p
	bad.Stable, bad.StableHash = 2, 1
	text, _ := bad.encode()
	put(t, c, c.keys.active(), text)
	eventually(t, "another content is refused", func() bool { return errors.Is(r.Status().Err, ErrDamaged) })
	bad.Stable = 9
	text, _ = bad.encode()
	put(t, c, c.keys.active(), text)
	eventually(t, "a version that is not there is refused", func() bool { return errors.Is(r.Status().Err, ErrNoVersion) })
	if r.Load().Pointer != p {
		t.Errorf("in force is %+v", r.Load().Pointer)
	}
	if _, err := c.etcd.Delete(limit(t), c.keys.active()); err != nil {
		t.Fatal(err)
	}
	p = must(t)(c.Versions().Activate(limit(t), 0, 2, tell))
	inForce(t, r, p)
	eventually(t, "it is mended", func() bool { return r.Status().Err == nil })
}

// TestStartFromFile: a node that starts while etcd is down has the last rings, and
// takes the newest when etcd is back. A file that is damaged is refused, said, and
// written anew.
func TestStartFromFile(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	file := filepath.Join(t.TempDir(), "routes")
	v := c.Versions()
	stored(t, v, built(t, 1, "a", "b"), built(t, 2, "a", "b", "c"), built(t, 3, "a", "c"))
	p := must(t)(v.Activate(limit(t), 0, 1, tell))
	p = must(t)(v.Canary(limit(t), p.Activation, 2, 500, tell))
	first := c.Route(watching(t, c, fast), RouterOptions{File: file})
	inForce(t, first, p)
	eventually(t, "the file", func() bool { a, err := readActive(file, desk); return err == nil && a != nil && a.Pointer == p })
	first.Close()

	s.Kill()
	w, err := c.Watch(fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	r := routed(t, c, w, RouterOptions{File: file})
	a := r.Load()
	if canary, share := a.Routes.Canary(); a.From != FromFile || a.Pointer != p || canary == nil || share != 500 || a.Routes.Stable().Version() != 1 {
		t.Fatalf("from the file: %+v", a)
	}
	s.Restart()
	p = must(t)(v.Activate(limit(t), p.Activation, 3, tell))
	inForce(t, r, p)
	eventually(t, "the file", func() bool { a, err := readActive(file, desk); return err == nil && a.Pointer == p })
	r.Close()

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	after := c.Route(w, RouterOptions{File: file})
	defer after.Close()
	inForce(t, after, p)
	eventually(t, "the file is written anew", func() bool {
		a, err := readActive(file, desk)
		return err == nil && a.Pointer == p && after.Status().FileErr == nil
	})
}

// TestDamagedFileIsSaid: the reason why a file is ignored is in the status.
func TestDamagedFileIsSaid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes")
	if err := os.WriteFile(file, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var notes []Note
	c, err := Dial(Options{Endpoints: []string{"127.0.0.1:1"}, Cluster: desk, Note: func(n Note) { notes = append(notes, n) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := &Watcher{c: c}
	w.view.Store(&View{})
	r := c.Route(w, RouterOptions{File: file})
	defer r.Close()
	if err := r.Status().FileErr; !errors.Is(err, ErrDamaged) || len(notes) != 1 {
		t.Errorf("%v, %v", err, notes)
	}
	if r.Load().From != Nowhere {
		t.Errorf("%+v", r.Load())
	}
}
