package loadgen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/usage"
	"roost/poller"
	"roost/server/wire"
)

// errEnd ends connections at the end of a run.
var errEnd = errors.New("loadgen: end of the run")

// swarm is all connections of a run: the loops' clients and what waits for
// them.
type swarm struct {
	// Static after construction.
	opt       *Options
	target    target
	source    func(i int) netip.AddrPort
	format    wire.Format // devices: form of the messages
	protocols []string    // devices: its name, to be offered
	hello     int         // frames to expect unasked
	clock     clock
	seed      uint64
	p         *poller.Poller
	clients   []*client
	server    usage.Process // 0: none
	softirq   usage.Softirqd

	// notify has something in it when a count that somebody may wait for has
	// moved.
	notify chan struct{}
}

// newSwarm starts the loops; newRole makes what they do with ready connections.
func newSwarm(opt *Options, t target, hello int, newRole func(c *client) role) (*swarm, error) {
	sources, err := plan.ParseSources(opt.Sources)
	if err != nil {
		return nil, err
	}
	s := &swarm{opt: opt, target: t, hello: hello, clock: clock{time.Now()}, seed: uint64(time.Now().UnixNano()),
		server: usage.Process(opt.PID), softirq: usage.FindSoftirqd(), notify: make(chan struct{}, 1)}
	if opt.Protocol == "bin" {
		s.format = wire.Binary
	}
	s.protocols = []string{s.format.String()}
	if s.source, err = sources.For(opt.Connections); err != nil {
		return nil, err
	}
	if s.server != 0 {
		if _, err := s.server.Memory(); err != nil {
			return nil, fmt.Errorf("pid %d: %w", opt.PID, err)
		}
	}
	s.clients = make([]*client, opt.Loops)
	s.p, err = poller.New(poller.Options{
		Loops:    opt.Loops,
		MaxConns: opt.Connections + opt.Window,
		Limits:   []poller.Limits{{Messages: 1 << 20, Bytes: 1 << 30}}, // what is due is sent, however late
		IOUring:  poller.IOUringOff,
		NewHandler: func(l *poller.Loop) poller.Handler {
			c := newClient(s, l)
			c.role = newRole(c)
			s.clients[l.Index()] = c
			return c
		},
	})
	if err != nil {
		return nil, err
	}
	if opt.Spin {
		for _, l := range s.p.Loops() {
			l.Post(&spinner{s.clients[l.Index()]})
		}
	}
	return s, nil
}

// close ends every connection with a reset, so that no TIME_WAIT is left, and
// then the loops.
func (s *swarm) close() {
	s.each(func(c *client) {
		c.ending = true
		c.l.Each(func(pc poller.Conn) bool {
			pc.Reset(errEnd)
			return true
		})
	})
	s.p.Close()
}

// each runs f on every loop and waits for all.
func (s *swarm) each(f func(c *client)) {
	var wg sync.WaitGroup
	for _, c := range s.clients {
		wg.Add(1)
		ok := c.l.Post(poller.TaskFunc(func(*poller.Loop) {
			defer wg.Done()
			f(c)
		}))
		if !ok {
			wg.Done()
		}
	}
	wg.Wait()
}

// poke wakes whoever waits in await. Any goroutine may call it.
func (s *swarm) poke() {
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

// errPatience says that await has given up.
var errPatience = errors.New("loadgen: nothing happened for too long")

// await waits until done says true. It gives up when progress, which it looks
// at whenever a loop pokes it, has not moved for so long.
func (s *swarm) await(ctx context.Context, patience time.Duration, progress func() uint64, done func() bool) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for last := progress(); !done(); {
		select {
		case <-s.notify:
			if now := progress(); now != last {
				last = now
				timer.Reset(patience)
			}
		case <-timer.C:
			if now := progress(); now != last { // moved without a poke
				last = now
				timer.Reset(patience)
				continue
			}
			if done() {
				return nil
			}
			return errPatience
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sum adds up a counter of all loops.
func (s *swarm) sum(f func(n *counters) uint64) (sum uint64) {
	for _, c := range s.clients {
		sum += f(&c.n)
	}
	return sum
}

// gather adds up the tallies of all loops.
func (s *swarm) gather(f func(c *client) map[string]int) map[string]int {
	per := make([]map[string]int, len(s.clients))
	s.each(func(c *client) { per[c.l.Index()] = maps.Clone(f(c)) })
	sum := map[string]int{}
	for _, m := range per {
		for why, n := range m {
			sum[why] += n
		}
	}
	return sum
}
