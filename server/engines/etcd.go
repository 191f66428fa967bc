package engines

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Etcd is one etcd. Its methods are for its owner's goroutine alone. It ends with
// its owner.
type Etcd struct {
	// Static after StartEtcd.
	tb           Owner
	binary       string
	dir          string
	client, peer string // host:port
	secure       string // host:port of a listener with TLS; empty: none
	args         []string
	http         *http.Client

	// Owned by the owner's goroutine.
	p *Process // the last one, nil before the first
}

// StartEtcd starts etcd with fast elections and without fsync, in addition with args,
// and waits until it is healthy. The binary is $ETCD, or etcd in the path; where there
// is none the owner fails and is told how to get it.
func StartEtcd(tb Owner, args ...string) *Etcd {
	tb.Helper()
	s := newEtcd(tb, args)
	s.start()
	return s
}

// newEtcd chooses the program and ports.
func newEtcd(tb Owner, args []string) *Etcd {
	tb.Helper()
	name := os.Getenv("ETCD")
	if name == "" {
		name = "etcd"
	}
	binary, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("no etcd here (%v): make test installs it: apt-get install etcd-server", err)
	}
	s := &Etcd{
		tb: tb, binary: binary, dir: filepath.Join(tb.TempDir(), "etcd"), args: args,
		http: &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	for _, addr := range []*string{&s.client, &s.peer} {
		port, err := FreePort()
		if err != nil {
			tb.Fatalf("etcd: %v", err)
		}
		*addr = fmt.Sprintf("127.0.0.1:%d", port)
	}
	tb.Cleanup(s.Kill)
	return s
}

// Addr returns the host:port of the client listener. It stays over restarts.
func (s *Etcd) Addr() string { return s.client }

// Endpoints returns what a client is given.
func (s *Etcd) Endpoints() []string { return []string{s.client} }

// Alive reports whether the process is there, paused or not.
func (s *Etcd) Alive() bool { return s.p != nil && s.p.Alive() }

// Pid returns the process's number, also once it has ended.
func (s *Etcd) Pid() int { return s.p.Pid() }

// Kill ends the process by SIGKILL and waits for its end. Its data stays. It does
// nothing if there is no process.
func (s *Etcd) Kill() {
	if s.p != nil {
		s.p.Kill()
	}
}

// Restart kills the process if it runs, and starts another on the same data and
// address.
func (s *Etcd) Restart() {
	s.tb.Helper()
	s.Kill()
	s.start()
}

// Wipe kills the process if it runs, and starts one on the same address that
// knows nothing: an etcd whose disk was lost.
func (s *Etcd) Wipe() {
	s.tb.Helper()
	s.Kill()
	if err := os.RemoveAll(s.dir); err != nil {
		s.tb.Fatalf("etcd: %v", err)
	}
	s.start()
}

// Save restarts the process, and keeps its data as they were in between for SetBack.
func (s *Etcd) Save() {
	s.tb.Helper()
	s.Kill()
	if err := errors.Join(os.RemoveAll(s.saved()), os.CopyFS(s.saved(), os.DirFS(s.dir))); err != nil {
		s.tb.Fatalf("etcd: %v", err)
	}
	s.start()
}

// SetBack kills the process if it runs, and starts one on the same address with the data of
// the last Save: the same history with smaller revisions, once.
func (s *Etcd) SetBack() {
	s.tb.Helper()
	s.Kill()
	if err := errors.Join(os.RemoveAll(s.dir), os.Rename(s.saved(), s.dir)); err != nil {
		s.tb.Fatalf("etcd: %v", err)
	}
	s.start()
}

func (s *Etcd) saved() string { return s.dir + ".saved" }

// Pause stops the process by SIGSTOP: connections stay open and silent.
func (s *Etcd) Pause() { s.signal(syscall.SIGSTOP) }

// Resume continues a process that was paused.
func (s *Etcd) Resume() { s.signal(syscall.SIGCONT) }

func (s *Etcd) signal(sig syscall.Signal) {
	s.tb.Helper()
	if !s.Alive() {
		s.tb.Fatalf("%v for an etcd that does not run", sig)
	}
	if err := s.p.Signal(sig); err != nil {
		s.tb.Fatalf("etcd: %v: %v", sig, err)
	}
}

// start starts a process and waits until it is healthy.
func (s *Etcd) start() {
	s.tb.Helper()
	client, peer := "http://"+s.client, "http://"+s.peer
	if s.secure != "" {
		client += ",https://" + s.secure
	}
	args := append([]string{
		"--data-dir", s.dir,
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
		"--heartbeat-interval=20", "--election-timeout=200", "--unsafe-no-fsync", "--log-level", "error",
	}, s.args...)
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.tb.Fatalf("etcd: %v", err)
	}
	defer log.Close() // the child has its own
	if s.p, err = Launch(s.binary, args, nil, log); err != nil {
		s.tb.Fatalf("etcd: %v", err)
	}
	if err := s.await(); err != nil {
		said, _ := os.ReadFile(s.logFile())
		s.tb.Fatalf("etcd: %v; its log ends:\n%s", err, said[max(0, len(said)-4000):])
	}
}

func (s *Etcd) logFile() string { return s.dir + ".log" }

// await waits until etcd says that it is healthy, which includes a leader.
func (s *Etcd) await() error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if s.Healthy() {
			return nil
		}
		select {
		case <-s.p.Ended():
			return errors.New("it ended before it was ready: " + s.p.Exit())
		case <-time.After(2 * poll):
		}
	}
	return fmt.Errorf("not healthy after %v", patience)
}

// Healthy reports whether it says so within a second.
func (s *Etcd) Healthy() bool {
	resp, err := s.http.Get("http://" + s.client + "/health")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
