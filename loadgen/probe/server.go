package probe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// ErrEnded is in the error about a server that is no more.
var ErrEnded = usage.ErrEnded

// server is one of them.
type server struct {
	// Static after Open.
	group   usage.Cgroup // Version 0: none
	metrics string       // URL; "": none
	pprof   string       // URL up to /debug/pprof; "": none

	// Guarded by mu.
	mu      sync.Mutex
	about   result.Server
	pid     usage.Process // 0: not known
	started int64         // of pid
	looked  time.Time     // the last glance
	cpu     time.Duration // then
}

// open describes server i.
func (p *Probe) open(i int) (*server, error) {
	s := &server{}
	var sources []string
	if i < len(p.cfg.PIDs) && p.cfg.PIDs[i] != 0 {
		if p.cfg.PIDs[i] < 0 {
			return nil, fmt.Errorf("process id %d: want one above 0", p.cfg.PIDs[i])
		}
		if err := s.identify(usage.Process(p.cfg.PIDs[i])); err != nil {
			return nil, err
		}
		sources = append(sources, "pid")
	}
	if i < len(p.cfg.Cgroups) && p.cfg.Cgroups[i] != "" {
		var err error
		if s.group, err = usage.OpenCgroup(p.cfg.Cgroups[i]); err != nil {
			return nil, err
		}
		sources = append(sources, "cgroup")
		s.rename(filepath.Base(p.cfg.Cgroups[i]))
	}
	if i < len(p.cfg.Metrics) && p.cfg.Metrics[i] != "" {
		s.metrics = p.cfg.Metrics[i]
		sources = append(sources, "metrics")
		s.rename(s.metrics)
	}
	if i < len(p.cfg.Pprof) && p.cfg.Pprof[i] != "" {
		base, _, _ := strings.Cut(strings.TrimRight(p.cfg.Pprof[i], "/"), "/debug/pprof")
		s.pprof = base + "/debug/pprof"
		s.rename(s.pprof)
	}
	s.about.Source = strings.Join(sources, "+")
	return s, nil
}

// rename gives a name to one that has none.
func (s *server) rename(name string) {
	if s.about.Name == "" {
		s.about.Name = name
	}
}

// identify takes over what a process is.
func (s *server) identify(pid usage.Process) error {
	started, err := pid.Started()
	if err != nil {
		return err
	}
	about := describe(int(pid))
	about.Source, about.Profile = s.about.Source, s.about.Profile
	s.about, s.pid, s.started = about, pid, started
	s.looked, s.cpu = time.Time{}, 0
	return nil
}

// move follows a server to another process. One that has ended already is left
// to the next Read to say.
func (s *server) move(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.identify(usage.Process(pid)) != nil {
		s.pid, s.about.PID, s.started = usage.Process(pid), pid, -1
	}
}

func (s *server) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.about.PID != 0 {
		return fmt.Sprintf("%s (process %d)", s.about.Name, s.about.PID)
	}
	return s.about.Name
}

func (s *server) process() usage.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

// ended reports whether the process is another one now, or none.
func (s *server) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.check() != nil
}

// check must be called with mu.
func (s *server) check() error {
	if s.pid == 0 {
		return nil
	}
	started, err := s.pid.Started()
	if err != nil {
		return err
	}
	if started != s.started {
		return fmt.Errorf("process %d is another one now: the server %w", int(s.pid), ErrEnded)
	}
	return nil
}

// glance returns cores since the last glance, and RSS.
func (s *server) glance(now time.Time) (cores float64, rss int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var cpu time.Duration
	var err error
	switch {
	case s.pid != 0:
		if cpu, err = s.pid.CPU(); err == nil {
			var st usage.Status
			st, err = s.pid.Status()
			rss = st.RSS
		}
	case s.group.Version != 0:
		if cpu, _, _, err = s.group.CPUTime(); err == nil {
			var stat map[string]int64
			stat, err = s.group.MemoryStat()
			rss = stat["anon"] + stat["file_mapped"]
		}
	default:
		return 0, 0
	}
	if err != nil {
		return 0, 0 // Read says why
	}
	if !s.looked.IsZero() && now.After(s.looked) {
		cores = max((cpu-s.cpu).Seconds()/now.Sub(s.looked).Seconds(), 0)
	}
	s.looked, s.cpu = now, cpu
	return cores, rss
}

// read reads one server.
func (p *Probe) read(ctx context.Context, s *server) (r reading, err error) {
	s.mu.Lock()
	pid, started, err := s.pid, s.started, s.check()
	s.mu.Unlock()
	r.levels = unknown()
	r.pid, r.started = int(pid), started
	if err != nil {
		return r, err
	}
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	add(p.sums(ctx, s, pid, &r.end))
	r.begin = r.end
	if p.cfg.Collect && s.pprof != "" {
		add(p.collect(ctx, s))
		add(p.sums(ctx, s, pid, &r.begin))
	}
	add(p.readLevels(s, pid, &r))
	r.ok = len(errs) == 0
	return r, s.explain(errors.Join(errs...))
}

// explain says that a process has ended where that is why it could not be read.
// One that is ending has no memory any more (ESRCH) a little before it is a
// zombie.
func (s *server) explain(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.pid == 0 || errors.Is(err, ErrEnded) {
		return err
	}
	if ended := s.check(); ended != nil {
		return ended
	}
	if errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d %w", int(s.pid), ErrEnded)
	}
	return err
}

// sums reads what only grows.
func (p *Probe) sums(ctx context.Context, s *server, pid usage.Process, c *sums) (err error) {
	if s.metrics != "" {
		if c.metrics, err = p.scrape(ctx, s.metrics); err != nil {
			return err
		}
		c.fromMetrics()
	}
	if s.group.Version != 0 {
		if c.cpu, c.user, c.system, err = s.group.CPUTime(); err != nil {
			return err
		}
	}
	if pid != 0 {
		if c.cpu, err = pid.CPU(); err != nil {
			return err
		}
		if c.user, c.system, err = pid.Times(); err != nil {
			return err
		}
	}
	c.softirq = p.softirq.CPU()
	return nil
}

// readLevels reads what goes up and down.
func (p *Probe) readLevels(s *server, pid usage.Process, r *reading) error {
	l := &r.levels
	l.fromMetrics(r.begin.metrics)
	if s.group.Version != 0 || pid != 0 { // it is on this machine
		if slab, err := usage.ReadSlab(); err == nil {
			l.Slab = socketSlab(slab)
		}
		if st, err := usage.ReadSockstat(); err == nil {
			l.Sock = st.Memory
		}
	}
	if s.group.Version != 0 {
		stat, err := s.group.MemoryStat()
		if err != nil {
			return err
		}
		l.fromCgroup(stat)
	}
	if pid != 0 {
		m, err := pid.Memory()
		if err != nil {
			return err
		}
		l.RSS, l.PSS = m.RSS, m.PSS
		if l.Files, err = pid.Files(); err != nil {
			return err
		}
	}
	return nil
}

// socketSlab is the slabs that sockets live in, or all where the kernel does not
// tell them apart.
func socketSlab(s usage.Slab) (sum int64) {
	for _, n := range s.Caches {
		sum += n
	}
	if sum == 0 {
		return s.Total
	}
	return sum
}
