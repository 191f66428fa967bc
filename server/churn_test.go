package server

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestChurnUnderFaults: devices that connect to any node, all at once and again and again, and go at any moment,
// while Redis and the bus come and go, leave nothing behind: no session, no claim, no opening, on either side.
func TestChurnUnderFaults(t *testing.T) {
	f := newFleet(t)
	nodes := []*Server{f.node("n1"), f.node("n2")}
	f.ring(1, "n1", "n2")
	f.up(nodes...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rounds := 25
	if testing.Short() {
		rounds = 8
	}
	const devices = 30
	over := make(chan struct{})
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(d)))
			for {
				select {
				case <-over:
					return
				default:
					visit(rng, nodes[rng.IntN(len(nodes))], fmt.Sprintf("d%d", d))
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, devices))
	for range rounds {
		switch rng.IntN(4) {
		case 0:
			f.redis.Pause()
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
			f.redis.Resume()
		case 1:
			f.hub.SetDown(true)
			time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			f.hub.SetDown(false)
		case 2:
			f.ring(uint64(rng.IntN(1000)+2), []string{"n1", "n2"}[:1+rng.IntN(2)]...)
		}
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
	}
	close(over)
	wg.Wait()
	f.up(nodes...)
	for _, s := range nodes {
		eventually(t, s.opt.Node+" has nobody", func() bool {
			return s.pollerConns() == 0 && s.opening.Load() == 0 && s.registry.Len() == 0 && s.cluster.alone.Load() == 0 &&
				s.cluster.keeper.Stats().Devices == 0 && s.cluster.keeper.Stats().Pending == 0 && s.open.Load() == 0
		})
		if n := s.entered.Load() - s.left.Load(); n != 0 {
			t.Errorf("%s: %d entered and have not left", s.opt.Node, n)
		}
	}
	for d := range devices {
		eventually(t, fmt.Sprintf("d%d is nowhere", d), func() bool { return f.held(fmt.Sprintf("d%d", d)) == "" })
	}
}

// visit is one connection of a device: it goes before its answer, or after a while, politely or not.
func visit(rng *rand.Rand, s *Server, device string) {
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Duration(rng.IntN(1500)+1) * time.Millisecond))
	io.WriteString(nc, upgradeRequest("/v1/connect?device="+device))
	if rng.IntN(4) == 0 {
		nc.(*net.TCPConn).SetLinger(rng.IntN(2) - 1) // a reset, or not
		return
	}
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	for range rng.IntN(4) {
		io.WriteString(nc, maskedText(`{"t":"hb"}`))
		b := make([]byte, 256)
		if n, err := r.Read(b); err != nil || strings.Contains(string(b[:n]), "\x88") {
			return
		}
	}
	if rng.IntN(2) == 0 {
		io.WriteString(nc, "\x88\x82\x00\x00\x00\x00\x03\xe8") // 1000
		io.Copy(io.Discard, r)
	}
}

// BenchmarkConnect is a device's whole visit, 64 at a time: a node by itself beside one of a cluster, whose devices
// are opened and claimed in Redis.
func BenchmarkConnect(b *testing.B) {
	run := func(b *testing.B, s *Server) {
		sem := make(chan struct{}, 64)
		var wg sync.WaitGroup
		for i := range b.N {
			sem <- struct{}{}
			wg.Go(func() {
				defer func() { <-sem }()
				nc, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer nc.Close()
				nc.(*net.TCPConn).SetLinger(0)
				io.WriteString(nc, upgradeRequest(fmt.Sprintf("/v1/connect?device=d%d", i%5_000)))
				if _, err := nc.Read(make([]byte, 1024)); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.Run("alone", func(b *testing.B) { run(b, start(b, nil)) })
	b.Run("cluster", func(b *testing.B) {
		f := newFleet(b)
		s := f.node("n1")
		f.ring(1, "n1")
		f.up(s)
		b.ResetTimer()
		run(b, s)
	})
}
