package presence

import (
	"context"
	"testing"
	"testing/synctest"
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
