package live

import (
	"errors"
	"fmt"

	"roost/loadgen/result"
)

// Together shows a run in several views. One that panics is left out from then
// on, and Done says why: a view never ends a run.
func Together(views ...View) View {
	t := &together{}
	for _, v := range views {
		t.views = append(t.views, &guarded{v: v})
	}
	return t
}

type together struct{ views []*guarded }

// Show shows f in each.
func (t *together) Show(f *Frame) {
	for _, g := range t.views {
		g.call(func() error { g.v.Show(f); return nil })
	}
}

// Done ends each, and returns what went wrong in any.
func (t *together) Done(r *result.Result) error {
	var all error
	for _, g := range t.views {
		g.call(func() error { return g.v.Done(r) })
		all = errors.Join(all, g.failed)
	}
	return all
}

// guarded is a view until it fails.
type guarded struct {
	v      View
	failed error
}

func (g *guarded) call(f func() error) {
	if g.failed != nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			g.failed = fmt.Errorf("%T: panic: %v", g.v, p)
		}
	}()
	g.failed = f()
}
