//go:build !race

package swarm

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestAllocStateIsSmall: what a client, a connection and an account cost.
func TestAllocStateIsSmall(t *testing.T) {
	for name, c := range map[string]struct{ got, want uintptr }{
		"conn":    {unsafe.Sizeof(conn{}), 24},
		"client":  {unsafe.Sizeof(client{}), 24},
		"account": {unsafe.Sizeof(account{}), 24},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, c.got, c.want)
		}
	}
}

// Bounds of a worker that holds idle roost clients.
const (
	manyClients  = 19_000
	maxProcess   = 20 << 20 // bytes, of the whole process
	maxPerClient = 300      // bytes of user memory for each more client
)

// TestAllocOfIdleClients: a process of 19,000 idle roost clients.
func TestAllocOfIdleClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 38,000 descriptors and some seconds")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < manyClients+500 {
		t.Skipf("needs %d descriptors a process, may have %d (%v)", manyClients+500, limit.Max, err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "./testdata/worker").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	node := startRoost(t)
	cmd := exec.Command(filepath.Join(dir, "worker"), "-url", "ws://"+node.Addr().String()+"/v1/connect", "-clients", strconv.Itoa(manyClients))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	v := map[string]int{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v[name], _ = strconv.Atoi(value)
	}
	per := float64(v["all"]-v["half"]) / (manyClients / 2)
	t.Logf("%d clients: %.1f MB, %.1f MB before the first, %.0f B for each more, peak %.1f MB", v["connected"],
		float64(v["all"])/1e6, float64(v["before"])/1e6, per, float64(v["peak"])/1e6)
	if v["connected"] != manyClients {
		t.Fatalf("%d clients are connected", v["connected"])
	}
	if v["all"] > maxProcess || per > maxPerClient {
		t.Errorf("%d bytes, %.0f for each more client: want at most %d and %d\n%s", v["all"], per, maxProcess, maxPerClient, out)
	}
}
