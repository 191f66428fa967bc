package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/loadgen/coord"
	"roost/loadgen/result"
	"roost/loadgen/tally"
	"roost/server/engines"
)

// waitFor polls until f.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it has not come to that", what)
		}
	}
}

// children lists the processes that a process has started.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		b, _ := os.ReadFile(file) // a thread may have ended
		for _, field := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(field); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// gone reports whether none of the processes is there.
func gone(pids []int) bool {
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			return false
		}
	}
	return true
}

// underWay starts a long run with two workers, and waits until it holds.
func underWay(t *testing.T, out string) (cmd *exec.Cmd, workers []int) {
	t.Helper()
	args := append([]string{"run", file(t, "small.yaml", scenarioText), "-p", "hold=50s", "--workers", "2", "--out", out}, node(t)...)
	cmd, _ = process(t, args...)
	said := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the run", func() bool { return strings.Contains(said.String(), "s hold") })
	workers = children(cmd.Process.Pid)
	if len(workers) != 2 {
		t.Fatalf("workers %v", workers)
	}
	return cmd, workers
}

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}

// TestInterrupted: one Ctrl-C ends the run with a result, and all workers.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "r.json")
	cmd, workers := underWay(t, out)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != int(coord.ExitInterrupted) {
		t.Errorf("it ended with %v", err)
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if c := res.Phases[1].Tally.Total(); res.Verdict != result.Interrupted || c.Expected == 0 || c.Missing != 0 {
		t.Errorf("verdict %s, %+v", res.Verdict, c)
	}
	if !gone(workers) {
		t.Errorf("workers %v go on", workers)
	}
}

// TestFirstSignalEndsWhatHasNothingToEnd: a check that waits for its file does
// not swallow Ctrl-C.
func TestFirstSignalEndsWhatHasNothingToEnd(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := process(t, "check", pipe)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var writer *os.File
	waitFor(t, "the check reads", func() (there bool) {
		f, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		writer = f
		return err == nil
	})
	defer writer.Close()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v\n%s", err, said)
	}
}

// TestWorkerKilled: the run is INVALID at once.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "r.json")
	cmd, workers := underWay(t, out)
	if err := syscall.Kill(workers[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != int(coord.ExitInvalid) {
		t.Errorf("it ended with %v", err)
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != result.Invalid || res.Workers[0].Lost+res.Workers[1].Lost == "" {
		t.Errorf("verdict %s, %+v", res.Verdict, res.Workers)
	}
	if !gone(workers) {
		t.Errorf("workers %v go on", workers)
	}
}

// TestCoordinatorKilled: its workers do not outlive it.
func TestCoordinatorKilled(t *testing.T) {
	t.Parallel()
	cmd, workers := underWay(t, filepath.Join(t.TempDir(), "r.json"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	waitFor(t, "the end of the workers", func() bool { return gone(workers) })
}

// TestGuests: workers that join over TCP, with the token.
func TestGuests(t *testing.T) {
	t.Parallel()
	flags := node(t)
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", port)
	out := filepath.Join(t.TempDir(), "r.json")
	args := append([]string{"run", file(t, "small.yaml", scenarioText), "--listen", addr, "--expect", "2", "--token", "secret", "--out", out}, flags...)
	cmd, said := process(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stranger, words := process(t, "worker", "--join", addr, "--token", "wrong")
	if err := stranger.Run(); err == nil || !strings.Contains(words.String(), "wrong token") {
		t.Errorf("a stranger: %v, %s", err, words)
	}
	var guests []*exec.Cmd
	for range 2 {
		g, _ := process(t, "worker", "--join", addr, "--token", "secret")
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
		guests = append(guests, g)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, g := range guests {
		if err := g.Wait(); err != nil {
			t.Errorf("a guest ended with %v", err)
		}
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if c := res.Phases[1].Tally.Total(); res.Verdict != result.Valid || len(res.Workers) != 2 || c.Delivered != 20*40 {
		t.Errorf("verdict %s, %d workers, %+v", res.Verdict, len(res.Workers), c)
	}
}

// TestClocksThatDiffer: a guest whose CLOCK_MONOTONIC is a day ahead, in a time
// namespace of its own. Nothing arrives before it was sent, and nothing a day
// later.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	const ahead = "86400"
	if out, err := exec.Command("unshare", "--time", "--monotonic", ahead, "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: no time namespace can be made: %v %s", err, out)
	}
	flags := node(t)
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", port)
	out := filepath.Join(t.TempDir(), "r.json")
	cmd, said := process(t, append([]string{"run", file(t, "small.yaml", scenarioText), "--listen", addr, "--expect", "2", "--token", "secret", "--out", out}, flags...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	here, _ := process(t, "worker", "--join", addr, "--token", "secret")
	there, _ := process(t, "worker", "--join", addr, "--token", "secret")
	there.Args = append([]string{"unshare", "--time", "--monotonic", ahead}, append([]string{there.Path}, there.Args[1:]...)...)
	if there.Path, err = exec.LookPath("unshare"); err != nil {
		t.Fatal(err)
	}
	there.Args[4], err = os.Executable() // of unshare, /proc/self/exe would be itself
	if err := errors.Join(err, here.Start(), there.Start()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cmd.Wait(), here.Wait(), there.Wait()); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	res, err := result.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	c, d := res.Phases[1].Tally.Total(), res.Phases[1].Tally.Groups[0].Hists[tally.Delivery]
	if c.Delivered != 20*40 || c.ClockErrs != 0 || d.Over != 0 {
		t.Errorf("%+v, latency at most %v", c, time.Duration(d.Max()))
	}
	if res.Clock.Bound <= 0 || res.Clock.Bound > time.Second {
		t.Errorf("clock %+v", res.Clock)
	}
}

// TestSearch: the largest count with which a threshold on it holds.
func TestSearch(t *testing.T) {
	t.Parallel()
	text := strings.Replace(scenarioText, "phases:", "thresholds: [hold.connected <= 12]\nphases:", 1)
	dir := t.TempDir()
	args := append([]string{"search", file(t, "small.yaml", text), "--over", "count", "--from", "5", "--to", "100", "--confirm", "1", "-p", "hold=100ms", "--steps", dir}, node(t)...)
	exit, out, errout := here(t, args...)
	if exit != coord.ExitOK || !strings.Contains(out, "count=12 is the largest that holds, within 5 %; 13 breaks") {
		t.Errorf("exit %d\n%s%s", exit, out, errout)
	}
	steps, err := filepath.Glob(filepath.Join(dir, "step-*.json"))
	if err != nil || len(steps) != strings.Count(out, "\n")-1 {
		t.Errorf("%d results of\n%s", len(steps), out)
	}
}
