package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"roost/server/testredis"
)

var secret = []byte("sixteen bytes and more")

// receiver is the other end of a webhook: it checks signatures and answers as told.
type receiver struct {
	t   *testing.T
	srv *httptest.Server

	mu      sync.Mutex
	answer  func(n int, w http.ResponseWriter) // of the n-th request
	ids     []string
	changes []ChangeJSON // of those answered with 2xx
	missed  uint64
	largest int
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter)) *receiver {
	r := &receiver{t: t, answer: answer}
	r.srv = httptest.NewServer(r)
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the test is over
	}
	if err := Verify(secret, req.Header.Get("Roost-Signature"), body, time.Now(), 5*time.Minute); err != nil {
		r.t.Errorf("%v: %q", err, req.Header.Get("Roost-Signature"))
	}
	if err := Verify([]byte("another secret of it"), req.Header.Get("Roost-Signature"), body, time.Now(), 5*time.Minute); err == nil {
		r.t.Error("any secret will do")
	}
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil || d.Node != "n1:11" || len(d.Changes) == 0 {
		r.t.Errorf("the body is %s (%v)", body, err)
	}
	r.mu.Lock()
	n := len(r.ids)
	r.ids = append(r.ids, req.Header.Get("Roost-Delivery"))
	r.largest = max(r.largest, len(d.Changes))
	answer := r.answer
	r.mu.Unlock()
	rec := httptest.NewRecorder()
	if answer != nil {
		answer(n, rec)
	}
	if rec.Code/100 == 2 {
		r.mu.Lock()
		r.changes = append(r.changes, d.Changes...)
		r.missed += d.Missed
		r.mu.Unlock()
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
}

func (r *receiver) got() (changes []ChangeJSON, ids []string, missed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(changes, r.changes...), append(ids, r.ids...), r.missed
}

// post runs a webhook to r for the time of the test.
func (r *receiver) post(f *Feed, o WebhookOptions) *Webhook {
	r.t.Helper()
	o.URL, o.Secret = r.srv.URL, secret
	set(&o.Backoff, time.Millisecond)
	set(&o.Wait, 5*time.Millisecond)
	w, err := NewWebhook(n1, o)
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx, f); close(done) }()
	r.t.Cleanup(func() { cancel(); <-done })
	testredis.Await(r.t, "the webhook listens", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.list) > 0
	})
	return w
}

func online(i int) Change {
	return Change{Kind: DeviceOnline, Device: fmt.Sprint("d", i), Node: n1, Fence: uint32(i + 1), At: 1000}
}

// TestWebhookDelivers: everything arrives once, in order, in batches, signed, however
// often the receiver fails in between.
func TestWebhookDelivers(t *testing.T) {
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		switch {
		case n%3 == 1:
			w.WriteHeader(500)
		case n%5 == 2:
			w.WriteHeader(429)
		}
	})
	f := newFeed()
	w := r.post(f, WebhookOptions{Batch: 7})
	const n = 200
	for i := range n {
		f.send(online(i))
	}
	testredis.Await(t, "all changes", func() bool { c, _, _ := r.got(); return len(c) >= n })
	got, ids, missed := r.got()
	for i, c := range got {
		if want := online(i).JSON(); c != want {
			t.Fatalf("change %d is %+v, want %+v", i, c, want)
		}
	}
	testredis.Await(t, "the counts", func() bool { return w.Stats().Changes == n })
	s := w.Stats()
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	if missed != 0 || r.largest > 7 || uint64(len(distinct)) != s.Delivered || uint64(len(ids)) != s.Delivered+s.Retried || s.Retried == 0 {
		t.Errorf("%d requests of %d deliveries, largest %d, missed %d; stats %+v", len(ids), len(distinct), r.largest, missed, s)
	}
}

// TestWebhookFinal: what the receiver does not want it is not asked again.
func TestWebhookFinal(t *testing.T) {
	for _, code := range []int{400, 401, 404, 410, 302} {
		r := newReceiver(t, func(n int, w http.ResponseWriter) {
			w.Header().Set("Location", "/elsewhere")
			if n == 0 {
				w.WriteHeader(code)
			}
		})
		f := newFeed()
		w := r.post(f, WebhookOptions{})
		f.send(online(0))
		testredis.Await(t, "the refusal", func() bool { return w.Stats().Refused == 1 })
		f.send(online(1))
		testredis.Await(t, "the next", func() bool { return w.Stats().Delivered == 1 })
		if got, ids, missed := r.got(); len(ids) != 2 || len(got) != 1 || got[0].Device != "d1" || missed != 1 {
			t.Errorf("%d: %d requests, changes %+v, %d missed, want the one that was refused", code, len(ids), got, missed)
		}
	}
}

