package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/loadgen/coord"
	"roost/loadgen/result"
	"roost/server"
)

// mainEnv makes the test binary loadgen, and so all workers that it starts.
const mainEnv = "LOADGEN_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	// What generators can do at most is kept, and not where that of the user is.
	cache, err := os.MkdirTemp("", "loadgen-test")
	if err == nil {
		err = os.Setenv("XDG_CACHE_HOME", cache)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(cache)
		os.Exit(code)
	}))
}

// patience bounds every wait of a test: passing it is a failure.
const patience = 60 * time.Second

// here runs loadgen in this process.
func here(t *testing.T, args ...string) (coord.Exit, string, string) {
	t.Helper()
	var out, errout bytes.Buffer
	exit := run(t.Context(), args, terminal{strings.NewReader(""), &out, &errout})
	return exit, out.String(), errout.String()
}

// process is loadgen as a process, to be started.
func process(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "GORACE=atexit_sleep_ms=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	return cmd, &out
}

// node is a roost node in this process, and the flags that lead to it.
func node(t *testing.T) []string {
	t.Helper()
	s, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Echo: true, Loops: 1, Node: "n1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return []string{"--url", "ws://" + s.Addr().String() + "/v1/connect", "--api", "http://" + s.APIAddr().String()}
}

// scenarioText is a run whose validity a busy test machine cannot break.
const scenarioText = `name: small
params: {count: 40, hold: 1s, ramp: 500/s}
clients: {count: "${count}"}
measure: {deadline: 20s}
validity: {min_rate: 0.5, send_lag: 0s, hiccup: 0s, rx_lag_share: 0, cpu: 0, run_delay: 0, psi: 0, gc_pause: 0s, ceiling_factor: 0}
phases:
  - {name: ramp, ramp: {rate: "${ramp}"}, timeout: 30s}
  - {name: hold, publish: {to: all, rate: 20/s}, for: "${hold}"}
  - {name: drain, drain: {to: 0, over: 100ms}, timeout: 30s}
`

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCommandLine: what is said about each mistake, with its exit code.
func TestCommandLine(t *testing.T) {
	bad := file(t, "bad.yaml", "name: x\nphases:\n  - {name: p, pulish: {to: all, rate: 1/s}, for: 1s}\n")
	for _, c := range []struct {
		args []string
		exit coord.Exit
		want string
	}{
		{nil, coord.ExitUsage, "say what to do"},
		{[]string{"rnu"}, coord.ExitUsage, `there is no command "rnu": want run, search`},
		{[]string{"help"}, coord.ExitOK, "usage: loadgen COMMAND"},
		{[]string{"help", "run"}, coord.ExitOK, "usage: loadgen run SCENARIO"},
		{[]string{"run", "--help"}, coord.ExitOK, "Exit codes: 0 valid"},
		{[]string{"run"}, coord.ExitUsage, "run needs a scenario"},
		{[]string{"run", "a", "b"}, coord.ExitUsage, `unexpected argument "b"`},
		{[]string{"run", "fanuot"}, coord.ExitUsage, "there is no scenario"},
		{[]string{"run", "no/such.yaml"}, coord.ExitUsage, "no such file"},
		{[]string{"check", "/dev/zero"}, coord.ExitUsage, "/dev/zero is a device: want a file"},
		{[]string{"check", t.TempDir()}, coord.ExitUsage, "is a directory: want a file"},
		{[]string{"check", file(t, "including.yaml", "include: /dev/zero\n")}, coord.ExitUsage, "/dev/zero is a device"},
		{[]string{"check", file(t, "large.yaml", strings.Repeat("# large\n", maxInput/8+1))}, coord.ExitUsage, "is larger than 16 MiB"},
		{[]string{"check", file(t, "none.yaml", "phases: [{name: up, ramp: {}}]\n"), "--hold", "5s"}, coord.ExitUsage, "--hold 5s: "},
		{[]string{"check", "smoke", "--seed", "12abc"}, coord.ExitUsage, "--seed 12abc: want a whole number"},
		{[]string{"run", "smoke", "--dry-run", "--pid", "999999999"}, coord.ExitUsage, "999999999"},
		{[]string{"run", "smoke", "--dry-run", "--metrics-url", "http://127.0.0.1:1/metrics"}, coord.ExitUsage, "127.0.0.1:1"},
		{[]string{"run", "smoke", "--cuont", "3"}, coord.ExitUsage, "not defined: -cuont"},
		{[]string{"run", "smoke", "-p", "count"}, coord.ExitUsage, "want name=value"},
		{[]string{"run", "smoke", "--pid", "x"}, coord.ExitUsage, "want a process id"},
		{[]string{"run", "smoke", "--seed", "x"}, coord.ExitUsage, "--seed x"},
		{[]string{"run", "smoke", "--workers", "0"}, coord.ExitUsage, "--workers 0"},
		{[]string{"run", "smoke", "--expect", "2"}, coord.ExitUsage, "--expect 2 needs --listen"},
		{[]string{"run", "smoke", "--listen", "127.0.0.1:0"}, coord.ExitUsage, "--listen needs --expect"},
		{[]string{"run", "smoke", "--listen", "x", "--expect", "1"}, coord.ExitUsage, "want host:port"},
		{[]string{"run", "smoke", "--threshold", "lost === 0"}, coord.ExitUsage, "lost === 0"},
		{[]string{"run", bad}, coord.ExitUsage, "did you mean"},
		{[]string{"check", bad}, coord.ExitUsage, "bad.yaml:3:15"},
		{[]string{"check", "smoke"}, coord.ExitOK, "connections over time"},
		{[]string{"check", "smoke", "--resolved"}, coord.ExitOK, "validity:"},
		{[]string{"scenarios"}, coord.ExitOK, "fan-out"},
		{[]string{"scenarios", "show", "smoke"}, coord.ExitOK, "name: smoke"},
		{[]string{"scenarios", "sohw", "smoke"}, coord.ExitUsage, "want list, or show NAME"},
		{[]string{"scenarios", "show", "smok"}, coord.ExitUsage, "smoke"},
		{[]string{"report", "no-such.json"}, coord.ExitUsage, "no such file"},
		{[]string{"report", bad}, coord.ExitError, ""},
		{[]string{"export", "no-such.json", "--format", "csv"}, coord.ExitUsage, "no such file"},
		{[]string{"export", "no-such.json", "--format", "xls"}, coord.ExitUsage, "want one of benchfmt, csv"},
		{[]string{"worker"}, coord.ExitUsage, "--join HOST:PORT"},
		{[]string{"worker", "x"}, coord.ExitUsage, `unexpected argument "x"`},
		{[]string{"search", "smoke"}, coord.ExitUsage, "--over count"},
		{[]string{"search", "smoke", "--over", "count", "--from", "9", "--to", "3"}, coord.ExitUsage, "--from 9 --to 3"},
		{[]string{"search", "smoke", "--over", "cuont", "--from", "1", "--to", "3"}, coord.ExitUsage, "--over cuont: smoke has no such parameter; it has "},
		{[]string{"search", "storm", "--over", "share", "--from", "1", "--to", "3"}, coord.ExitUsage, "--over share: it is "},
		{[]string{"search", "idle", "--over", "hold", "--from", "1", "--to", "30s"}, coord.ExitUsage, "--from \"1\" has no unit"},
		{[]string{"search", "idle", "--over", "count", "--from", "1k", "--to", "2k", "--confirm", "0"}, coord.ExitUsage, "--confirm 0"},
		{[]string{"search", "idle", "--over", "count", "--from", "1k", "--to", "2k", "--precision", "-1"}, coord.ExitUsage, "--precision -1"},
		{[]string{"--mode", "kept", "--all"}, coord.ExitUsage, "loadgen run targeted -p class=kept"},
		{[]string{"--url=ws://127.0.0.1:1/", "--mode=listen"}, coord.ExitUsage, "loadgen listen"},
		{[]string{"--mode", "nonsense"}, coord.ExitUsage, "want a command"},
		{[]string{"--count", "5"}, coord.ExitUsage, "loadgen run smoke --count"},
		{[]string{"listen", "x"}, coord.ExitUsage, "takes flags only"},
		{[]string{"listen", "--format", "xml"}, coord.ExitUsage, "want json or bin"},
		{[]string{"listen", "--url", "http://127.0.0.1:1"}, coord.ExitUsage, "only ws is spoken"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			exit, out, errout := here(t, c.args...)
			if exit != c.exit || !strings.Contains(out+errout, c.want) {
				t.Errorf("exit %d, want %d with %q\n%s%s", exit, c.exit, c.want, out, errout)
			}
			if exit == coord.ExitOK && errout != "" {
				t.Errorf("it is well and says %q", errout)
			}
		})
	}
}

