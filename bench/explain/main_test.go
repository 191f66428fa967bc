package explain

import (
	"testing"

	"go.uber.org/goleak"
)

// On one goroutine: of what it imports only readers of files are called.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
