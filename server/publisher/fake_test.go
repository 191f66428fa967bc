package publisher

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/ring"
	"roost/ring/snapshot"
)

const bound = 30 * time.Second

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// cluster is what its nodes share: the ring, and the store that says what is a
// repeat.
type cluster struct {
	t     testing.TB
	nodes []*node

	mu      sync.Mutex
	answer  Answer
	bytes   map[uint64][]byte
	silent  bool // /v1/ring answers 503
	stored  map[string]int
	kept    map[string]uint64 // device + id -> seq
	seqs    map[string]uint64
	arrived []line // in the order in which they were stored
}

// line is one that a node took.
type line struct {
	Device  string          `json:"device"`
	Devices []string        `json:"devices"`
	Topic   string          `json:"topic"`
	All     bool            `json:"all"`
	Class   string          `json:"class"`
	ID      string          `json:"id"`
	TTL     int             `json:"ttl"`
	Wait    float64         `json:"wait"`
	Payload json.RawMessage `json:"payload"`
	Bytes   []byte          `json:"payload_base64"`

	node  string
	batch int
}

// node is one with a behaviour.
type node struct {
	c   *cluster
	id  string
	srv *httptest.Server

	mu        sync.Mutex
	before    func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	after     func(w http.ResponseWriter, r *http.Request) bool // behind the store
	ring      func(a *Answer)                                   // changes what it says of the ring
	requests  int
	published int
	head      http.Header
}

// newCluster starts nodes n0, n1, ... with a ring of them as version 1.
func newCluster(t testing.TB, count int) *cluster {
	c := &cluster{t: t, bytes: map[uint64][]byte{}, stored: map[string]int{}, kept: map[string]uint64{}, seqs: map[string]uint64{}}
	for i := range count {
		n := &node{c: c, id: fmt.Sprint("n", i), head: http.Header{}}
		n.srv = httptest.NewServer(n)
		t.Cleanup(n.close)
		c.nodes = append(c.nodes, n)
	}
	c.activate(1, c.put(1, c.nodes...))
	return c
}

func (n *node) close() {
	n.srv.CloseClientConnections()
	n.srv.Close()
}

func (c *cluster) apis() (list []string) {
	for _, n := range c.nodes {
		list = append(list, n.srv.URL)
	}
	return list
}

// put stores a version with a weight of 1 for each node.
func (c *cluster) put(version uint64, nodes ...*node) Hash {
	var list []ring.Node
	for _, n := range nodes {
		list = append(list, ring.Node{ID: n.id, Weight: 1})
	}
	r, err := ring.Build(version, list, ring.Options{TableBits: 10})
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := snapshot.Of(r).Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes[version] = b
	return Hash(snapshot.ContentHash(b))
}

// activate puts a version in force.
func (c *cluster) activate(activation int64, hash Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for version, b := range c.bytes {
		if Hash(snapshot.ContentHash(b)) == hash {
			c.answer = Answer{Pointer: Pointer{Activation: activation, Stable: version, StableHash: hash}}
		}
	}
	for _, n := range c.nodes {
		c.answer.Nodes = append(c.answer.Nodes, Node{ID: n.id, API: n.srv.URL, Zone: "a", Weight: 100})
	}
}

// set changes a node's behaviour.
func (n *node) set(f func(n *node)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.published
}

// ServeHTTP is a node's API.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.requests++
	change, before, after := n.ring, n.before, n.after
	for k, v := range n.head {
		w.Header()[k] = v
	}
	n.mu.Unlock()
	switch r.URL.Path {
	case "/healthz":
		if before != nil && r.Header.Get("Content-Type") == "" && before(w, r) {
			return
		}
	case "/v1/ring":
		n.c.serveRing(w, r, n.id, change)
	case "/v1/publish":
		if before != nil && before(w, r) {
			return
		}
		n.c.serveStore(w, r, n, after)
	default:
		http.NotFound(w, r)
	}
}

func (c *cluster) serveRing(w http.ResponseWriter, r *http.Request, id string, change func(*Answer)) {
	c.mu.Lock()
	a, silent := c.answer, c.silent
	a.Nodes = slices.Clone(a.Nodes)
	b := c.bytes[atoi(r.FormValue("version"))]
	c.mu.Unlock()
	switch {
	case silent:
		http.Error(w, "no ring", http.StatusServiceUnavailable)
	case r.FormValue("version") != "":
		if b == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	default:
		a.Node = id
		if change != nil {
			change(&a)
		}
		text, _ := json.Marshal(&a)
		tag := strconv.Quote(fmt.Sprintf("%x", ring.HashBytes(text)))
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		_, _ = w.Write(text)
	}
}

func atoi(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// serveStore stores the lines of a publish and answers.
func (c *cluster) serveStore(w http.ResponseWriter, r *http.Request, n *node, after func(http.ResponseWriter, *http.Request) bool) {
	n.mu.Lock()
	n.published++
	batch := n.published
	n.mu.Unlock()
	var out []Result
	in := bufio.NewScanner(r.Body)
	in.Buffer(nil, 1<<20)
	c.mu.Lock()
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			c.t.Errorf("line %q: %v", in.Text(), err)
		}
		l.node, l.batch = n.id, batch
		out = append(out, c.storeLocked(l)...)
	}
	c.mu.Unlock()
	if after != nil && after(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"results": out})
}

func (c *cluster) storeLocked(l line) (out []Result) {
	c.arrived = append(c.arrived, l)
	if l.Topic != "" || l.All {
		return []Result{{Topic: l.Topic, All: l.All, Status: "written", Receivers: 1}}
	}
	devices := l.Devices
	if l.Device != "" {
		devices = []string{l.Device}
	}
	for _, d := range devices {
		key := d + " " + l.ID
		seq, again := c.kept[key]
		if !again || l.ID == "" {
			c.seqs[d]++
			seq = c.seqs[d]
			c.kept[key] = seq
			c.stored[d]++
		}
		out = append(out, Result{Device: d, Status: "written", Seq: seq, Duplicate: again && l.ID != ""})
	}
	return out
}

// count returns how many messages to a device were stored, repeats left out.
func (c *cluster) count(device string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stored[device]
}

// took returns the lines that were stored, in order.
func (c *cluster) took() []line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.arrived)
}

// start returns a publisher that knows the ring, and ends with the test.
func start(t testing.TB, c *cluster, change ...func(*Options)) *Publisher {
	t.Helper()
	o := Options{Nodes: c.apis(), Poll: 20 * time.Millisecond, Connect: 500 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
	if !c.silent {
		if err := p.Ready(limit(t)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// owner returns the node that the ring in force gives a device.
func (c *cluster) owner(p *Publisher, device string) *node {
	id, _, _ := p.Owner(device)
	for _, n := range c.nodes {
		if n.id == id {
			return n
		}
	}
	c.t.Fatalf("no owner of %s", device)
	return nil
}

// ownedBy returns a device that a node owns.
func (c *cluster) ownedBy(p *Publisher, n *node) string {
	for i := 0; ; i++ {
		if d := fmt.Sprint("d", i); c.owner(p, d) == n {
			return d
		}
	}
}

func json1(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

// unavailable answers 503.
func unavailable(after string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/publish" {
			return false
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"title":"Store unavailable","status":503,"detail":"redis is away"}`))
		return true
	}
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}

// hang holds a request until its client is gone.
func hang(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = bufio.NewReader(r.Body).ReadString(0) // so that the server sees the connection end
	<-r.Context().Done()
	return true
}

func has(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
