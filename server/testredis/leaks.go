package testredis

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, fails it if they left a goroutine behind, and ends
// the process. A rueidis client keeps a timer for a second where it could not connect,
// and one of a Cluster sleeps for 5 s after a look at its slots, closed or not: they
// are waited for.
func Main(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); err = goleak.Find() {
		time.Sleep(50 * time.Millisecond)
	}
	if code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
