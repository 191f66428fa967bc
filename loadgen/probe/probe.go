package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// Config says where the servers are. Server i is what is at index i of each
// list; a list may be shorter, or empty.
type Config struct {
	PIDs    []int
	Cgroups []string // directories of version 2
	Metrics []string // URLs of Prometheus text
	Pprof   []string // base URLs that have /debug/pprof, or end with it
	// Collect has servers with pprof collect their garbage, twice, before their
	// memory is read. The CPU that this takes counts for nobody.
	Collect bool
	// Timeout bounds every request. Default 10 s.
	Timeout time.Duration
}

// Probe reads servers. Its methods may be called from any goroutine, Read from
// one at a time.
type Probe struct {
	// Static after Open.
	cfg     Config
	client  *http.Client
	softirq usage.Softirqd // nil: no server is known to be on this machine
	servers []*server
}

// Open looks at every server once: one that cannot be read is an error. The
// caller closes the Probe.
func Open(cfg Config) (*Probe, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	p := &Probe{cfg: cfg, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
	if len(cfg.PIDs)+len(cfg.Cgroups) > 0 {
		p.softirq = usage.FindSoftirqd()
	}
	n := max(len(cfg.PIDs), len(cfg.Cgroups), len(cfg.Metrics), len(cfg.Pprof))
	for i := range n {
		s, err := p.open(i)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("probe: server %d: %w", i, err)
		}
		p.servers = append(p.servers, s)
	}
	if _, err := p.Read(context.Background()); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close gives connections back.
func (p *Probe) Close() { p.client.CloseIdleConnections() }

// Servers describes the servers: what they are, not what they use.
func (p *Probe) Servers() []result.Server {
	list := make([]result.Server, len(p.servers))
	for i, s := range p.servers {
		s.mu.Lock()
		list[i] = s.about
		s.mu.Unlock()
	}
	return list
}

// Sample is what all servers had used at one time.
type Sample struct {
	servers []reading
}

// Read reads all servers. What cannot be read is in the error, and the rest in
// the Sample, which is never nil.
func (p *Probe) Read(ctx context.Context) (*Sample, error) {
	sample := &Sample{servers: make([]reading, len(p.servers))}
	errs := make([]error, len(p.servers))
	var all sync.WaitGroup
	for i, s := range p.servers {
		all.Go(func() {
			var err error
			if sample.servers[i], err = p.read(ctx, s); err != nil {
				errs[i] = fmt.Errorf("probe: server %s: %w", s.name(), err)
			}
		})
	}
	all.Wait()
	return sample, errors.Join(errs...)
}

// Use returns what each server used between two samples: sums over the time in
// between, and levels at its end. If a sample does not have a server, its sums
// are 0; levels that are not known are -1.
func (p *Probe) Use(before, after *Sample) []result.ServerUse {
	use := make([]result.ServerUse, len(p.servers))
	for i := range use {
		var b, a reading
		if before != nil && i < len(before.servers) {
			b = before.servers[i]
		}
		if after != nil && i < len(after.servers) {
			a = after.servers[i]
		}
		use[i] = difference(&b, &a)
	}
	return use
}

// Glance returns what a look costs 0.2 ms: the cores that all servers have used
// since the last look, and their RSS in bytes. Those that are known by metrics
// alone are not looked at.
func (p *Probe) Glance() (cores float64, rss int64) {
	for _, s := range p.servers {
		c, r := s.glance(time.Now())
		cores += c
		rss += r
	}
	return cores, rss
}

// Moved says that a server runs in another process now: the one whose process
// has ended, or else the first that is known by process id.
func (p *Probe) Moved(pid int) {
	var at *server
	for _, s := range p.servers {
		switch {
		case s.process() == 0:
		case s.ended():
			s.move(pid)
			return
		case at == nil:
			at = s
		}
	}
	if at != nil {
		at.move(pid)
	}
}
