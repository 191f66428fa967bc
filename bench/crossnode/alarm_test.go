package crossnode

import (
	"context"
	"testing"
	"time"
)

// TestAlarm: it waits, more than once, no shorter than it is told, and ends with its context.
func TestAlarm(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for _, d := range []time.Duration{300 * time.Microsecond, 2 * time.Millisecond, 0, -time.Second, 300 * time.Microsecond} {
		if began := time.Now(); !a.wait(t.Context(), d) || time.Since(began) < d {
			t.Errorf("%v: %v", d, time.Since(began))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if a.wait(ctx, time.Hour) {
		t.Error("it does not say that its context has ended")
	}
	if a.wait(ctx, 0) {
		t.Error("nor if there is nothing to wait for")
	}
}
