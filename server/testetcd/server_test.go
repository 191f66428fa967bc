package testetcd

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLife: an etcd is healthy after start, restart and wipe, silent while it is
// paused, and gone when it is killed.
func TestLife(t *testing.T) {
	s := Start(t)
	if !s.healthy() {
		t.Fatal("not healthy after Start")
	}
	s.Pause()
	s.http.Timeout = 200 * time.Millisecond
	if s.healthy() {
		t.Error("healthy while paused")
	}
	s.http.Timeout = time.Second
	s.Resume()
	if err := s.wait(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	s.Restart()
	s.Wipe()
	s.Kill()
	if s.healthy() {
		t.Error("healthy after Kill")
	}
	s.Kill() // does nothing
}
