package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/engines"
)

// TestCrashes kills a node under load, again and again, at random moments, and
// counts: what a publisher was told is accepted is handled by its device, once and
// in order; what was not is not; and a repeat of what was accepted is known as
// one.
func TestCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	n := &node{t: t, dir: t.TempDir(), listen: freeAddr(t), api: freeAddr(t)}
	n.start()
	t.Cleanup(func() { n.kill() })
	l := &ledger{t: t, n: n, accepted: map[string]accepted{}, answers: make(chan int, 1024)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	devices := startDevices(ctx, t, n)

	var publishers sync.WaitGroup
	enough := make(chan struct{})
	for p := range 4 {
		publishers.Go(func() { l.publishers(enough, fmt.Sprint("p", p), 1, len(devices)) })
	}
	publishers.Go(func() { l.publishers(enough, "batch", 40, len(devices)) })
	for range 6 {
		for left := 200 + rand.IntN(1500); left > 0; {
			left -= <-l.answers
		}
		n.kill()
		n.start()
	}
	go func() {
		for range l.answers { // nobody counts any more
		}
	}()
	close(enough)
	publishers.Wait()
	l.repeat()
	close(l.answers)
	l.settle(devices)
	stop()
	for _, d := range devices {
		<-d.done
	}
	n.checkBooks()
	t.Logf("%d messages accepted, %d requests repeated after a lost connection", len(l.accepted), l.lost)
}

// node is a roostd in a process of its own: this test binary, see TestMain.
type node struct {
	t                testing.TB
	dir, listen, api string

	mu  sync.Mutex // covers the following
	cmd *exec.Cmd
}

// freeAddr returns an address that nobody listens on, and that the kernel gives to no client: a node that was killed
// has to come back where it was.
func freeAddr(t testing.TB) string {
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", port)
}

// start starts the node and waits until it is ready.
func (n *node) start() {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd = exec.Command(os.Args[0], "--listen", n.listen, "--api", n.api, "--auth", "none", "--inbox", "file", "--data-dir", n.dir)
	n.cmd.Env = append(os.Environ(), asRoostd+"=1")
	var log strings.Builder
	n.cmd.Stderr = &log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready ") {
		n.cmd.Wait()
		n.t.Fatalf("the node does not start: %q, %v; it says:\n%s", line, err, log.String())
	}
}

// kill is kill -9.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd.Process.Kill()
	n.cmd.Wait()
}

// await waits while the node is being killed or started.
func (n *node) await() {
	n.mu.Lock()
	defer n.mu.Unlock()
}

// post publishes; it reports false when the connection was lost or the node is not
// there.
func (n *node) post(c *http.Client, kind, body string) (status int, results []result, ok bool) {
	resp, err := c.Post("http://"+n.api+"/v1/publish", kind, strings.NewReader(body))
	if err != nil {
		return 0, nil, false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, false
	}
	var answer struct{ Results []result }
	if err := json.Unmarshal(b, &answer); err != nil {
		n.t.Errorf("%s: %v", b, err)
	}
	return resp.StatusCode, answer.Results, true
}

// checkBooks asks the node whether its books add up.
func (n *node) checkBooks() {
	c := newHTTP()
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://" + n.api + "/debug/consistency")
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"ok":true`) {
		n.t.Errorf("the books: %s", b)
	}
}

func newHTTP() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
}

// result is what a publisher is told about one message.
type result struct {
	Status, Reason string
	Seq            uint64
	Duplicate      bool
}

// isAccepted says whether the node has taken the message over.
func (r result) isAccepted() bool {
	switch r.Status {
	case "written", "queued", "offline", "acknowledged":
		return true
	}
	return false
}
