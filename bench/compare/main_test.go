package compare

import (
	"testing"

	"go.uber.org/goleak"
)

// On one goroutine: browsers are run when asked (ROOST_BROWSER), and read what is finished.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
