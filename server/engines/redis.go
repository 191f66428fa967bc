package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait for a server. It is no measure of speed: a start takes 25 to 60 ms.
const patience = 30 * time.Second

// poll is how often a state is looked at.
const poll = 5 * time.Millisecond

// starts is how many ports are tried: another process may take one between our look
// and the server's bind.
const starts = 10

// Redis is one redis-server.
type Redis struct {
	// Static after StartRedis.
	tb      Owner
	binary  string
	dir     string
	port    int
	cluster int    // port of the cluster's bus; 0 without cluster
	watches string // address of the master that a Sentinel watches; empty for others
	extra   []string

	// Owned by the owner's goroutine.
	p      *Process
	paused bool
}

// StartRedis runs one server until its owner ends. It holds nothing on disk; args are added to
// its command line and override that:
//
//	engines.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
//
// It ends the owner when redis-server is missing or does not come up.
func StartRedis(tb Owner, args ...string) *Redis {
	tb.Helper()
	return start(tb, Redis{extra: args}, false)
}

// start runs a server like the given one.
func start(tb Owner, like Redis, cluster bool) *Redis {
	tb.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatalf("redis-server is not installed (%v): make test installs it: apt-get install redis-server", err)
	}
	for range starts {
		s := &like
		s.tb, s.binary, s.dir, s.cluster = tb, binary, tb.TempDir(), 0
		if err = s.place(cluster); err == nil {
			err = s.launch()
		}
		if err == nil {
			tb.Cleanup(s.Kill)
			return s
		}
		if !errors.Is(err, errTaken) {
			break
		}
	}
	tb.Fatalf("redis-server does not start: %v", err)
	return nil
}

// errTaken says that somebody else listens on the port.
var errTaken = errors.New("the port is taken")

// place chooses ports.
func (s *Redis) place(cluster bool) (err error) {
	if s.port, err = FreePort(); err != nil || !cluster {
		return err
	}
	for s.cluster == 0 || s.cluster == s.port {
		if s.cluster, err = FreePort(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Redis) args() []string {
	if s.watches != "" {
		return []string{s.sentinelFile(), "--sentinel"}
	}
	args := []string{
		"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no", "--loglevel", "notice", "--logfile", "",
		"--enable-debug-command", "local",
		// A replica waits 5 s for others to join its full synchronisation.
		"--repl-diskless-sync-delay", "0",
	}
	if s.cluster != 0 {
		args = append(args, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(s.cluster),
			"--cluster-node-timeout", fmt.Sprint(nodeTimeout.Milliseconds()),
			// A replica stands for election however long its master was silent.
			"--cluster-replica-validity-factor", "0")
	}
	return append(args, s.extra...)
}

// launch starts the process and waits until it answers.
func (s *Redis) launch() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	p, err := Launch(s.binary, s.args(), nil, log)
	if err != nil {
		return err
	}
	s.p, s.paused = p, false
	mine := fmt.Sprintf("\nprocess_id:%d\r", p.Pid())
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(poll) {
		if !p.Alive() {
			return s.failure("it ended")
		}
		// Not every Redis that answers here is ours. Until the data are loaded it
		// answers INFO, and says so.
		info, err := do(s.Addr(), "INFO")
		if text, _ := info.(string); err == nil && strings.Contains(text, mine) && !strings.Contains(text, "\nloading:1\r") {
			return nil
		}
	}
	p.Kill()
	return s.failure(fmt.Sprintf("it did not answer within %v", patience))
}

func (s *Redis) logFile() string { return filepath.Join(s.dir, "redis.log") }

// failure is an error with the end of the log.
func (s *Redis) failure(what string) error {
	log, _ := os.ReadFile(s.logFile())
	text := string(log[max(0, len(log)-2000):])
	if strings.Contains(text, "Address already in use") {
		return fmt.Errorf("%s: %w", s.Addr(), errTaken)
	}
	return fmt.Errorf("%s; its log ends: %s", what, text)
}

// Addr returns host:port, the same after every Restart.
func (s *Redis) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Dir returns the folder of its data.
func (s *Redis) Dir() string { return s.dir }

// Pid returns the number of its process, 0 once it has ended.
func (s *Redis) Pid() int {
	if !s.p.Alive() {
		return 0
	}
	return s.p.Pid()
}

// Alive reports whether the process is there, paused or not.
func (s *Redis) Alive() bool { return s.p.Alive() }

// Kill ends the server as a crash does (SIGKILL) and waits until it is gone. Nothing
// happens if it has ended.
func (s *Redis) Kill() {
	s.p.Kill()
	s.paused = false
}

// Stop ends the server in order (SIGTERM) and waits until it is gone.
func (s *Redis) Stop() {
	s.tb.Helper()
	s.Resume()
	if err := s.p.Signal(syscall.SIGTERM); err != nil {
		return
	}
	select {
	case <-s.p.ended:
	case <-time.After(patience):
		s.tb.Fatalf("redis-server %s did not stop within %v", s.Addr(), patience)
	}
}

// Restart starts the server again: the same address, the same data. One that runs is
// killed first. It returns when the server answers and has loaded its data.
func (s *Redis) Restart() {
	s.tb.Helper()
	s.Kill()
	var err error
	// The port can be bound as soon as its owner is gone; connections in
	// TIME_WAIT do not count, for Redis sets SO_REUSEADDR.
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(poll) {
		if err = s.launch(); !errors.Is(err, errTaken) {
			break
		}
	}
	if err != nil {
		s.tb.Fatalf("redis-server %s does not start again: %v", s.Addr(), err)
	}
}

// Pause stops the process where it is (SIGSTOP): its connections stay, the kernel takes
// bytes for it, nothing answers.
func (s *Redis) Pause() {
	s.tb.Helper()
	if err := s.p.Signal(syscall.SIGSTOP); err != nil {
		s.tb.Fatalf("redis-server %s cannot be paused: %v", s.Addr(), err)
	}
	s.paused = true
}

// Resume lets a paused process go on (SIGCONT). Nothing happens to one that is not.
func (s *Redis) Resume() {
	if s.paused {
		_ = s.p.Signal(syscall.SIGCONT) // it has ended: nothing to go on
		s.paused = false
	}
}

// Do sends one command past every client library, within 5 s. The reply is a string, an
// int64, nil or a []any of those; what Redis refuses is a ReplyError.
func (s *Redis) Do(args ...string) (any, error) { return do(s.Addr(), args...) }

// Text is Do for commands whose reply is one value: it returns that as text, "" for nil, and
// ends the owner on errors.
func (s *Redis) Text(args ...string) string {
	s.tb.Helper()
	v, err := s.Do(args...)
	if err != nil {
		s.tb.Fatalf("redis-server %s: %s: %v", s.Addr(), strings.Join(args, " "), err)
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// Await looks again and again until ok holds, and ends the owner when it does not within 30 s.
func Await(tb Owner, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(poll) {
		if time.Now().After(end) {
			tb.Fatalf("%s: not within %v", what, patience)
		}
	}
}