// TestWebhookGivesUp: a receiver that always fails is tried Attempts times.
func TestWebhookGivesUp(t *testing.T) {
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(503)
		}
	})
	f := newFeed()
	w := r.post(f, WebhookOptions{Attempts: 3})
	f.send(online(0))
	testredis.Await(t, "the end of the attempts", func() bool { return w.Stats().GivenUp == 1 })
	f.send(online(1))
	testredis.Await(t, "the next", func() bool { return w.Stats().Delivered == 1 })
	_, ids, missed := r.got()
	if missed != 1 {
		t.Errorf("%d missed, want the one that was given up", missed)
	}
	if len(ids) != 4 || ids[0] != ids[1] || ids[1] != ids[2] || ids[2] == ids[3] {
		t.Errorf("deliveries are %v, want one three times and another", ids)
	}
}

// TestWebhookSlow: a receiver that hangs holds up nobody; what does not fit is counted
// and told.
func TestWebhookSlow(t *testing.T) {
	release := make(chan struct{})
	r := newReceiver(t, func(int, http.ResponseWriter) { <-release })
	f := newFeed()
	w := r.post(f, WebhookOptions{Queue: 50, Batch: 10, Deadline: 10 * time.Second})
	f.send(online(0))
	testredis.Await(t, "the first request", func() bool { _, ids, _ := r.got(); return len(ids) == 1 })
	const n = 1000
	for i := range n {
		f.send(online(i + 1)) // returns at once, or the test does not end
	}
	close(release)
	testredis.Await(t, "what fitted", func() bool { c, _, m := r.got(); return uint64(len(c))+m == n+1 })
	c, _, missed := r.got()
	if len(c) > 1+50+10 || missed < n-60 || w.Stats().Missed != missed {
		t.Errorf("%d changes arrived, %d were missed; stats %+v", len(c), missed, w.Stats())
	}
}

// TestWebhookDead: nobody is there.
func TestWebhookDead(t *testing.T) {
	r := newReceiver(t, nil)
	url := r.srv.URL
	r.srv.Close()
	w, err := NewWebhook(n1, WebhookOptions{URL: url, Secret: secret, Attempts: 2, Backoff: time.Millisecond, Wait: time.Millisecond})
	must(t, err)
	f := newFeed()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx, f); close(done) }()
	testredis.Await(t, "it gives up", func() bool { f.send(online(0)); return w.Stats().GivenUp > 1 })
	cancel()
	<-done
}

func TestWebhookBackoff(t *testing.T) {
	w, err := NewWebhook(n1, WebhookOptions{URL: "http://127.0.0.1:1/", Secret: secret})
	must(t, err)
	for try := range 70 {
		most := min(500*time.Millisecond<<min(try, 20), 30*time.Second)
		for range 50 {
			if d := w.backoff(try, 0); d <= 0 || d > most+1 {
				t.Fatalf("after attempt %d it waits %v, want up to %v", try, d, most)
			}
		}
	}
	if d := w.backoff(0, 7*time.Second); d != 7*time.Second {
		t.Errorf("Retry-After 7 s: %v", d)
	}
	if d := w.backoff(0, time.Hour); d != 30*time.Second {
		t.Errorf("Retry-After 1 h: %v, want 30 s", d)
	}
}

func TestWebhookOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]WebhookOptions{
		"no url":       {Secret: secret},
		"ftp":          {URL: "ftp://x/", Secret: secret},
		"no host":      {URL: "http:///x", Secret: secret},
		"short secret": {URL: "http://x/", Secret: secret[:15]},
		"negative":     {URL: "http://x/", Secret: secret, Batch: -1},
	} {
		if _, err := NewWebhook(n1, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSignature(t *testing.T) {
	now, body := time.Unix(1_800_000_000, 0), []byte(`{"a":1}`)
	// openssl: printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac 'sixteen bytes and more'
	sig := Sign(secret, now, body)
	for name, c := range map[string]struct {
		sig  string
		body string
		now  time.Time
		good bool
	}{
		"good":            {sig, string(body), now, true},
		"a bit later":     {sig, string(body), now.Add(5 * time.Minute), true},
		"too late":        {sig, string(body), now.Add(5*time.Minute + time.Second), false},
		"too early":       {sig, string(body), now.Add(-6 * time.Minute), false},
		"another body":    {sig, `{"a":2}`, now, false},
		"another time":    {"t=1800000001" + sig[12:], string(body), now, false},
		"no time":         {sig[13:], string(body), now, false},
		"cut":             {sig[:len(sig)-2], string(body), now, false},
		"empty":           {"", string(body), now, false},
		"nothing of both": {"t=,v1=", string(body), now, false},
	} {
		if err := Verify(secret, c.sig, []byte(c.body), c.now, 5*time.Minute); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
