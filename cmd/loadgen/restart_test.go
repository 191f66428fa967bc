package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/server/engines"
	"roost/server/testbin"
)

// restartable is a roostd in a folder, with the command that restarts it.
type restartable struct {
	dir   string
	flags []string // of loadgen
}

// restart ends the node, waits for that, and starts it again; with $1 it starts
// the first one.
const restart = `set -e
cd "$(dirname "$0")"
if [ -z "$1" ]; then
	old=$(cat pid)
	kill $old
	while kill -0 $old 2>/dev/null; do sleep 0.05; done
fi
rm -f log
./roostd --listen $LISTEN --api $API --drain 200ms >log 2>&1 </dev/null &
echo $! >pid
echo pid=$!
until grep -q ^ready log; do kill -0 $(cat pid); sleep 0.05; done
`

func startRestartable(t *testing.T) restartable {
	t.Helper()
	n := restartable{dir: t.TempDir()}
	if err := testbin.Into(n.dir, "roostd"); err != nil {
		t.Fatal(err)
	}
	text := restart
	for name, flag := range map[string]string{"$LISTEN": "--url ws://%s/v1/connect", "$API": "--api http://%s"} {
		port, err := engines.FreePort() // now, and when it is back
		if err != nil {
			t.Fatal(err)
		}
		addr := fmt.Sprint("127.0.0.1:", port)
		text = strings.Replace(text, name, addr, 1)
		n.flags = append(n.flags, strings.Fields(fmt.Sprintf(flag, addr))...)
	}
	if err := os.WriteFile(n.script(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b, _ := os.ReadFile(filepath.Join(n.dir, "pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	if out, err := exec.Command("sh", n.script(), "first").Output(); err != nil {
		log, _ := os.ReadFile(filepath.Join(n.dir, "log"))
		t.Fatalf("%v\n%s%s", err, out, log)
	}
	return n
}

func (n restartable) script() string { return filepath.Join(n.dir, "restart.sh") }

// TestRestartAndChurnCanBeValid: the shipped scenarios that end connections say
// nothing bad of a node that is well. What a busy test machine does to a run is
// left out.
func TestRestartAndChurnCanBeValid(t *testing.T) {
	n := startRestartable(t)
	for name, params := range map[string][]string{
		"server-restart": {"--restart", "sh " + n.script(), "-p", "warmup=1s", "-p", "hold=1s", "-p", "rate=100/s"},
		"churn":          {"-p", "warmup=500ms", "-p", "hold=2s", "-p", "rate=100/s"},
	} {
		t.Run(name, func(t *testing.T) {
			shipped, err := scenario.ReadShipped(name)
			if err != nil {
				t.Fatal(err)
			}
			const quiet = "\nvalidity: {min_rate: 0.5, send_lag: 0s, hiccup: 0s, rx_lag_share: 0, cpu: 0, run_delay: 0, psi: 0, gc_pause: 0s, ceiling_factor: 0}\nmeasure: {deadline: 20s}\n"
			out := filepath.Join(t.TempDir(), "r.json")
			args := append([]string{"run", file(t, name+".yaml", string(shipped)+quiet), "-p", "count=100", "--no-ceiling", "--out", out}, append(params, n.flags...)...)
			cmd, said := process(t, args...)
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			res, err := result.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if res.Verdict != result.Valid || len(res.Phases) != 4 {
				t.Errorf("%s, %d phases\n%s", res.Verdict, len(res.Phases), said)
			}
			for _, p := range res.Phases {
				if c := p.Tally.Total(); c.Planned != c.Sent+c.Unsent || c.Unsent != 0 || c.Expected != c.Delivered+c.Missing+c.Gap {
					t.Errorf("%s: %+v", p.Name, c)
				}
			}
		})
	}
}
