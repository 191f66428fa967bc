package plan

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWindowAgainstMap compares with a map of all rounds.
func TestWindowAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Window
		seen := map[uint32]bool{}
		newest := -1
		for _, r := range rapid.SliceOf(rapid.Uint32Range(0, 300)).Draw(t, "rounds") {
			want := Fresh
			switch {
			case int(r) <= newest-WindowSize:
				want = Stale
			case seen[r]:
				want = Duplicate
			}
			if got := w.Mark(r); got != want {
				t.Fatalf("round %d, newest %d: %v, want %v", r, newest, got, want)
			}
			seen[r] = true
			newest = max(newest, int(r))
		}
	})
}

func TestRoundsAddUp(t *testing.T) {
	var a, b Round
	a.Deliver(50)
	a.Deliver(70)
	b.Deliver(40)
	b.Deliver(60)
	a.Add(b)
	a.Add(Round{})
	if want := (Round{Count: 4, First: 40, Last: 70}); a != want {
		t.Errorf("got %+v, want %+v", a, want)
	}
	var none Round
	none.Add(a)
	if none != a {
		t.Errorf("got %+v, want %+v", none, a)
	}
	if got := Missing([]Round{a, {Count: 5}, {}}, 5); got != 6 {
		t.Errorf("%d missing, want 6", got)
	}
}
