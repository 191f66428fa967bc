package live

import (
	"errors"
	"strings"
	"testing"

	"roost/loadgen/result"
)

// fickle is a view that counts, and breaks when it is told to.
type fickle struct {
	shown, done int
	panics      bool
	err         error
}

func (v *fickle) Show(*Frame) {
	v.shown++
	if v.panics {
		panic("out of paint")
	}
}

func (v *fickle) Done(*result.Result) error { v.done++; return v.err }

// TestTogetherSurvivesItsViews: one that panics is left out, and the others go
// on.
func TestTogetherSurvivesItsViews(t *testing.T) {
	good, panics, fails := &fickle{}, &fickle{panics: true}, &fickle{err: errors.New("disk full")}
	all := Together(good, panics, fails)
	for range 3 {
		all.Show(frame())
	}
	err := all.Done(nil)
	if good.shown != 3 || good.done != 1 || panics.shown != 1 || panics.done != 0 || fails.shown != 3 {
		t.Errorf("good %+v, panics %+v, fails %+v", good, panics, fails)
	}
	if err == nil || !strings.Contains(err.Error(), "out of paint") || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}
