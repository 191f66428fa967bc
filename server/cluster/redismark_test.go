package cluster

import (
	"errors"
	"testing"

	"roost/server/testetcd"
)

// TestRedisMark: the first who proposes a mark decides; all others get that one, and another
// cluster gets none.
func TestRedisMark(t *testing.T) {
	s := testetcd.Start(t)
	a, b := identified(t, s), dial(t, s)
	for i, c := range []*Client{a, b, a} {
		got, err := c.RedisMark(limit(t), []string{"ONE", "TWO", "THREE"}[i])
		if err != nil || got != "ONE" {
			t.Errorf("proposal %d: %q, %v", i, got, err)
		}
	}
	other := dial(t, s, func(o *Options) { o.Cluster.ID = "other" })
	if got, err := other.RedisMark(limit(t), "X"); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("another cluster: %q, %v", got, err)
	}
}
