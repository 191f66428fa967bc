package engines

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the program of TestServersDieWithTheTest.
func TestMain(m *testing.M) {
	if os.Getenv("ROOST_ENGINES_DIE") != "" {
		s := &Redis{tb: &refuser{}, binary: os.Getenv("ROOST_ENGINES_DIE"), dir: os.Getenv("ROOST_ENGINES_DIR")}
		err := s.place(false)
		if err == nil {
			err = s.launch()
		}
		fmt.Println(s.port, err)
		os.Exit(0) // no cleanup runs
	}
	goleak.VerifyTestMain(m)
}
