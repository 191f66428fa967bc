package chaos

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNodeKilled is the short one: three real nodes, etcd and Redis, 300 devices, one
// node killed. How long it takes is not looked at (make chaos does), that nothing is
// lost is.
func TestNodeKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("builds roostd and runs a cluster for half a minute")
	}
	dir := t.TempDir()
	for _, name := range []string{"roostd", "roostctl"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), "roost/cmd/"+name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	err := Run(t.Context(), Options{Roostd: filepath.Join(dir, "roostd"), Roostctl: filepath.Join(dir, "roostctl"), Out: filepath.Join(dir, "out"),
		Scenarios: []string{"node-kill"}, Devices: 300, Rate: 200, Calm: time.Second, Command: []string{"go", "test"}}, t.Output())
	var failure *Failure
	if errors.As(err, &failure) && failure.Code() == 3 {
		t.Log(err) // a number, on a busy machine
	} else if err != nil {
		t.Error(err)
	}
}
