package decaysim

import (
	"testing"

	"go.uber.org/goleak"
)

// On one goroutine: worlds in virtual time; decay/window has the race detector at home.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
