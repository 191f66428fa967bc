package member

import (
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testetcd"
)

// TestLearned: a node that is back has the weight that load had made of it, from its first one on; one on
// another machine, or with what makes no sense, has its capacity.
func TestLearned(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a := joins(t, s, "a")
	eventually(t, "a keeps what it has learned", func() bool {
		l, ok, err := a.client.Learned(limit(t), "a")
		return err == nil && ok && l == cluster.Learned{Relative: 1, Capacity: 10_000, Cores: 2}
	})
	for _, tt := range []struct {
		learned cluster.Learned
		want    float64
	}{
		{cluster.Learned{Relative: 0.7, Capacity: 10_000, Cores: 2}, 7000},
		{cluster.Learned{Relative: 1.4, Capacity: 10_000, Cores: 2}, 14_000},
		{cluster.Learned{Relative: 0.7, Capacity: 10_000, Cores: 4}, 10_000},
		{cluster.Learned{Relative: 0.7, Capacity: 5_000, Cores: 2}, 10_000},
		{cluster.Learned{Relative: 50, Capacity: 10_000, Cores: 2}, 10_000},
	} {
		p := a.client.Publisher("b")
		if err := p.Learn(limit(t), tt.learned); err != nil {
			t.Fatal(err)
		}
		b := joins(t, s, "b")
		v := a.sees(t, "b", func(v *cluster.View) bool { return v.Has("b") && v.Weights["b"].Value > 0 })
		if got := v.Weights["b"].Value; got != tt.want {
			t.Errorf("%+v: its first weight is %v, want %v", tt.learned, got, tt.want)
		}
		eventually(t, "it is kept", func() bool {
			l, ok, err := a.client.Learned(limit(t), "b")
			return err == nil && ok && l == cluster.Learned{Relative: tt.want / 10_000, Capacity: 10_000, Cores: 2}
		})
		b.close(t)
		a.sees(t, "b gone", func(v *cluster.View) bool { _, said := v.Weights["b"]; return !v.Has("b") && !said })
		if l, ok, err := a.client.Learned(limit(t), "b"); err != nil || !ok || l.Relative != tt.want/10_000 {
			t.Errorf("after its end: %+v, %v, %v", l, ok, err)
		}
	}
}

// TestLearnedIsForgotten: it lies on a lease of the time that it is good for.
func TestLearnedIsForgotten(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a := joins(t, s, "a")
	eventually(t, "a keeps what it has learned", func() bool { _, ok, err := a.client.Learned(limit(t), "a"); return err == nil && ok })
	put(t, s, "/roost/learned/a", "x")
	if _, ok, err := a.client.Learned(limit(t), "a"); ok || err == nil {
		t.Errorf("damaged: %v, %v", ok, err)
	}
	if cluster.LearnedTTL != 3*DefaultControl().Live.Update {
		t.Errorf("%v, and a step each %v", cluster.LearnedTTL, DefaultControl().Live.Update)
	}
	if cluster.LearnedTTL < 2*time.Minute+learnEvery {
		t.Error("it would be forgotten between two times that it is said")
	}
}
