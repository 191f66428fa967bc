package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"roost/bench/chaos/ledger"
	"roost/server"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// TestFleet: devices of a real node, published to while each loses its connection
// once: all is accepted, all is handled, and each gap is seen.
func TestFleet(t *testing.T) {
	node, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Loops: 1, Node: "n1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	const devices = 20
	start := time.Now()
	b := NewBalancer(start, []string{node.Addr().String()})
	defer b.Close()
	l := ledger.New(devices)
	f := New(Options{Devices: devices, Prefix: "dev", Balancer: b, Ledger: l, Start: start})
	if err := f.Start(t.Context(), 0, devices, 1000); err != nil {
		t.Fatal(err)
	}
	defer f.Stop(0, devices)
	await(t, "all are connected", func() bool { return f.Connected() == devices })

	api := "http://" + node.APIAddr().String()
	p := Publish(PublisherOptions{APIs: []string{api}, Rate: 500, Batch: 3, Devices: devices, Name: f.Name, Ledger: l, Start: start})
	for d := range devices {
		req, _ := http.NewRequest(http.MethodDelete, api+"/v1/devices/"+f.Name(d)+"/connection", nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
	}
	all := make([]int, devices)
	for i := range all {
		all[i] = i
	}
	p.Once(all)
	await(t, "each was welcomed again", func() bool {
		for _, at := range f.Where() {
			if at.Welcomes < 2 || !at.Connected || at.Node != "n1" {
				return false
			}
		}
		return true
	})
	p.Stop(patience)
	http.DefaultClient.CloseIdleConnections()
	await(t, "all is handled", func() bool {
		unhandled, unanswered := l.Open()
		return unhandled+unanswered == 0
	})
	a := l.Account()
	if faults := a.Faults(false); len(faults) > 0 || a.Handled < devices || a.Repeats > 0 {
		t.Errorf("%q, %+v; %v", faults, a, p.Reasons())
	}
	now := time.Since(start)
	if gaps := f.Gaps(0, now); len(gaps) != devices || gaps[0].Node != "n1" || gaps[0].Then != "n1" || gaps[0].To <= gaps[0].From {
		t.Errorf("%d gaps: %+v", len(gaps), gaps)
	}
	if r := b.Dials(0, now); r.Dials != 2*devices || r.Refused != 0 || r.Peak > r.Dials || r.Peak < 1 {
		t.Errorf("%+v", r)
	}
	f.Stop(0, devices/2)
	if f.Connected() != devices/2 || len(f.Gaps(now, time.Since(start))) != 0 {
		t.Errorf("half were stopped, %d are connected, gaps %v", f.Connected(), f.Gaps(now, time.Since(start)))
	}
}

// TestBalancer: a node that takes no connections is passed over, and so is one that
// is not healthy; an address that is not Home is dialed as it is.
func TestBalancer(t *testing.T) {
	var addrs []string
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" {
				w.WriteHeader(status)
			}
		})}
		go s.Serve(ln)
		t.Cleanup(func() { s.Close() })
		addrs = append(addrs, ln.Addr().String())
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	b := NewBalancer(time.Now(), append(addrs, dead.Addr().String()))
	defer b.Close()
	await(t, "two are down", func() bool { return !b.nodes[0].down.Load() && b.nodes[1].down.Load() && b.nodes[2].down.Load() })
	for i := range 20 {
		b.nodes[2].down.Store(i%2 == 0) // before it is noticed, too
		c, err := b.Dial(t.Context(), source(i), Home)
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != addrs[0] || c.LocalAddr().(*net.TCPAddr).IP.String() != source(i).String() {
			t.Errorf("Home is %v from %v", c.RemoteAddr(), c.LocalAddr())
		}
		c.Close()
	}
	c, err := b.Dial(t.Context(), source(0), addrs[1])
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, n := range b.nodes {
		n.down.Store(true)
	}
	if _, err := b.Dial(t.Context(), source(0), Home); !errors.Is(err, ErrNoNode) {
		t.Errorf("nobody is there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Dial(ctx, source(0), addrs[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// TestMostWithin: against counting.
func TestMostWithin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		at := make([]time.Duration, rng.IntN(60))
		for i := range at {
			at[i] = time.Duration(rng.IntN(200))
		}
		stretch, want := time.Duration(1+rng.IntN(50)), 0
		for _, from := range at {
			n := 0
			for _, a := range at {
				if a >= from && a < from+stretch {
					n++
				}
			}
			want = max(want, n)
		}
		if got := MostWithin(at, stretch); got != want {
			t.Fatalf("%v within %d: %d, want %d", at, stretch, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n := range 2000 {
		if got, ok := Number(ID(n)); !ok || got != n {
			t.Fatalf("%d: %d, %v", n, got, ok)
		}
	}
	for _, bad := range []string{"", "m", "7", "m-1", "m07", "mx", "M1", "m1 "} {
		if n, ok := Number(bad); ok {
			t.Errorf("%q is %d", bad, n)
		}
	}
	if a, b := name("dev", 1), name("dev", 99999); len(a) != len(b) {
		t.Errorf("%s and %s", a, b)
	}
	seen := map[string]bool{}
	for i := range 1000 {
		seen[fmt.Sprint(source(i))] = true
	}
	if len(seen) != 200 || seen["127.0.1.0"] || seen["127.0.1.255"] {
		t.Errorf("%d sources", len(seen))
	}
}