// TestRun: a whole run with workers of their own against a node, with all that
// it leaves.
func TestRun(t *testing.T) {
	flags := node(t)
	dir := t.TempDir()
	out, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	args := append([]string{"run", file(t, "small.yaml", scenarioText), "--workers", "2", "--out", out, "--html", page, "--label", "commit=abc", "--threshold", "delivery.p99 < 20s"}, flags...)
	cmd, said := process(t, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != result.Valid || len(res.Workers) != 2 || res.Labels["commit"] != "abc" || len(res.Phases) != 3 {
		t.Errorf("verdict %s, %d workers, %v, %d phases", res.Verdict, len(res.Workers), res.Labels, len(res.Phases))
	}
	if c := res.Phases[1].Tally.Total(); c.Sent != 20 || c.Expected != 20*40 || c.Delivered != 20*40 {
		t.Errorf("accounts %+v", c)
	}
	html, err := os.ReadFile(page)
	if err != nil || !bytes.Contains(html, []byte("<html")) {
		t.Errorf("the page: %.100s, %v", html, err)
	}
	for _, want := range []string{"hold", "connected 40/40"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it did not say %q:\n%s", want, said)
		}
	}
	exit, text, errout := here(t, "report", out)
	if exit != coord.ExitOK || !strings.Contains(text, "small") {
		t.Errorf("report: exit %d, %s", exit, errout)
	}
	exit, text, errout = here(t, "export", out, "--format", "csv")
	if exit != coord.ExitOK || !strings.Contains(text, "delivered,") {
		t.Errorf("export: exit %d, %.300s %s", exit, text, errout)
	}
}

