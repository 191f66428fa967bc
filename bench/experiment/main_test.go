package experiment

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the server and the load generator of the tests, as processes
// of their own.
func TestMain(m *testing.M) {
	switch role := os.Getenv("EXPERIMENT_ROLE"); role {
	case "":
		goleak.VerifyTestMain(m)
	case "server":
		fakeServer(os.Args[1:])
	case "loadgen":
		if err := fakeLoadgen(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "loadgen:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "no role", role)
		os.Exit(1)
	}
}
