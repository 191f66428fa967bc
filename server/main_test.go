package server

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails the package if a test left a goroutine or a descriptor behind. A rueidis
// client keeps a timer for a second where it could not connect, closed or not.
func TestMain(m *testing.M) {
	before := openFiles()
	code := m.Run()
	err := goleak.Find()
	for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); err = goleak.Find() {
		time.Sleep(50 * time.Millisecond)
	}
	if code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	after := openFiles()
	for end := time.Now().Add(2 * time.Second); after > before && time.Now().Before(end); after = openFiles() {
		time.Sleep(10 * time.Millisecond)
	}
	// Go's own poller opens an epoll, an eventfd and a pipe at first use.
	if code == 0 && after > before+4 {
		fmt.Fprintf(os.Stderr, "descriptors: %d before, %d after the tests\n", before, after)
		code = 1
	}
	os.Exit(code)
}

func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(files)
}
