package rig

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"roost/server/engines"
)

// Node is one roostd. Its addresses and its data stay over restarts. Its methods
// that start and end it are for its owner's goroutine.
type Node struct {
	// Static after Cluster.Add.
	tb          engines.Owner
	c           *Cluster
	ID, Zone    string
	Listen, API string // host:port
	dir         string
	args        []string
	ToEtcd      *Link // nil without Options.Links
	ToRedis     *Link

	// Owned by the owner's goroutine.
	p      *engines.Process
	starts int
}

// startTime is how long a node may take until it is ready, stopTime until it has
// ended behind SIGTERM, drain included.
const (
	startTime = 30 * time.Second
	stopTime  = 60 * time.Second
)

// Start starts the node; Await says when it is ready.
func (n *Node) Start() {
	n.tb.Helper()
	if n.p != nil && n.p.Alive() {
		n.tb.Fatalf("node %s runs already", n.ID)
	}
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		n.tb.Fatalf("node %s: %v", n.ID, err)
	}
	defer log.Close() // the child has its own
	n.starts++
	fmt.Fprintf(log, "--- start %d of %s at %s: %s %q\n", n.starts, n.ID, time.Now().Format(time.RFC3339Nano), n.c.o.Roostd, n.args)
	if n.p, err = engines.Launch(n.c.o.Roostd, n.args, n.c.o.Env, log); err != nil {
		n.tb.Fatalf("node %s: %v", n.ID, err)
	}
}

func (n *Node) logFile() string { return filepath.Join(n.c.o.Logs, n.ID+".log") }

// Await waits until the node says that it is ready.
func (n *Node) Await() {
	n.tb.Helper()
	for end := time.Now().Add(startTime); !n.Ready(); time.Sleep(20 * time.Millisecond) {
		if !n.p.Alive() || time.Now().After(end) {
			n.tb.Fatalf("node %s is not ready within %v (%s); its log ends:\n%s", n.ID, startTime, n.ended(), n.tail())
		}
	}
}

func (n *Node) ended() string {
	if n.p.Alive() {
		return "it runs"
	}
	return "it ended: " + n.p.Exit()
}

func (n *Node) tail() []byte {
	said, _ := os.ReadFile(n.logFile())
	return said[max(0, len(said)-4000):]
}

// Ready reports whether it says so within a second.
func (n *Node) Ready() bool {
	resp, err := quick.Get("http://" + n.API + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Alive reports whether the process is there, stopped or not.
func (n *Node) Alive() bool { return n.p != nil && n.p.Alive() }

// Kill ends it by SIGKILL and waits until it is gone.
func (n *Node) Kill() {
	if n.p != nil {
		n.p.Kill()
	}
}

// Pause stops it where it is (SIGSTOP), Resume lets it go on.
func (n *Node) Pause() { n.signal(syscall.SIGSTOP) }

// Resume lets a stopped node go on (SIGCONT).
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

// Term asks it to end in order (SIGTERM).
func (n *Node) Term() { n.signal(syscall.SIGTERM) }

func (n *Node) signal(s syscall.Signal) {
	n.tb.Helper()
	if err := n.p.Signal(s); err != nil {
		n.tb.Fatalf("node %s: %v: %v (%s)", n.ID, s, err, n.ended())
	}
}

// Stop asks it to end in order and waits until it has; how long that took.
func (n *Node) Stop() time.Duration {
	n.tb.Helper()
	began := time.Now()
	n.Term()
	select {
	case <-n.p.Ended():
	case <-time.After(stopTime):
		n.tb.Fatalf("node %s does not end within %v of SIGTERM; its log ends:\n%s", n.ID, stopTime, n.tail())
	}
	return time.Since(began)
}

// Pid returns the number of the last process.
func (n *Node) Pid() int { return n.p.Pid() }

// Exit says how the last process ended; it waits for that.
func (n *Node) Exit() string { return n.p.Exit() }

// Said returns the end of what it said.
func (n *Node) Said() string { return string(n.tail()) }

// URL returns its API's base URL.
func (n *Node) URL() string { return "http://" + n.API }
