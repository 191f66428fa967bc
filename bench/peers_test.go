package bench

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/server/testbin"
)

// TestRunPeersEndToEnd builds roostd, the generator and the C floor and
// compares the two for a moment: numbers are not looked at, but that every
// phase ran and the table has its rows.
func TestRunPeersEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs servers")
	}
	t.Parallel()
	dir := t.TempDir()
	if err := testbin.Into(dir, "roostd", "loadgen"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O2", "-o", dir+"/cfloor", "peers/cfloor/cfloor.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	opt := PeersOptions{Roostd: dir + "/roostd", Loadgen: dir + "/loadgen", PeersDir: dir, Out: dir + "/out",
		Quick: true, Connections: 100, EchoConnections: 20, Deliveries: 1000, EchoRate: 500,
		Hold: 300 * time.Millisecond, Settle: time.Millisecond, Only: []string{"roost"}}
	var out bytes.Buffer
	if err := RunPeers(context.Background(), opt, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	table, err := os.ReadFile(filepath.Join(opt.Out, "table.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"\n| cfloor |", "\n| roost |"} {
		if n := strings.Count(string(table), row); n != 5 {
			t.Errorf("%d rows %q, want one in each of 5 tables:\n%s", n, row, table)
		}
	}
	for _, load := range []string{"idle", "broadcast", "broadcast-spin", "burst", "echo"} {
		r, err := result.ReadFile(filepath.Join(opt.Out, load, "runs/01-roost.json"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, c := range r.Thresholds { // a busy machine makes a run INVALID, but loses nothing
			if c.State != "pass" {
				t.Errorf("%s: %s: %v %s", load, c.Text, c.Value, c.Reason)
			}
		}
	}
	// The same call goes on where it was: at the end.
	out.Reset()
	if err := RunPeers(context.Background(), opt, &out); err != nil || strings.Contains(out.String(), "pair 1 of 1") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestRunPeersRefusesUnknownServers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"roostd", "cfloor"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	opt := PeersOptions{Roostd: dir + "/roostd", Loadgen: dir, PeersDir: dir, Out: dir + "/out", Only: []string{"nginx"}}
	if err := RunPeers(context.Background(), opt, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("got %v", err)
	}
	opt.Only, opt.PeersDir = nil, dir+"/none"
	if err := RunPeers(context.Background(), opt, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "build.sh") {
		t.Errorf("without peers: %v", err)
	}
}
