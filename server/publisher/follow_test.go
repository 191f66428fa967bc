package publisher

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNewer: a newer activation is taken, also one that goes back to an old version;
// an older one, or another hash at the same activation, is not.
func TestNewer(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	first := p.State().Pointer
	second := c.put(2, c.nodes[:2]...)
	c.activate(5, second)
	eventually(t, "the second version", func() bool { return p.State().Pointer.Stable == 2 })
	for i := range 100 {
		if owner := c.owner(p, string(rune('a'+i))); owner == c.nodes[2] {
			t.Fatal("an owner that is not in the ring")
		}
	}
	c.activate(3, first.StableHash) // an old pointer is replayed
	before := p.Stats().Older
	eventually(t, "refusals", func() bool { return p.Stats().Older > before+3 })
	if s := p.State(); s.Pointer.Activation != 5 || !errors.Is(s.Err, ErrRing) {
		t.Errorf("after an older one: %+v", s)
	}
	c.activate(5, first.StableHash) // the same activation, and another ring
	eventually(t, "conflicts", func() bool { return p.Stats().Disagree > 3 })
	if s := p.State(); s.Pointer.Stable != 2 {
		t.Errorf("after a conflict: %+v", s)
	}
	c.activate(6, first.StableHash) // a rollback
	eventually(t, "the rollback", func() bool {
		return p.State().Pointer == Pointer{Activation: 6, Stable: 1, StableHash: first.StableHash}
	})
	eventually(t, "no error", func() bool { return p.State().Err == nil })
}

// TestCanary: two rings are held, and the second answers for its share.
func TestCanary(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	hash := c.put(2, c.nodes[0])
	c.mu.Lock()
	c.answer.Activation, c.answer.Canary, c.answer.CanaryHash, c.answer.Share = 2, 2, hash, 10_000
	c.mu.Unlock()
	eventually(t, "the canary", func() bool { return p.State().Pointer.Canary == 2 })
	rs, err := p.Publish(limit(t), Message{Device: "d1", Payload: json1(1)}, Message{Device: "d2", Payload: json1(1)}, Message{Device: "d3", Payload: json1(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if r.Node != "n0" {
			t.Errorf("with a canary for all keys that has n0 alone: %+v", r)
		}
	}
}

// TestDamaged: a snapshot that is not what the pointer names is refused, and what was
// in force stays.
func TestDamaged(t *testing.T) {
	c := newCluster(t, 2)
	p := start(t, c)
	hash := c.put(2, c.nodes[0])
	c.mu.Lock()
	good := c.bytes[2]
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	c.bytes[2] = bad
	c.answer.Activation, c.answer.Stable, c.answer.StableHash = 2, 2, hash
	c.mu.Unlock()
	eventually(t, "refusals", func() bool { return p.Stats().Damaged > 2 })
	c.mu.Lock()
	c.bytes[2] = c.bytes[1] // whole, and another one
	c.mu.Unlock()
	before := p.Stats().Damaged
	eventually(t, "more refusals", func() bool { return p.Stats().Damaged > before+2 })
	if s := p.State(); s.Pointer.Stable != 1 || !errors.Is(s.Err, ErrRing) {
		t.Errorf("%+v", s)
	}
	c.mu.Lock()
	c.bytes[2] = good
	c.mu.Unlock()
	eventually(t, "the good one", func() bool { return p.State().Pointer.Stable == 2 })
}

// TestFile: a publisher starts with the last ring while nobody answers about rings;
// what is in the file is not replaced by an older ring; a damaged file is ignored.
func TestFile(t *testing.T) {
	c := newCluster(t, 3)
	file := filepath.Join(t.TempDir(), "ring.json")
	p := start(t, c, func(o *Options) { o.File = file })
	c.activate(7, c.put(2, c.nodes...))
	eventually(t, "the ring", func() bool { return p.State().Pointer.Activation == 7 })
	if err := p.Close(limit(t)); err != nil {
		t.Fatal(err)
	}
	c.silent = true
	p = start(t, c, func(o *Options) { o.File = file })
	if s := p.State(); s.Pointer.Activation != 7 || len(s.Nodes) != 3 || s.Nodes[0].ID != "n0" {
		t.Fatalf("%+v", s)
	}
	rs, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)})
	if err != nil || rs[0].Node != c.owner(p, "d").id {
		t.Errorf("%+v, %v", rs, err)
	}
	_ = p.Close(limit(t))

	c.activate(6, c.answer.StableHash)
	c.silent = false
	p = start0(t, c, file)
	eventually(t, "refusals", func() bool { return p.Stats().Older > 1 })
	if s := p.State(); s.Pointer.Activation != 7 {
		t.Errorf("%+v", s)
	}
	_ = p.Close(limit(t))

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{b[:len(b)/2], []byte("{}"), append(b[:100:100], b[101:]...), nil} {
		if err := os.WriteFile(file, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		if table, err := readFile(file, nil); err == nil || table != nil {
			t.Errorf("%d bytes of %d: %v", len(damage), len(b), table)
		}
	}
	p = start(t, c, func(o *Options) { o.File = file })
	if s := p.State(); s.Pointer.Activation != 6 {
		t.Errorf("beside a damaged file: %+v", s)
	}
	eventually(t, "the file", func() bool { table, err := readFile(file, nil); return err == nil && table != nil })
}

