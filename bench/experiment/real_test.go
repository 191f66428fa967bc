package experiment

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"roost/server/testbin"
)

// TestRealServers: a pair of roostd under loadgen. What the comparison says does
// not matter here, and on a busy machine it is INVALID; that there is one does.
func TestRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs roostd and loadgen")
	}
	bin := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // what loadgen keeps between runs
	if err := testbin.Into(bin, "roostd", "loadgen"); err != nil {
		t.Fatal(err)
	}
	roost := Adapters["roost"]
	roost.Command = []string{filepath.Join(bin, "roostd"), "--listen", "127.0.0.1:{port}", "--api", "127.0.0.1:{api}", "--auth", "none", "--data-dir", "{dir}"}
	a, b := roost, roost
	a.Name, b.Name = "A", "B"
	b.Command = append(append([]string{}, roost.Command...), "--io-uring", "off")
	o := Options{Scenario: "smoke", Params: []string{"count=20", "hold=1s", "warmup=1s"}, Extra: []string{"--quiet", "--metrics-url", "http://127.0.0.1:{api}/metrics"},
		Servers: []Server{a, b}, Loadgen: filepath.Join(bin, "loadgen"), Out: filepath.Join(t.TempDir(), "out"), Pairs: 1, Warmups: -1, Retries: -1,
		Cooldown: time.Millisecond, Quiet: -1}
	var out bytes.Buffer
	cs, err := Run(t.Context(), o, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// One pair is inconclusive, or INVALID; the servers are comparable.
	if c := cs[0]; len(c.Facts) > 0 || len(c.Tested) == 0 || c.Tested[0].Metric != "server.cpu_to_loadgen" || len(c.Latency) == 0 || c.Latency[0].A.Count == 0 {
		t.Errorf("facts %v, %d tested, %d latencies: %s", cs[0].Facts, len(cs[0].Tested), len(cs[0].Latency), cs[0].Reason)
	}
}
