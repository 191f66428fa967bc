package swarm

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails the package if a test left a goroutine or a descriptor behind.
func TestMain(m *testing.M) {
	before := files()
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	after := files()
	for end := time.Now().Add(2 * time.Second); after > before+4 && time.Now().Before(end); after = files() {
		time.Sleep(10 * time.Millisecond)
	}
	// Go's own poller opens an epoll, an eventfd and a pipe at first use.
	if code == 0 && after > before+4 {
		fmt.Fprintf(os.Stderr, "descriptors: %d before, %d after the tests\n", before, after)
		code = 1
	}
	os.Exit(code)
}

func files() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(list)
}
