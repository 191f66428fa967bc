package presence

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/server/testredis"
)

// python is the receiver of the documentation in a process of its own.
type python struct {
	url string

	mu    sync.Mutex
	lines []ChangeJSON
}

func startPython(t *testing.T) *python {
	t.Helper()
	name, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here: deploy/examples/webhook.py was not tried")
	}
	cmd := exec.Command(name, "../../deploy/examples/webhook.py", "0")
	cmd.Env = append(os.Environ(), "ROOST_WEBHOOK_SECRET="+string(secret))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := &python{}
	lines := bufio.NewScanner(out)
	var first struct{ Listening int }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil {
		t.Fatalf("it says %q", lines.Text())
	}
	p.url = fmt.Sprintf("http://127.0.0.1:%d/", first.Listening)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			var c ChangeJSON
			err := json.Unmarshal(lines.Bytes(), &c)
			p.mu.Lock()
			if err == nil {
				p.lines = append(p.lines, c)
			}
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait() // it was killed
	})
	return p
}

func (p *python) got() []ChangeJSON {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]ChangeJSON(nil), p.lines...)
}

// posted is a request of a webhook.
type posted struct {
	header http.Header
	body   []byte
}

// lossy is a way to a receiver on which every other answer is lost.
type lossy struct {
	t  *testing.T
	to string

	mu  sync.Mutex // covers the following
	all []posted
}

// forward sends a delivery on, and returns the code of the answer.
func (l *lossy) forward(d posted) int {
	req, err := http.NewRequest(http.MethodPost, l.to, bytes.NewReader(d.body))
	must(l.t, err)
	req.Header, req.Close = d.header.Clone(), true
	res, err := http.DefaultClient.Do(req)
	must(l.t, err)
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// ServeHTTP implements http.Handler.
func (l *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d := posted{r.Header.Clone(), body}
	l.mu.Lock()
	l.all = append(l.all, d)
	n := len(l.all)
	l.mu.Unlock()
	code := l.forward(d)
	if code == http.StatusNoContent && n%2 == 1 {
		code = http.StatusInternalServerError // as if the answer were lost
	}
	w.WriteHeader(code)
}

func (l *lossy) last() posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[len(l.all)-1]
}

// TestWebhookElsewhere: a receiver that is made from docs/WEBHOOKS.md alone, in another
// language, gets every change once, though answers are lost on the way; what is replayed late,
// or changed, is refused.
func TestWebhookElsewhere(t *testing.T) {
	p := startPython(t)
	way := &lossy{t: t, to: p.url}
	between := httptest.NewServer(way)
	t.Cleanup(between.Close)

	f := newFeed()
	w, err := NewWebhook(n1, WebhookOptions{URL: between.URL, Secret: secret, Batch: 3, Wait: time.Millisecond, Backoff: time.Millisecond})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx, f); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	testredis.Await(t, "the webhook listens", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.list) > 0
	})
	const n = 20
	for i := range n {
		f.send(online(i))
	}
	testredis.Await(t, "the counts", func() bool { return w.Stats().Changes == n })
	testredis.Await(t, "all changes", func() bool { return len(p.got()) >= n })

	last := way.last()
	for what, tt := range map[string]struct {
		change func(*posted)
		want   int
	}{
		"a replay at once":       {func(*posted) {}, http.StatusNoContent}, // told by its delivery
		"a replay after an hour": {func(q *posted) { q.header.Set("Roost-Signature", Sign(secret, time.Now().Add(-time.Hour), q.body)) }, http.StatusUnauthorized},
		"one of the future":      {func(q *posted) { q.header.Set("Roost-Signature", Sign(secret, time.Now().Add(time.Hour), q.body)) }, http.StatusUnauthorized},
		"another body":           {func(q *posted) { q.body = append(q.body, ' ') }, http.StatusUnauthorized},
		"another secret":         {func(q *posted) { q.header.Set("Roost-Signature", Sign([]byte("another secret"), time.Now(), q.body)) }, http.StatusUnauthorized},
		"no signature":           {func(q *posted) { q.header.Del("Roost-Signature") }, http.StatusUnauthorized},
		"no time":                {func(q *posted) { q.header.Set("Roost-Signature", "v1=00") }, http.StatusUnauthorized},
	} {
		again := posted{last.header.Clone(), bytes.Clone(last.body)}
		tt.change(&again)
		if got := way.forward(again); got != tt.want {
			t.Errorf("%s: %d, want %d", what, got, tt.want)
		}
	}
	got := p.got()
	for i := range n {
		if len(got) != n || got[i] != online(i).JSON() {
			t.Fatalf("change %d of %d: %+v", i, len(got), got)
		}
	}
	if s := w.Stats(); s.Retried == 0 || s.GivenUp+s.Refused > 0 {
		t.Errorf("%+v", s)
	}
}
