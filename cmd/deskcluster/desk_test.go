package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/server/client"
	"roost/server/testbin"
)

// asDesk is the environment variable that makes this binary a deskcluster.
const asDesk = "DESKCLUSTER_OF_A_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asDesk) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test: passing it is a failure.
const patience = time.Minute

// TestCluster starts a cluster as make cluster does, is a device on its last node,
// runs the lines that it prints, and interrupts it: no process and no file is left.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds three commands and starts five processes")
	}
	bin := build(t, "roostd", "roostctl")
	d := startDesk(t, "--bin", bin)
	got := make(chan string, 16)
	d.device(got, d.nodes[2], "d1")

	for _, step := range []struct{ line, want string }{
		{"publish", `"seq":1`},
		{"to everybody", `"all":true`},
		{"whose is it", `"url":"ws://127.0.0.1:`},
		{"and offline", "n"},
		{"where it is", `"node":"n`},
		{"look", `"n2"`},
		{"the ring", "n3"},
		{"plan", "n3"},
	} {
		if out := d.sh(step.line); !strings.Contains(out, step.want) {
			t.Errorf("%s says %s, want %s in it", step.line, out, step.want)
		}
	}
	for _, want := range []string{`{"hello":"world"}`, `{"hello":"all"}`} {
		if m := receive(t, got); m != want {
			t.Errorf("the device got %s, want %s", m, want)
		}
	}
	owner := d.owner("d1")
	if offline := d.sh("and offline"); !strings.Contains(offline, owner) {
		t.Errorf("a node says that d1 is %s's, roostctl: %s", owner, offline)
	}
	d.drain()

	// A node that is killed is reported, and the device still gets what is published.
	d.sh("kill a node")
	d.expect("n1 has ended")
	if out := d.shell(strings.ReplaceAll(d.lines["publish"], d.apis[0], d.apis[1])); !strings.Contains(out, `"seq":2`) {
		t.Errorf("published without n1: %s", out)
	}
	if m := receive(t, got); m != `{"hello":"world"}` {
		t.Errorf("the device got %s", m)
	}
	d.interrupt()
}