// start0 is start where no answer is taken.
func start0(t *testing.T, c *cluster, file string) *Publisher {
	p, err := New(Options{Nodes: c.apis(), Poll: 20 * time.Millisecond, File: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// TestNoRing: without a ring any node that was named gets messages.
func TestNoRing(t *testing.T) {
	c := newCluster(t, 2)
	c.silent = true
	p := start(t, c)
	if _, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(1)}); err != nil {
		t.Fatal(err)
	}
	c.nodes[0].close()
	for i := range 20 {
		rs, err := p.Publish(limit(t), Message{Device: "d", Payload: json1(i)})
		if err != nil || rs[0].Node != c.nodes[1].srv.URL {
			t.Fatalf("%+v, %v", rs, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := p.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready without a ring: %v", err)
	}
}

// TestHeads: a node that publishes under another hash is counted, and one with a newer
// ring has the source asked at once.
func TestHeads(t *testing.T) {
	c := newCluster(t, 2)
	p := start(t, c, func(o *Options) { o.Poll = time.Hour })
	one := c.ownedBy(p, c.nodes[1])
	publish := func() {
		t.Helper()
		if _, err := p.Publish(limit(t), Message{Device: one, Payload: json1(1)}); err != nil {
			t.Fatal(err)
		}
	}
	c.nodes[1].set(func(n *node) {
		n.head = http.Header{headRing: {"1"}, headHash: {p.State().Pointer.hashes()}}
	})
	publish()
	if n := p.Stats().Disagree; n != 0 {
		t.Errorf("%d disagree that do not", n)
	}
	c.nodes[1].set(func(n *node) { n.head = http.Header{headRing: {"1"}, headHash: {"0123456789abcdef"}} })
	publish()
	if n := p.Stats().Disagree; n != 1 {
		t.Errorf("%d disagree, want 1", n)
	}
	c.activate(2, c.put(2, c.nodes[0]))
	c.nodes[1].set(func(n *node) { n.head = http.Header{headRing: {"2"}} })
	publish()
	eventually(t, "the newer ring", func() bool { return p.State().Pointer.Activation == 2 })
}

// TestMembersGone: a node that is in the ring and has left gets nothing.
func TestMembersGone(t *testing.T) {
	c := newCluster(t, 3)
	p := start(t, c)
	device := c.ownedBy(p, c.nodes[2])
	c.mu.Lock()
	c.answer.Nodes = c.answer.Nodes[:2]
	c.mu.Unlock()
	eventually(t, "two members", func() bool { return len(p.State().Nodes) == 2 })
	rs, err := p.Publish(limit(t), Message{Device: device, Payload: json1(1)})
	if err != nil || rs[0].Node == "n2" || rs[0].Tried != 1 {
		t.Errorf("%+v, %v", rs, err)
	}
}

// TestCompare: which of two pointers is newer.
func TestCompare(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	have := Pointer{Activation: 10, History: "a", At: at, Stable: 3, StableHash: 7}
	for _, row := range []struct {
		name   string
		change func(p *Pointer)
		want   verdict
	}{
		{"the same", func(p *Pointer) { p.At = at.UTC() }, same},
		{"next", func(p *Pointer) { p.Activation = 11 }, newer},
		{"next, of a clock that is behind", func(p *Pointer) { p.Activation, p.At = 11, at.Add(-time.Hour) }, newer},
		{"before", func(p *Pointer) { p.Activation, p.At = 9, at.Add(time.Hour) }, older},
		{"another ring", func(p *Pointer) { p.StableHash = 8 }, conflict},
		{"a canary", func(p *Pointer) { p.Canary, p.Share = 4, 1 }, conflict},
		{"etcd begun anew", func(p *Pointer) { p.Activation, p.History, p.At = 2, "b", at.Add(time.Second) }, newer},
		{"of the etcd before", func(p *Pointer) { p.Activation, p.History, p.At = 20, "b", at.Add(-time.Second) }, older},
		{"at the same time", func(p *Pointer) { p.Activation, p.History = 20, "b" }, older},
		{"history not known", func(p *Pointer) { p.Activation, p.History = 9, "" }, older},
		{"history not known, next", func(p *Pointer) { p.Activation, p.History = 11, "" }, newer},
	} {
		p := have
		if row.change(&p); p.compare(&have) != row.want {
			t.Errorf("%s: %d, want %d", row.name, p.compare(&have), row.want)
		}
	}
}

// TestPointerCheck: pointers that cannot be.
func TestPointerCheck(t *testing.T) {
	good := Pointer{Activation: 1, Stable: 1, StableHash: 1}
	for name, change := range map[string]func(p *Pointer){
		"no activation":    func(p *Pointer) { p.Activation = 0 },
		"no stable":        func(p *Pointer) { p.Stable = 0 },
		"canary is stable": func(p *Pointer) { p.Canary, p.Share = 1, 1 },
		"share, no canary": func(p *Pointer) { p.Share = 1 },
		"canary, no share": func(p *Pointer) { p.Canary = 2 },
		"share too large":  func(p *Pointer) { p.Canary, p.Share = 2, 10_001 },
	} {
		p := good
		if change(&p); !errors.Is(p.check(), ErrRing) {
			t.Errorf("%s: %v", name, p.check())
		}
	}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}

// TestSourceBounds: an answer that is too large, or no JSON, is an error.
func TestSourceBounds(t *testing.T) {
	c := newCluster(t, 1)
	c.nodes[0].set(func(n *node) {
		n.ring = func(a *Answer) { a.Nodes = make([]Node, maxNodes+1) }
	})
	p, err := New(Options{Nodes: c.apis(), Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(context.Background()) }()
	eventually(t, "a refusal", func() bool { return has(p.State().Err, "10001 nodes") })
}
