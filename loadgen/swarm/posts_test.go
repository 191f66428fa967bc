package swarm

import "testing"

// TestRequestsFitTheDescriptors: at least scenario.LeastInFlight, which preflight
// counts, and at most MaxPosts.
func TestRequestsFitTheDescriptors(t *testing.T) {
	for _, c := range []struct{ files, apis, want int }{
		{-5000, 1, 128}, {0, 0, 128}, {0, 2, 64}, {0, 54, 8}, {reserveFiles + 500, 1, 500}, {reserveFiles + 500, 2, 250}, {1 << 20, 3, MaxPosts},
	} {
		if got := mostPosts(c.files, c.apis); got != c.want {
			t.Errorf("%d descriptors, %d APIs: %d, want %d", c.files, c.apis, got, c.want)
		}
	}
}
