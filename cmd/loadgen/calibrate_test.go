package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/coord"
	"roost/loadgen/result"
)

// TestCalibrateCommandLine: what is said about each mistake, with its exit code.
func TestCalibrateCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		exit coord.Exit
		want string
	}{
		{[]string{"calibrate", "x"}, coord.ExitUsage, `unexpected argument "x"`},
		{[]string{"calibrate", "--help"}, coord.ExitOK, "servers of known behaviour"},
		{[]string{"doctor", "x"}, coord.ExitUsage, "want doctor"},
		{[]string{"doctor", "--count", "0"}, coord.ExitUsage, "at least 1"},
		{[]string{"calibrate-server", "x"}, coord.ExitUsage, `unexpected argument "x"`},
		{[]string{"calibrate-server", "--behave", "dorp=3"}, coord.ExitUsage, "want some of delay=TIME"},
		{[]string{"calibrate-server", "--listen", "nowhere"}, coord.ExitError, "listening on nowhere"},
		{[]string{"calibrate-server"}, coord.ExitOK, "listening 127.0.0.1:"}, // and ends with its input
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if exit, out, errout := here(t, c.args...); exit != c.exit || !strings.Contains(out+errout, c.want) {
				t.Errorf("exit %d, want %d with %q\n%s%s", exit, c.exit, c.want, out, errout)
			}
		})
	}
}

// TestCeilingOfARun: it is measured once, and a plan that is too near to it is
// INVALID.
func TestCeilingOfARun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the measurement of the ceiling (5 s)")
	}
	server, said := process(t, "calibrate-server")
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout = nil
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := server.Wait(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSpace(strings.TrimPrefix(line, "listening "))
	cache := t.TempDir()
	one := func(factor string, flags ...string) (coord.Exit, *result.Result, string) {
		t.Helper()
		text := strings.Replace(scenarioText, "ceiling_factor: 0", "ceiling_factor: "+factor, 1)
		file, res := file(t, "small.yaml", text), filepath.Join(t.TempDir(), "r.json")
		cmd, said := process(t, append([]string{"run", file, "--quiet", "--url", "ws://" + addr + "/", "--api", "http://" + addr, "--dialect", "plain", "--out", res}, flags...)...)
		cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+cache)
		_ = cmd.Run() // its exit code is looked at
		r, err := result.ReadFile(res)
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		return coord.Exit(cmd.ProcessState.ExitCode()), r, said.String()
	}
	state := func(r *result.Result) (state string, value float64) {
		for _, c := range r.Validity {
			if c.Name == "null-sink ceiling, deliveries" {
				return c.State, c.Value
			}
		}
		return "none", 0
	}
	const measuring = "measuring what 1 worker can do"
	exit, r, text := one("2", "--no-ceiling")
	if s, _ := state(r); exit != coord.ExitOK || s != "unknown" || strings.Contains(text, measuring) {
		t.Errorf("--no-ceiling: exit %d, %s\n%s", exit, s, text)
	}
	exit, r, text = one("2")
	s, value := state(r)
	if exit != coord.ExitOK || s != "pass" || value < 2 || !strings.Contains(text, measuring) {
		t.Errorf("first run: exit %d, %s %v\n%s", exit, s, value, text)
	}
	exit, r, text = one("2")
	if s, again := state(r); exit != coord.ExitOK || s != "pass" || again != value || strings.Contains(text, measuring) {
		t.Errorf("second run: exit %d, %s %v, %v before\n%s", exit, s, again, value, text)
	}
	// As if the plan were that much larger.
	exit, r, text = one("1000000")
	if s, _ := state(r); exit != coord.ExitInvalid || s != "fail" {
		t.Errorf("a plan that is too near: exit %d, %s\n%s", exit, s, text)
	}
	if list, err := os.ReadDir(filepath.Join(cache, "roost")); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestToolsAreThisProgram, also where a shell starts them.
func TestToolsAreThisProgram(t *testing.T) {
	tl := tools(io.Discard)
	for _, program := range []string{tl.Worker[0], tl.Server[0]} {
		cmd := exec.Command("/bin/sh", "-c", `exec "$0" help`, program)
		cmd.Env = append(os.Environ(), mainEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "usage: loadgen COMMAND") {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}
