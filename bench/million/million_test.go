package million

import "testing"

// TestNodesFor: no node is asked for more than its descriptors, and none is
// started for nothing.
func TestNodesFor(t *testing.T) {
	for _, c := range []struct{ connections, files, want int }{
		{1, 1024, 1}, {18_600, 20_000, 1}, {18_601, 20_000, 2}, {1_000_000, 20_000, 54}, {1_000_000, 1_048_576, 2},
	} {
		got := nodesFor(c.connections, c.files)
		if got != c.want || c.connections > got*c.files {
			t.Errorf("%d connections with %d descriptors: %d nodes, want %d", c.connections, c.files, got, c.want)
		}
	}
}
