package presence

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// WebhookOptions say where changes are posted. A zero field means its default.
type WebhookOptions struct {
	// URL is http or https. Required.
	URL string
	// Secret signs every delivery; 16 bytes or more. Required.
	Secret []byte
	// Queue is how many changes wait at most; default 16,384. Further ones are left
	// out and counted; the next delivery that is taken says how many, and how many were
	// in those that were refused or given up.
	Queue int
	// Batch is how many changes are in one delivery at most; default 100. Wait is how
	// long the first of them waits for others; default 200 ms.
	Batch int
	Wait  time.Duration
	// Deadline of one attempt, the answer included; default 5 s.
	Deadline time.Duration
	// Attempts is how often a delivery is tried; default 6. Between them is a random
	// time up to Backoff, doubled each time up to MaxBackoff; defaults 500 ms, 30 s.
	Attempts            int
	Backoff, MaxBackoff time.Duration
	// Kinds are the changes wanted; default all.
	Kinds []Kind
	// Transport is for tests and proxies; default one of its own.
	Transport http.RoundTripper
}

// Webhook posts the changes of a feed to one address, in order, one delivery at a
// time. A slow or dead receiver holds up nothing but its own queue.
//
//	POST <URL>
//	Content-Type: application/json
//	Roost-Delivery: 16 random bytes in hex, the same at every attempt
//	Roost-Signature: t=<Unix seconds>,v1=<hex of HMAC-SHA256(secret, "<t>." + body)>
//
//	{"node":"n1:17","missed":0,"changes":[{"kind":"online","device":"d1",...},...]}
//
// Any 2xx answer takes the delivery. 408, 425, 429, 5xx and no answer are tried
// again, after Retry-After if the answer has it (at most MaxBackoff); any other
// answer, redirects included, is final. A receiver sees a delivery twice if its
// answer was lost: it tells by Roost-Delivery.
type Webhook struct {
	// Static after NewWebhook.
	o      WebhookOptions
	node   string
	wanted map[Kind]bool
	client *http.Client
	own    *http.Transport // to be closed; nil: somebody else's

	stats webhookCounts
}

// webhookCounts are atomic.
type webhookCounts struct {
	delivered, changes, retried, refused, given, missed atomic.Uint64
}

// WebhookStats are counts since NewWebhook.
type WebhookStats struct {
	Delivered uint64 // deliveries taken
	Changes   uint64 // changes in those
	Retried   uint64 // attempts after the first
	Refused   uint64 // deliveries that the receiver refused for good
	GivenUp   uint64 // deliveries that failed at every attempt
	Missed    uint64 // changes that did not fit into the queue
}

// NewWebhook returns a webhook of a node's changes.
func NewWebhook(node Owner, o WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("presence: the webhook's URL has to be http:// or https:// with a host") // it may hold a password: not shown
	}
	if len(o.Secret) < 16 {
		return nil, fmt.Errorf("presence: the webhook's secret has %d bytes, want 16 or more", len(o.Secret))
	}
	set(&o.Queue, 1<<14)
	set(&o.Batch, 100)
	set(&o.Wait, 200*time.Millisecond)
	set(&o.Deadline, 5*time.Second)
	set(&o.Attempts, 6)
	set(&o.Backoff, 500*time.Millisecond)
	set(&o.MaxBackoff, 30*time.Second)
	if o.Queue < 0 || o.Batch < 0 || o.Wait < 0 || o.Deadline < 0 || o.Attempts < 0 || o.Backoff < 0 || o.MaxBackoff < 0 {
		return nil, errors.New("presence: a number in WebhookOptions is negative")
	}
	w := &Webhook{o: o, node: node.String()}
	if len(o.Kinds) > 0 {
		w.wanted = map[Kind]bool{}
		for _, kind := range o.Kinds {
			w.wanted[kind] = true
		}
	}
	transport := o.Transport
	if transport == nil {
		w.own = &http.Transport{Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: o.Deadline, ResponseHeaderTimeout: o.Deadline}
		transport = w.own
	}
	w.client = &http.Client{Transport: transport, Timeout: o.Deadline,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w, nil
}

// Stats returns counts.
func (w *Webhook) Stats() WebhookStats {
	n := &w.stats
	return WebhookStats{Delivered: n.delivered.Load(), Changes: n.changes.Load(), Retried: n.retried.Load(),
		Refused: n.refused.Load(), GivenUp: n.given.Load(), Missed: n.missed.Load()}
}

// Run posts the changes of f until ctx is over. What waits then is lost.
func (w *Webhook) Run(ctx context.Context, f *Feed) {
	l := f.Listen(w.o.Queue)
	defer l.Close()
	if w.own != nil {
		defer w.own.CloseIdleConnections()
	}
	missed := uint64(0)
	for {
		batch := w.collect(ctx, l)
		if ctx.Err() != nil {
			return
		}
		n := l.Missed()
		w.stats.missed.Add(n)
		missed += n
		switch {
		case len(batch) == 0:
		case w.deliver(ctx, batch, missed):
			missed = 0
		default:
			missed += uint64(len(batch)) // the receiver has not taken them, or not said so
		}
	}
}

