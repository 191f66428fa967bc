package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
)

// TestProbeReadsANode by everything there is, before and after some work.
func TestProbeReadsANode(t *testing.T) {
	n := startNode(t)
	p, err := Open(Config{PIDs: []int{n.cmd.Process.Pid}, Metrics: []string{n.api + "/metrics"}, Pprof: []string{n.api}, Collect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := p.Servers()[0]
	if s.Name != "roostd" || s.PID != n.cmd.Process.Pid || s.Source != "pid+metrics" || len(s.SHA256) != 64 || !strings.Contains(s.Version, "go1.") ||
		len(s.Argv) < 6 || !strings.HasSuffix(s.Binary, "/roostd") || len(s.Env) != 1 || s.Env[0] != (result.Fact{Name: "GOGC", Value: "150"}) {
		t.Errorf("%+v", s)
	}
	before, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	p.Glance()
	var conns []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", n.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for range 200 { // requests are work
		resp, err := http.Get(n.api + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	defer http.DefaultClient.CloseIdleConnections()
	after, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	u := p.Use(before, after)[0]
	if u.CPU <= 0 || u.User+u.System < 0 || u.RSS < 1<<20 || u.PSS < 1<<20 || u.Heap <= 0 || u.Stacks <= 0 || u.Slab <= 0 || u.Sock < 0 || u.Goroutines <= 0 {
		t.Errorf("%+v", u)
	}
	if idle := p.Use(before, before)[0]; u.Files < idle.Files+len(conns) {
		t.Errorf("%d files with %d connections, %d before", u.Files, len(conns), idle.Files)
	}
	if cores, rss := p.Glance(); cores <= 0 || rss < 1<<20 {
		t.Errorf("%v cores, %d bytes", cores, rss)
	}
}

// TestCollectionsCountForNobody: those that the probe asks for lie between the
// phases.
func TestCollectionsCountForNobody(t *testing.T) {
	n := startNode(t)
	p, err := Open(Config{Metrics: []string{n.api + "/metrics"}, Pprof: []string{n.api + "/debug/pprof/"}, Collect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if forced := b.servers[0].begin.gcs - b.servers[0].end.gcs; forced < 2 {
		t.Errorf("%v collections were asked for, want 2", forced)
	}
	if u := p.Use(a, b)[0]; u.GCs != 0 || u.GCPauseMax != 0 {
		t.Errorf("a phase without work has %d collections of at most %v", u.GCs, u.GCPauseMax)
	}
	if err := p.collect(within(t), p.servers[0]); err != nil { // one that is not between two readings
		t.Fatal(err)
	}
	c, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	u := p.Use(b, c)[0]
	if u.GCs < 2 || u.GCPauseMax <= 0 || u.GCPauseMax > time.Minute || u.PSS != -1 || u.Slab != -1 || u.RSS <= 0 {
		t.Errorf("%+v", u)
	}
}

// TestEndedServer: a server that dies is said to have ended, with what is known
// of the others; its successor is read again.
func TestEndedServer(t *testing.T) {
	a, b := startNode(t), startNode(t)
	p, err := Open(Config{PIDs: []int{a.cmd.Process.Pid, b.cmd.Process.Pid}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Process.Kill() // and nobody waits for it yet
	var half *Sample
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if half, err = p.Read(within(t)); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a killed server is still read")
		}
	}
	if !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "roostd") || strings.Count(err.Error(), "probe:") != 1 {
		t.Errorf("%v", err)
	}
	u := p.Use(before, half)
	if u[0].RSS <= 0 || u[1].RSS != -1 || u[1].CPU != 0 {
		t.Errorf("%+v", u)
	}
	b.kill()
	if _, err := p.Read(within(t)); !errors.Is(err, ErrEnded) {
		t.Errorf("after its end was taken note of: %v", err)
	}
	if cores, rss := p.Glance(); cores < 0 || rss <= 0 {
		t.Errorf("%v, %d", cores, rss)
	}
	c := startNode(t)
	p.Moved(c.cmd.Process.Pid)
	if s := p.Servers(); s[0].PID != a.cmd.Process.Pid || s[1].PID != c.cmd.Process.Pid {
		t.Errorf("%+v", s)
	}
	after, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if u := p.Use(before, after)[1]; u.CPU <= 0 || u.RSS <= 0 {
		t.Errorf("a new process: %+v", u)
	}
	p.Moved(1 << 22)
	if _, err := p.Read(within(t)); !errors.Is(err, ErrEnded) {
		t.Errorf("moved to nowhere: %v", err)
	}
}

func TestProfile(t *testing.T) {
	n := startNode(t)
	p, err := Open(Config{PIDs: []int{n.cmd.Process.Pid, os.Getpid()}, Pprof: []string{n.api}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := t.TempDir()
	if err := p.Profile(within(t), time.Second, dir, "run"); err != nil {
		t.Fatal(err)
	}
	s := p.Servers()
	data, err := os.ReadFile(filepath.Join(dir, s[0].Profile))
	if err != nil || len(data) < 10 || data[0] != 0x1f || data[1] != 0x8b {
		t.Errorf("%s: %d bytes, %v", s[0].Profile, len(data), err)
	}
	if s[1].Profile != "" {
		t.Errorf("this process has the profile %s", s[1].Profile)
	}
	n.kill()
	if err := p.Profile(within(t), time.Second, dir, "late"); err == nil {
		t.Error("a dead server was profiled")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "late*")); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

// TestServersThatDoNotAnswer: every way is an error that names the URL, and none
// takes longer than the timeout.
func TestServersThatDoNotAnswer(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("go_goroutines 1\n"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/other", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>hello</html>\n")) })
	mux.HandleFunc("/debug/pprof/heap", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not for you", http.StatusForbidden) })
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("go_goroutines 7\n")) })
	ts := httptest.NewServer(mux)
	defer ts.Close()
	defer close(release)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Metrics: []string{ts.URL + "/hang"}}, "/hang"},
		{Config{Metrics: []string{ts.URL + "/drip"}}, "/drip"},
		{Config{Metrics: []string{ts.URL + "/other"}}, "is it the URL of its metrics"},
		{Config{Metrics: []string{ts.URL + "/none"}}, "404"},
		{Config{Metrics: []string{"http://127.0.0.1:1/metrics"}}, "refused"},
		{Config{Metrics: []string{"::"}}, "::"},
		{Config{Metrics: []string{ts.URL + "/good"}, Pprof: []string{ts.URL}, Collect: true}, "not for you"},
		{Config{PIDs: []int{1 << 22}}, "has ended"},
		{Config{PIDs: []int{-1}}, "process id -1"},
		{Config{Cgroups: []string{t.TempDir()}}, "is no cgroup"},
	} {
		c.cfg.Timeout = 100 * time.Millisecond
		_, err := Open(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "probe: server") {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
	p, err := Open(Config{Metrics: []string{ts.URL + "/good"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	want := result.ServerUse{RSS: -1, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1, Files: -1, Goroutines: 7}
	if u := p.Use(s, s); u[0] != want {
		t.Errorf("%+v", u)
	}
	if u := p.Use(nil, nil); len(u) != 1 || u[0].Goroutines != -1 {
		t.Errorf("%+v", u)
	}
	if cores, rss := p.Glance(); cores != 0 || rss != 0 {
		t.Errorf("%v, %d", cores, rss)
	}
	p.Moved(os.Getpid()) // nobody is known by process id
	if s := p.Servers()[0]; s.PID != 0 || s.Name != ts.URL+"/good" {
		t.Errorf("%+v", s)
	}
}

// TestCgroup: a directory as version 2 has it.
func TestCgroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "roost.service")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cgroup.procs", "1\n")
	write("cgroup.controllers", "cpu memory\n")
	write("cpu.stat", "usage_usec 1000\nuser_usec 600\nsystem_usec 400\n")
	write("memory.stat", "anon 5000\nfile 900\nfile_mapped 100\nslab 300\nsock 40\n")
	p, err := Open(Config{Cgroups: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if s := p.Servers()[0]; s.Name != "roost.service" || s.Source != "cgroup" {
		t.Errorf("%+v", s)
	}
	before, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	p.Glance()
	write("cpu.stat", "usage_usec 5000\nuser_usec 2600\nsystem_usec 2400\n")
	after, err := p.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	u := p.Use(before, after)[0]
	u.Softirq = 0 // the machine's
	want := result.ServerUse{CPU: 4 * time.Millisecond, User: 2 * time.Millisecond, System: 2 * time.Millisecond,
		RSS: 5100, PSS: -1, Heap: -1, Stacks: -1, Slab: 300, Sock: 40, Files: -1, Goroutines: -1}
	if u != want {
		t.Errorf("%+v, want %+v", u, want)
	}
	if cores, rss := p.Glance(); cores <= 0 || rss != 5100 {
		t.Errorf("%v, %d", cores, rss)
	}
	os.Remove(filepath.Join(dir, "cpu.stat"))
	if _, err := p.Read(within(t)); err == nil {
		t.Error("a group without cpu.stat was read")
	}
}