// TestRunAgainstNothing: nobody listens, so the ramp fails and says why.
func TestRunAgainstNothing(t *testing.T) {
	exit, out, errout := here(t, "run", file(t, "small.yaml", scenarioText), "--url", "ws://127.0.0.1:1/", "--api", "http://127.0.0.1:1", "--quiet")
	if exit != coord.ExitBreached || !strings.Contains(out, "ECONNREFUSED") {
		t.Errorf("exit %d\n%s%s", exit, out, errout)
	}
}

// TestShortOfDescriptors: the plan needs more than this machine has, and
// nothing is begun.
func TestShortOfDescriptors(t *testing.T) {
	exit, _, errout := here(t, "run", file(t, "small.yaml", scenarioText), "--url", "ws://127.0.0.1:1/", "--api", "http://127.0.0.1:1", "-p", "count=40M", "-p", "ramp=4_000_000/s", "--workers", "1")
	if exit != coord.ExitShort || !strings.Contains(errout, "do: ") {
		t.Errorf("exit %d\n%s", exit, errout)
	}
	exit, out, errout := here(t, "run", file(t, "small.yaml", scenarioText), "-p", "count=40M", "-p", "ramp=4_000_000/s", "--workers", "1", "--dry-run")
	if exit != coord.ExitShort || !strings.Contains(out, "connections over time") || !strings.Contains(errout, "do: ") {
		t.Errorf("dry run: exit %d\n%s%s", exit, out, errout)
	}
}

// TestFolderOfAScenariosName does not stand before the scenario.
func TestFolderOfAScenariosName(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("smoke", 0o755); err != nil {
		t.Fatal(err)
	}
	if exit, _, errout := here(t, "check", "smoke"); exit != coord.ExitOK {
		t.Errorf("exit %d\n%s", exit, errout)
	}
}

// TestResultIsKeptSomewhere: what cannot be written where it was to be is
// written where it can be.
func TestResultIsKeptSomewhere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := saved(filepath.Join(t.TempDir(), "vanished", "r.json"), func(path string) error { return os.WriteFile(path, []byte("found"), 0o600) })
	if err == nil {
		t.Fatal("it was written into a folder that there is not")
	}
	_, where, said := strings.Cut(err.Error(), "it is in ")
	where, _, _ = strings.Cut(where, " instead")
	if text, err := os.ReadFile(where); !said || err != nil || string(text) != "found" || filepath.Base(where) != "r.json" {
		t.Errorf("%q: %q, %v", where, text, err)
	}
	full := func(string) error { return syscall.ENOSPC }
	if err := saved("r.json", full); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("all is full: %v", err)
	}
	if left, _ := filepath.Glob(os.Getenv("TMPDIR") + "/*/*"); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}

// TestFormerModesHaveCommands that are ones.
func TestFormerModesHaveCommands(t *testing.T) {
	for mode, now := range formerModes {
		args := strings.Fields(now)[1:]
		if args[0] == "run" {
			args = append(args, "--dry-run", "--skip-preflight")
		} else {
			args = append(args, "--help")
		}
		if exit, out, errout := here(t, args...); exit != coord.ExitOK || errout != "" {
			t.Errorf("%s: exit %d\n%s%s", mode, exit, out, errout)
		}
	}
}