// collect waits for a change and then, up to Wait, for others.
func (w *Webhook) collect(ctx context.Context, l *Listener) (batch []Change) {
	add := func(c Change) {
		if w.wanted == nil || w.wanted[c.Kind] {
			batch = append(batch, c)
		}
	}
	for len(batch) == 0 {
		select {
		case c := <-l.C:
			add(c)
		case <-ctx.Done():
			return nil
		}
	}
	t := time.NewTimer(w.o.Wait)
	defer t.Stop()
	for len(batch) < w.o.Batch {
		select {
		case c := <-l.C:
			add(c)
		case <-t.C:
			return batch
		case <-ctx.Done():
			return nil
		}
	}
	return batch
}

// delivery is the body of a delivery.
type delivery struct {
	Node    string       `json:"node"`
	Missed  uint64       `json:"missed"` // left out before these, or not taken
	Changes []ChangeJSON `json:"changes"`
}

// ChangeJSON is a change as receivers of webhooks and event streams see it.
type ChangeJSON struct {
	Kind    string `json:"kind"`
	Device  string `json:"device,omitempty"`
	Node    string `json:"node"`
	Fence   uint32 `json:"fence,omitempty"`
	At      int64  `json:"at"` // Unix milliseconds
	Reason  string `json:"reason,omitempty"`
	Devices int    `json:"devices,omitempty"`
	Back    int    `json:"back,omitempty"`
	Lost    int    `json:"lost,omitempty"`
	Singles int    `json:"singles,omitempty"`
}

// JSON returns the change as it is sent.
func (c Change) JSON() ChangeJSON {
	return ChangeJSON{Kind: c.Kind.String(), Device: c.Device, Node: c.Node.String(), Fence: c.Fence, At: c.At,
		Reason: c.Reason.String(), Devices: c.Devices, Back: c.Back, Lost: c.Lost, Singles: c.Singles}
}

// deliver tries to deliver a batch, and reports whether it was taken.
func (w *Webhook) deliver(ctx context.Context, batch []Change, missed uint64) bool {
	d := delivery{Node: w.node, Missed: missed, Changes: make([]ChangeJSON, len(batch))}
	for i, c := range batch {
		d.Changes[i] = c.JSON()
	}
	body, err := json.Marshal(d)
	if err != nil {
		panic("BUG: presence: changes cannot be written: " + err.Error())
	}
	var id [16]byte
	rand.Read(id[:])
	for try := range w.o.Attempts {
		if try > 0 {
			w.stats.retried.Add(1)
		}
		taken, final, after := w.attempt(ctx, hex.EncodeToString(id[:]), body)
		switch {
		case taken:
			w.stats.delivered.Add(1)
			w.stats.changes.Add(uint64(len(batch)))
			return true
		case final:
			w.stats.refused.Add(1)
			return false
		case try < w.o.Attempts-1:
			pause(ctx, w.backoff(try, after))
		}
		if ctx.Err() != nil {
			return false
		}
	}
	w.stats.given.Add(1)
	return false
}

// backoff is the time until the next attempt.
func (w *Webhook) backoff(try int, after time.Duration) time.Duration {
	if after > 0 {
		return min(after, w.o.MaxBackoff)
	}
	most := w.o.MaxBackoff
	if try < 30 {
		most = min(w.o.Backoff<<try, w.o.MaxBackoff)
	}
	return mrand.N(max(most, 1)) + 1
}

// attempt posts a delivery once.
func (w *Webhook) attempt(ctx context.Context, id string, body []byte) (taken, final bool, after time.Duration) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(body))
	if err != nil {
		return false, true, 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "roost-webhook/1")
	req.Header.Set("Roost-Delivery", id)
	req.Header.Set("Roost-Signature", Sign(w.o.Secret, time.Now(), body))
	res, err := w.client.Do(req)
	if err != nil {
		return false, false, 0
	}
	// The connection is used again only if the answer was read; what is longer than
	// this costs the connection.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
	switch code := res.StatusCode; {
	case code/100 == 2:
		return true, false, 0
	case code == 408 || code == 425 || code == 429 || code >= 500:
		seconds, err := strconv.Atoi(strings.TrimSpace(res.Header.Get("Retry-After")))
		if err == nil && seconds > 0 && seconds < 1<<20 {
			after = time.Duration(seconds) * time.Second
		}
		return false, false, after
	}
	return false, true, 0
}

// Sign returns the Roost-Signature of a body at a time.
func Sign(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret []byte, t string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(t))
	h.Write([]byte("."))
	h.Write(body)
	return h.Sum(nil)
}

// ErrSignature: a delivery is not signed with the secret, or not lately.
var ErrSignature = errors.New("presence: the signature of the delivery is wrong or too old")

// Verify checks a Roost-Signature as a receiver does: tolerance is how far the two
// clocks, and a delivery on its way, may be apart; 5 minutes are usual.
func Verify(secret []byte, signature string, body []byte, now time.Time, tolerance time.Duration) error {
	t, v1, ok := strings.Cut(signature, ",v1=")
	t, timed := strings.CutPrefix(t, "t=")
	at, err := strconv.ParseInt(t, 10, 64)
	got, bad := hex.DecodeString(v1)
	if !ok || !timed || err != nil || bad != nil || !hmac.Equal(got, mac(secret, t, body)) {
		return ErrSignature
	}
	if d := now.Sub(time.Unix(at, 0)); d > tolerance || d < -tolerance {
		return ErrSignature
	}
	return nil
}
