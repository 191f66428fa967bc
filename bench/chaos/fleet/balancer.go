package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Home is the address that devices know. Nobody listens there: a Balancer's Dial
// takes it for any node that is healthy.
const Home = "cluster.invalid:80"

// How a node's health is looked at.
const (
	checkEvery = 500 * time.Millisecond
	checkTime  = 2 * time.Second // as deploy/haproxy has it: a busy node is not a dead one, which refuses at once
	fall       = 2               // checks in a row that fail before a node gets no connections
)

// dialTime is the time of one connect.
const dialTime = 2 * time.Second

// Balancer chooses nodes for who dials Home.
type Balancer struct {
	// Static after NewBalancer.
	nodes  []*backend
	client *http.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup
	start  time.Time

	mu      sync.Mutex
	dials   []dial
	blocked map[string]bool // by address
}

type backend struct {
	addr string
	down atomic.Bool
}

// dial is one connect that was tried.
type dial struct {
	at   time.Duration
	addr string
	ok   bool
}

// mostDials bounds what is kept of dials; later ones are only made.
const mostDials = 1 << 20

// ErrNoNode says that no node is healthy or took the connection.
var ErrNoNode = errors.New("fleet: no node takes connections")

// NewBalancer looks after the nodes that serve devices at addrs until Close. Times
// are counted from start.
func NewBalancer(start time.Time, addrs []string) *Balancer {
	b := &Balancer{start: start, client: &http.Client{Timeout: checkTime, Transport: &http.Transport{DisableKeepAlives: true}}}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	for _, addr := range addrs {
		n := &backend{addr: addr}
		b.nodes = append(b.nodes, n)
		b.wg.Go(func() { b.check(ctx, n) })
	}
	return b
}

// Close ends the checks.
func (b *Balancer) Close() {
	b.cancel()
	b.wg.Wait()
}

// check looks at a node again and again.
func (b *Balancer) check(ctx context.Context, n *backend) {
	failed := 0
	for tick := time.NewTicker(checkEvery); ; {
		if b.healthy(ctx, n.addr) {
			failed = 0
		} else {
			failed++
		}
		n.down.Store(failed >= fall)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func (b *Balancer) healthy(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Dial connects to addr; to Home: to a healthy node, and to another one if that
// does not take the connection. It is for client.Options.Dial. from is the address
// of loopback to come from.
func (b *Balancer) Dial(ctx context.Context, from net.IP, addr string) (net.Conn, error) {
	if addr != Home {
		return b.dial(ctx, from, addr)
	}
	err := ErrNoNode
	for _, i := range rand.Perm(len(b.nodes)) {
		n := b.nodes[i]
		if n.down.Load() {
			continue
		}
		c, failed := b.dial(ctx, from, n.addr)
		if failed == nil {
			return c, nil
		}
		err = fmt.Errorf("%w: %w", ErrNoNode, failed)
	}
	return nil, err
}

// errBlocked is what a network says that refuses.
var errBlocked = errors.New("fleet: the way is blocked")

// Block has new connections to a node refused on their way, or not any more; those that
// are open stay, and so does its health.
func (b *Balancer) Block(addr string, blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blocked == nil {
		b.blocked = map[string]bool{}
	}
	b.blocked[addr] = blocked
}

func (b *Balancer) isBlocked(addr string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.blocked[addr]
}

func (b *Balancer) dial(ctx context.Context, from net.IP, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	c, err := net.Conn(nil), errBlocked
	if !b.isBlocked(addr) {
		c, err = d.DialContext(ctx, "tcp", addr)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.dials) < mostDials {
		b.dials = append(b.dials, dial{time.Since(b.start), addr, err == nil})
	}
	return c, err
}

// Rate is how fast connections were made.
type Rate struct {
	Dials    int            `json:"dials"`     // that were tried
	Refused  int            `json:"refused"`   // of those, that nobody took
	Peak     int            `json:"peak"`      // most that were taken within any second
	PeakNode map[string]int `json:"peak_node"` // the same, of each node by its address
}

// Dials returns what was dialed from one instant to before another.
func (b *Balancer) Dials(from, to time.Duration) Rate {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Rate{PeakNode: map[string]int{}}
	var all []time.Duration
	each := map[string][]time.Duration{}
	for _, d := range b.dials {
		if d.at < from || d.at >= to {
			continue
		}
		r.Dials++
		if !d.ok {
			r.Refused++
			continue
		}
		all = append(all, d.at)
		each[d.addr] = append(each[d.addr], d.at)
	}
	r.Peak = MostWithin(all, time.Second)
	for addr, at := range each {
		r.PeakNode[addr] = MostWithin(at, time.Second)
	}
	return r
}
