package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
)

func TestPlanCapacity(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		files      int
		memory     int64
		configured int
		want       int
		by         string
	}{
		{20000, 24 * gib, 0, 19618, "descriptors"},
		{20000, 0, 0, 19618, "descriptors"}, // memory not known
		{1 << 20, 2 * gib, 0, (2*gib - reservedBytes) / connectionBytes, "memory"},
		{1 << 20, 256 << 20, 0, (128 << 20) / connectionBytes, "memory"}, // less than the reserve
		{20000, 24 * gib, 1000, 1000, "configuration"},
		{20000, 24 * gib, 50000, 19618, "descriptors"}, // cut down
	} {
		c, err := planCapacity(tt.files, tt.memory, 2, tt.configured)
		if err != nil || c.Connections != tt.want || c.LimitedBy != tt.by || c.Hint == "" {
			t.Errorf("%+v: got %+v, %v", tt, c, err)
		}
	}
	if _, err := planCapacity(300, 0, 2, 0); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("300 descriptors: %v", err)
	}
}

func TestUsableMemory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got := memAvailable(write("meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n")); got != 2<<20 {
		t.Errorf("MemAvailable: %d", got)
	}
	write("root/a/memory.max", "1000\n")
	write("root/a/b/memory.max", "max\n")
	write("root/memory.max", "5000\n")
	if got := cgroupLimits(write("cgroup", "0::/a/b\n"), filepath.Join(dir, "root")); !slices.Equal(got, []int64{1000, 5000}) {
		t.Errorf("cgroup limits: %v", got)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		opt  Options
		want string
	}{
		"other address":    {Options{Listen: "0.0.0.0:0", API: "127.0.0.1:0"}, "not a loopback"},
		"api elsewhere":    {Options{Listen: "127.0.0.1:0", API: "10.0.0.1:0"}, "not a loopback"},
		"no port":          {Options{Listen: "127.0.0.1", API: "127.0.0.1:0"}, "host:port"},
		"unknown auth":     {Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "jwt"}, `"jwt" is unknown`},
		"negative loops":   {Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Loops: -1}, "loops is -1"},
		"negative maximum": {Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", MaxConnections: -1}, "max-connections is -1"},
	} {
		if _, err := New(tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestSecondServerOnThePort(t *testing.T) {
	s := start(t, nil)
	_, err := New(Options{Listen: s.Addr().String(), API: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "taken by another process") {
		t.Errorf("device port: %v", err)
	}
	_, err = New(Options{Listen: "127.0.0.1:0", API: s.APIAddr().String()})
	if err == nil || !strings.Contains(err.Error(), "api:") {
		t.Errorf("API port: %v", err)
	}
}

// TestNoRoom: past the cap a device is refused in words, at both stages, while
// the API and the devices that are here go on; when one leaves, another fits.
func TestNoRoom(t *testing.T) {
	s := start(t, func(o *Options) { o.MaxConnections = 10 })
	for i := range 10 {
		device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
	}
	a := exchange(t, s, upgradeRequest("/v1/connect?device=more"))
	if !strings.HasPrefix(a, "HTTP/1.1 503 ") || !strings.Contains(a, "Retry-After: 10") || !strings.Contains(a, "as many connections as it may") {
		t.Errorf("got %q", a)
	}
	if a := exchange(t, s, upgradeRequest("/v1/connect?device=more", "Origin: http://localhost")); !strings.Contains(a, "\x10\x05") { // 4101
		t.Errorf("browser: got %q", a)
	}
	eventually(t, "the refused are gone", func() bool { return s.pollerConns() == 10 })
	// Fill what is kept for refusing in words: then the refusal comes at once.
	for range refusing {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	eventually(t, "the reserve is full", func() bool { return s.pollerConns() == 10+refusing })
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if a, _ := io.ReadAll(nc); !strings.HasPrefix(string(a), "HTTP/1.1 503 ") {
		t.Errorf("at once: got %q", a)
	}
	if got := publish(t, s, `{"all":true,"wait":10,"payload":1}`); !strings.Contains(got, `"written":10,`) {
		t.Errorf("publish while full: %s", got)
	}
}

func TestRoomAgain(t *testing.T) {
	s := start(t, func(o *Options) { o.MaxConnections = 1 })
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	p.nc.Close()
	eventually(t, "the device is gone", func() bool { return s.pollerConns() == 0 })
	device(t, s, "device=d2", "roost.v1.json")
}

// TestDrain: everybody is told 4001, newcomers get 503, the loops end.
func TestDrain(t *testing.T) {
	s := start(t, func(o *Options) { o.DrainOver = 200 * time.Millisecond })
	var peers []*peer
	for i := range 50 {
		p, _ := device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
		peers = append(peers, p)
	}
	peers = append(peers, dial(t, s, "/v1/echo"))
	half, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	eventually(t, "all are here", func() bool { return s.pollerConns() == 52 })
	done := make(chan error)
	go func() { done <- s.Drain(context.Background()) }()
	for i, p := range peers {
		if i < 50 { // each is told its slot
			var away struct {
				T        string
				Code, In int
			}
			if json.Unmarshal(p.read(), &away); away.T != "away" || away.Code != 4001 || away.In < 0 || away.In > 200 {
				t.Errorf("device %d: %+v", i, away)
			}
		}
		p.expectClose(4001)
		p.nc.Close()
	}
	half.SetDeadline(time.Now().Add(patience))
	if a, _ := io.ReadAll(half); !strings.HasPrefix(string(a), "HTTP/1.1 503 ") {
		t.Errorf("in the middle of a request: %q", a)
	}
	half.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDrainRefusesNewcomers(t *testing.T) {
	s := start(t, nil)
	s.draining.Store(true)
	if a := exchange(t, s, upgradeRequest("/v1/connect?device=d")); !strings.HasPrefix(a, "HTTP/1.1 503 ") {
		t.Errorf("got %q", a)
	}
	if status, body := request(t, s, http.MethodGet, "/readyz", ""); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("readyz: %d %s", status, body)
	}
	s.draining.Store(false)
	if status, _ := request(t, s, http.MethodGet, "/readyz", ""); status != 200 {
		t.Errorf("readyz: %d", status)
	}
}

// TestDrainCut: canceling the drain cuts what is left at once.
func TestDrainCut(t *testing.T) {
	s := start(t, func(o *Options) { o.DrainOver = time.Hour })
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	q, _ := device(t, s, "device=d2", "roost.v1.json")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Drain(ctx); err != nil {
		t.Error(err)
	}
	for _, p := range []*peer{p, q} {
		if _, err := io.ReadAll(p.nc); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("after the cut: %v", err)
		}
	}
}

// TestSlowReaders: devices that never read lose the oldest live messages, then
// the connection, and cost the others nothing.
func TestSlowReaders(t *testing.T) {
	onBothPathsTimed(t, func(t *testing.T, s *Server) {
		good, _ := device(t, s, "device=good", "roost.v1.json")
		const slow = 5
		for i := range slow {
			device(t, s, fmt.Sprintf("device=slow%d", i), "roost.v1.json")
		}
		payload := strings.Repeat("x", 32<<10)
		for i := range 300 {
			publish(t, s, fmt.Sprintf(`{"all":true,"wait":10,"payload":"%d %s"}`, i, payload))
			good.expect(fmt.Sprintf(`{"t":"msg","p":"%d %s"}`, i, payload))
			if s.registry.Len() == 1 {
				break
			}
		}
		eventually(t, "the slow ones are closed", func() bool { return s.registry.Len() == 1 })
		eventually(t, "they are counted as 4102", func() bool { return metric(t, s, `roost_closed_total{code="4102"}`) == slow })
		if metric(t, s, "roost_queue_dropped_total") == 0 {
			t.Error("no message was dropped")
		}
		publish(t, s, `{"all":true,"payload":"end"}`)
		good.expect(`{"t":"msg","p":"end"}`)
	})
}

// TestPingFlood: a device that sends pings and reads nothing is not read any
// further, and is closed.
func TestPingFlood(t *testing.T) {
	s := start(t, shortWrites)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	ping := gobwas.MustCompileFrame(gobwas.MaskFrameInPlace(gobwas.NewPingFrame(make([]byte, 125))))
	flood := bytes.Repeat(ping, 1000)
	for {
		if _, err := p.nc.Write(flood); err != nil {
			break
		}
	}
	eventually(t, "the flood is over", func() bool { return s.registry.Len() == 0 })
}

func shortWrites(o *Options) {
	o.timing = defaultTiming
	o.timing.write = time.Second
}