// TestEndsWhileStarting: an interrupt during the start leaves nothing behind either.
func TestEndsWhileStarting(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	bin := t.TempDir()
	// A roostd that never gets ready.
	if err := os.WriteFile(filepath.Join(bin, "roostd"), []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	time.AfterFunc(2*time.Second, cancel)
	if err := run(ctx, func() {}, []string{"--bin", bin, "--nodes", "1"}, &out, &out); err != nil {
		t.Errorf("%v; it said %s", err, &out)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// TestNodeDoesNotStart: what a node said before it ended is passed on.
func TestNodeDoesNotStart(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "roostd"), []byte("#!/bin/sh\necho no such etcd >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), func() {}, []string{"--bin", bin, "--dir", filepath.Join(t.TempDir(), "d")}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no such etcd") || !strings.Contains(err.Error(), " ended: exit status 1") {
		t.Errorf("%v", err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--nodes", "0"}, "nodes is 0"},
		{[]string{"--bin", "/nowhere"}, "make build"},
		{[]string{"start"}, `unexpected argument "start"`},
	} {
		if err := run(t.Context(), func() {}, tt.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// build builds commands into a folder.
func build(t *testing.T, names ...string) (bin string) {
	t.Helper()
	bin = t.TempDir()
	if err := testbin.Into(bin, names...); err != nil {
		t.Fatal(err)
	}
	return bin
}

// running is a deskcluster in a process of its own: this test binary.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  chan string // its lines
	dir   string      // where its files are
	pids  []int
	nodes []string          // devices' URLs
	apis  []string          // host:port
	lines map[string]string // what to try, by label
}

var (
	nodeLine = regexp.MustCompile(`^  n\d .*devices (ws://\S+)  API http://(\S+)  pid (\d+)$`)
	pidLine  = regexp.MustCompile(`^  (?:etcd|redis) .*pid (\d+)$`)
	tryLine  = regexp.MustCompile(`^  (\S.{12}) (\S.*)$`)
)

// startDesk starts one and reads what it prints up to the end of its guide.
func startDesk(t *testing.T, args ...string) *running {
	t.Helper()
	d := &running{t: t, said: make(chan string, 256), lines: map[string]string{}}
	d.cmd = exec.Command(os.Args[0], args...)
	d.cmd.Env = append(os.Environ(), asDesk+"=1", "TMPDIR="+t.TempDir())
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a failed test: everything it started dies with it
		if d.cmd.ProcessState == nil {
			d.cmd.Process.Kill()
			d.cmd.Wait()
		}
	})
	go func() {
		defer close(d.said)
		for s := bufio.NewScanner(out); s.Scan(); {
			d.said <- s.Text()
		}
	}()
	for line := d.line(); !strings.HasPrefix(line, "Ctrl-C ends"); line = d.line() {
		if m := nodeLine.FindStringSubmatch(line); m != nil {
			d.nodes = append(d.nodes, m[1])
			d.apis = append(d.apis, m[2])
			d.addPid(m[3])
		} else if m := pidLine.FindStringSubmatch(line); m != nil {
			d.addPid(m[1])
		} else if rest, ok := strings.CutPrefix(line, "  files  "); ok {
			d.dir, _, _ = strings.Cut(rest, " ")
		} else if m := tryLine.FindStringSubmatch(line); m != nil {
			d.lines[strings.TrimSpace(m[1])] = m[2]
		}
	}
	if len(d.nodes) != 3 || len(d.pids) != 5 || d.dir == "" {
		t.Fatalf("the guide has nodes %v, processes %v, files in %q, and %v", d.nodes, d.pids, d.dir, d.lines)
	}
	return d
}

func (d *running) addPid(s string) {
	pid, _ := strconv.Atoi(s)
	d.pids = append(d.pids, pid)
}

// line returns the next line that it prints.
func (d *running) line() string {
	d.t.Helper()
	select {
	case line, ok := <-d.said:
		if !ok {
			d.t.Fatalf("it has ended: %v", d.cmd.Wait())
		}
		return line
	case <-time.After(patience):
		d.t.Fatal("it says nothing")
	}
	return ""
}

// expect reads lines up to one.
func (d *running) expect(want string) {
	d.t.Helper()
	for d.line() != want {
	}
}

// sh runs a line of the guide and returns what it prints.
func (d *running) sh(label string) string {
	d.t.Helper()
	if d.lines[label] == "" {
		d.t.Fatalf("the guide has no %q", label)
	}
	return d.shell(d.lines[label])
}

// shell runs a line, which may end with 1: a plan that does not keep a limit.
func (d *running) shell(line string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", line).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(line, " ring plan ")) {
		d.t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// device connects a device and passes on what it gets.
func (d *running) device(got chan<- string, url, id string) {
	d.t.Helper()
	connected := make(chan struct{}, 16)
	c, err := client.New(client.Options{URL: url, Device: id,
		OnMessage: func(m client.Message) { got <- string(m.Payload) },
		OnState: func(s client.State) {
			if s.Phase == client.Connected {
				connected <- struct{}{}
			}
		}})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			d.t.Errorf("device: %v", err)
		}
	})
	select {
	case <-connected:
	case <-time.After(patience):
		d.t.Fatal("the device does not get connected")
	}
}

func receive(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-time.After(patience):
		t.Fatal("the device gets nothing")
	}
	return ""
}

// owner returns whose a device is.
func (d *running) owner(id string) string {
	d.t.Helper()
	var route struct{ Node string }
	if err := get(d.apis[0], "/v1/route?device="+id, &route); err != nil || route.Node == "" {
		d.t.Fatalf("%+v, %v", route, err)
	}
	return route.Node
}

// drain drains the first node, sees that no new device is sent there, and stops it.
func (d *running) drain() {
	d.t.Helper()
	d.sh("drain")
	d.eventually("nobody is sent to n1", func() bool {
		for i := range 50 {
			if d.owner(fmt.Sprint("x", i)) == "n1" {
				return false
			}
		}
		return true
	})
	d.sh("stop that")
}

func (d *running) eventually(what string, done func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("not so: %s", what)
		}
	}
}

// interrupt ends it as Ctrl-C does.
func (d *running) interrupt() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		d.t.Fatal(err)
	}
	for range d.said {
	}
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("it ended with %v", err)
	}
	for _, pid := range d.pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			d.t.Errorf("process %d is left: %v", pid, err)
		}
	}
	if _, err := os.Stat(d.dir); !errors.Is(err, os.ErrNotExist) {
		d.t.Errorf("%s is left: %v", d.dir, err)
	}
}
