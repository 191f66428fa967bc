package testetcd

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Bound is how long anything may take before a test fails: a start has been seen
// to take a second on a machine at rest, and this is for one that is not.
const Bound = 30 * time.Second

// Server is one etcd. Its methods are for the test's goroutine alone. It ends
// with the test.
type Server struct {
	// Static after Start.
	t            testing.TB
	binary       string
	dir          string
	client, peer string // host:port
	args         []string
	http         *http.Client

	// The process that runs now, nil if none.
	cmd    *exec.Cmd
	ended  chan struct{} // closed when it has been waited for
	output *tail
}

// Start starts etcd with fast elections, in addition with args, and waits until
// it is healthy. The binary is $ETCD, or etcd in the path; where there is none the
// test fails and says how to get it.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	name := os.Getenv("ETCD")
	if name == "" {
		name = "etcd"
	}
	binary, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("no etcd here (%v): make test installs it: apt-get install etcd-server", err)
	}
	s := &Server{
		t: t, binary: binary, dir: filepath.Join(t.TempDir(), "etcd"), args: args,
		client: freeAddr(t), peer: freeAddr(t),
		http: &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	t.Cleanup(s.Kill)
	s.start()
	return s
}

// Addr returns the host:port of the client listener. It stays over restarts.
func (s *Server) Addr() string { return s.client }

// Endpoints returns what a client is given.
func (s *Server) Endpoints() []string { return []string{s.client} }

// Kill ends the process by SIGKILL and waits for its end. Its data stays. It does
// nothing if there is no process.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Restart kills the process if it runs, and starts another on the same data and
// address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.start()
}

// Wipe kills the process if it runs, and starts one on the same address that
// knows nothing: an etcd whose disk was lost.
func (s *Server) Wipe() {
	s.t.Helper()
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// Pause stops the process by SIGSTOP: connections stay open and silent.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume continues a process that was paused.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("%v for an etcd that does not run", sig)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// start starts a process and waits until it is healthy.
func (s *Server) start() {
	s.t.Helper()
	client, peer := "http://"+s.client, "http://"+s.peer
	args := append([]string{
		"--data-dir", s.dir,
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
		"--heartbeat-interval=20", "--election-timeout=200", "--unsafe-no-fsync", "--log-level", "error",
	}, s.args...)
	s.output = new(tail)
	cmd := exec.Command(s.binary, args...)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	// An etcd must not outlive a test that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("etcd: %v", err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.ended)
	if err := s.wait(); err != nil {
		s.t.Fatalf("etcd: %v; it said:\n%s", err, s.output)
	}
}

// wait waits until etcd says that it is healthy, which includes a leader.
func (s *Server) wait() error {
	deadline := time.Now().Add(Bound)
	for time.Now().Before(deadline) {
		if s.healthy() {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("it ended before it was ready")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("not healthy after %v", Bound)
}

func (s *Server) healthy() bool {
	resp, err := s.http.Get("http://" + s.client + "/health")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// tail keeps the last 8 KiB of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailBytes = 8 << 10

// Write keeps p, or its end.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len()+len(p) > 2*tailBytes {
		t.b.Next(t.b.Len() - tailBytes)
	}
	t.b.Write(p[max(0, len(p)-tailBytes):])
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
