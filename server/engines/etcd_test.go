package engines

import (
	"testing"
	"time"
)

// TestEtcdLife: an etcd is healthy after start, restart, wipe and being set back, silent while it is
// paused, and gone when it is killed.
func TestEtcdLife(t *testing.T) {
	s := StartEtcd(t)
	if !s.Healthy() {
		t.Fatal("not healthy after StartEtcd")
	}
	s.Pause()
	s.http.Timeout = 200 * time.Millisecond
	Await(t, "a paused etcd is silent", func() bool { return !s.Healthy() }) // the signal takes a moment
	s.http.Timeout = time.Second
	s.Resume()
	if err := s.await(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	s.Restart()
	s.Save()
	s.Wipe()
	s.SetBack()
	s.Kill()
	if s.Healthy() || s.Alive() {
		t.Error("healthy after Kill")
	}
	s.Kill() // does nothing
}
