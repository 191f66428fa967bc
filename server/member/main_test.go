package member

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/server/cluster"
	"roost/server/testetcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a state may take to come about.
const bound = 30 * time.Second

var desk = cluster.Identity{ID: "desk", Environment: "test"}

// fast are times of a watcher for tests.
var fast = cluster.WatchOptions{Silence: 1500 * time.Millisecond, Window: 2 * time.Second, Look: 300 * time.Millisecond}

// soon has the planner wait for nobody, and put all in force at once.
var soon = cluster.PlanSettings{Quiet: 100 * time.Millisecond, Most: 500 * time.Millisecond, RemoveQuiet: 50 * time.Millisecond,
	MostGone: 3 * time.Second, WeightsEvery: 100 * time.Millisecond, AfterRollback: time.Second, Share: 10_000}

// logged is a log that a test can read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// fake is the server of a member.
type fake struct {
	devices  atomic.Int64
	accepted atomic.Uint64
	cpu      atomic.Int64

	mu   sync.Mutex
	over []time.Duration // of each Evacuate; -1 is a Stay
}

func (f *fake) hooks() Hooks {
	return Hooks{
		Load: func() Load {
			return Load{Devices: int(f.devices.Load()), Accepted: f.accepted.Load(), CPU: time.Duration(f.cpu.Load()), Latency: -1, Backlog: -1, LoopLag: -1}
		},
		Evacuate: func(over time.Duration) { f.note(over) },
		Stay:     func() { f.note(-1) },
		Redis:    func() bool { return true },
	}
}

func (f *fake) note(over time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = append(f.over, over)
}

func (f *fake) noted() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.over)
}

// rig is a node with a fake server.
type rig struct {
	*Node
	fake   *fake
	log    *logged
	closed bool
}

func (r *rig) close(t testing.TB) {
	t.Helper()
	if r.closed {
		return
	}
	r.closed = true
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// dialed returns a node that looks on; it ends with the test.
func dialed(t testing.TB, s *testetcd.Server, id string, change ...func(*Options)) (*rig, error) {
	t.Helper()
	l := &logged{}
	o := Options{Endpoints: s.Endpoints(), Cluster: desk, ID: id, Timeout: 2 * time.Second, TTL: 2 * time.Second, Watch: fast, Log: slog.New(slog.NewTextHandler(l, nil))}
	for _, f := range change {
		f(&o)
	}
	n, err := Dial(limit(t), o)
	if err != nil {
		return nil, err
	}
	r := &rig{Node: n, fake: &fake{}, log: l}
	t.Cleanup(func() {
		r.close(t)
		if t.Failed() {
			t.Logf("%s says:\n%s", id, l)
		}
	})
	return r, nil
}

// join is what a node of a test joins as.
func (r *rig) join() Join {
	return Join{Member: cluster.Member{Addr: "ws://127.0.0.1:1/" + r.o.ID, API: "http://127.0.0.1:2/" + r.o.ID, Zone: "a", Capacity: 10_000}, Hooks: r.fake.hooks(), Plan: soon, Cores: 2}
}

// joins returns a node that has joined.
func joins(t testing.TB, s *testetcd.Server, id string, change ...func(*Options)) *rig {
	t.Helper()
	r, err := dialed(t, s, id, change...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Join(limit(t), r.join()); err != nil {
		t.Fatal(err)
	}
	return r
}

// sees waits for a view.
func (r *rig) sees(t testing.TB, what string, ok func(*cluster.View) bool) *cluster.View {
	t.Helper()
	v, err := r.watcher.Wait(limit(t), ok)
	if err != nil {
		t.Fatalf("%s: %v; the view is %+v", what, err, r.watcher.View())
	}
	return v
}

// holds waits until a node has a ring of these owners.
func (r *rig) holds(t testing.TB, ids ...string) *cluster.Active {
	t.Helper()
	a, err := r.router.Wait(limit(t), func(a *cluster.Active) bool {
		for _, id := range ids {
			if !owns(a, id) {
				return false
			}
		}
		n := 0
		for _, x := range a.Routes.Stable().Nodes() {
			if x.Weight > 0 {
				n++
			}
		}
		return n == len(ids)
	})
	if err != nil {
		t.Fatalf("no ring of %v: %v; it is %+v", ids, err, r.router.Load().Routes.Stable().Nodes())
	}
	return a
}

// limit returns a context that ends after bound.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// gateway asks etcd past every client, by its JSON gateway.
func gateway(t testing.TB, s *testetcd.Server, path string, ask map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Post("http://"+s.Addr()+"/v3/"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("etcd: %s: %s %v: %v", path, resp.Status, answer, err)
	}
	return answer
}

func put(t testing.TB, s *testetcd.Server, key, value string) {
	t.Helper()
	gateway(t, s, "kv/put", map[string]any{"key": b64(key), "value": b64(value)})
}

func remove(t testing.TB, s *testetcd.Server, key string) {
	t.Helper()
	gateway(t, s, "kv/deleterange", map[string]any{"key": b64(key)})
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
