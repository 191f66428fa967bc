package cluster

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"roost/server/testetcd"
)

// TestDrainsAtOnce: of drains that are decided by one view, and pins of 0, one is put; the others are to look again. So operators
// who each see another node left do not leave none.
func TestDrainsAtOnce(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	var leaves [5]*Registration
	for i := range leaves {
		leaves[i] = joined(t, c, member(fmt.Sprint("n", i)), RegisterOptions{TTL: 10 * time.Second})
	}
	v := sees(t, w, "all", func(v *View) bool { return len(v.Members) == 5 })
	wish := Drain{Over: time.Minute}
	var all sync.WaitGroup
	var errs [4]error
	for i := range errs {
		all.Go(func() {
			if i%2 == 0 {
				_, errs[i] = c.Drains().StartIf(limit(t), v, fmt.Sprint("n", i), wish, "n4")
			} else {
				errs[i] = c.Pin(limit(t), v, map[string]Pin{fmt.Sprint("n", i): {}})
			}
		})
	}
	all.Wait()
	put := 0
	for i, err := range errs {
		if err == nil {
			put++
		} else if !errors.Is(err, ErrMoved) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if put != 1 {
		t.Errorf("%d orders were taken, want 1: %v", put, errs)
	}
	if err := c.Pin(limit(t), v, map[string]Pin{"n4": {Weight: 0}}); !errors.Is(err, ErrMoved) {
		t.Errorf("a pin by the view of before: %v", err)
	}
	count := func(v *View) (n int) {
		for id := range v.Members {
			if v.Takes(id) {
				n++
			}
		}
		return n
	}
	now := sees(t, w, "four that take devices", func(v *View) bool { return count(v) == 4 })
	if count(v) != 5 {
		t.Errorf("%d took devices before", count(v))
	}
	// By the view of now, but the node that was to be left goes.
	leaves[4].Close()
	if _, err := c.Drains().StartIf(limit(t), now, "n3", wish, "n4"); !errors.Is(err, ErrMoved) {
		t.Errorf("with nobody left: %v", err)
	}
	now = sees(t, w, "that it is gone", func(v *View) bool { return !v.Has("n4") })
	if _, err := c.Drains().StartIf(limit(t), now, "n3", wish, "n2"); err != nil {
		t.Error(err)
	}
}
