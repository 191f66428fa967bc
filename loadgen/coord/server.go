package coord

import (
	"context"
	"time"

	"roost/loadgen/probe"
	"roost/loadgen/result"
)

// readServersTimeout bounds one reading of all servers.
const readServersTimeout = 15 * time.Second

// readServers reads the servers, and accounts what they have used since the
// last reading to the phase that is over.
func (r *run) readServers() {
	if r.o.Probe == nil {
		return
	}
	read := false
	r.inBackground(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, readServersTimeout)
		defer cancel()
		now, err := r.o.Probe.Read(ctx)
		return func() {
			read = true
			if err != nil {
				r.note("reading the server: %v", err)
			}
			if now != nil {
				r.tookReading(now)
			}
		}
	})
	r.await(func() bool { return read }, r.clock.Now()+int64(readServersTimeout+time.Second), false)
}

func (r *run) tookReading(now *probe.Sample) {
	before := r.reading
	r.reading = now
	servers := r.o.Probe.Servers()
	if len(r.phases) == 0 {
		r.before = r.o.Probe.Use(now, now)
		for _, s := range servers {
			r.processes = append(r.processes, s.PID)
		}
		return
	}
	if before == nil {
		before = now
	}
	uses := r.o.Probe.Use(before, now)
	for i := range min(len(uses), len(servers), len(r.processes)) {
		uses[i].Moved = servers[i].PID != r.processes[i]
	}
	r.phases[len(r.phases)-1].servers = uses
}

// Lengths of a CPU profile: enough samples (100 a second and core), and no more
// of the server's time than that.
const (
	maxProfile = 10 * time.Second
	minProfile = time.Second
)

// profile takes CPU profiles in the middle of the busiest phase.
func (r *run) profile(p *phase) {
	if r.o.Probe == nil || r.o.ProfileDir == "" || p.index != r.busiest() {
		return
	}
	plan := r.plans.Phases[p.index] // where it ends by a condition, its length is the least
	wait, length := plan.Length/4, min(plan.Length/2, maxProfile).Truncate(time.Second)
	if length < minProfile {
		r.note("phase %s is too short for a profile of the server: at least %v", p.spec.Name, 2*minProfile)
		return
	}
	r.inBackground(func(ctx context.Context) func() {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		err := r.o.Probe.Profile(ctx, length, r.o.ProfileDir, r.o.ProfilePrefix)
		return func() {
			if err != nil {
				r.note("profile of the server: %v", err)
				return
			}
			r.note("the server was profiled in phase %s for %v, which takes a few percent of its CPU", p.spec.Name, length)
		}
	})
}

// busiest is the measured phase with the most deliveries a second, or without
// any the most dials.
func (r *run) busiest() (index int) {
	best := -1.0
	for i, p := range r.plans.Phases {
		rate := p.DeliveryRate
		if r.plans.PeakDeliveryRate == 0 {
			rate = p.DialRate
		}
		if !r.s.Phases[i].Warmup && rate > best {
			best, index = rate, i
		}
	}
	return index
}

// slopes works out bytes per connection from all numbers of connections that
// were seen, the one before the first included.
func (r *run) slopes(res *result.Result) {
	for i := range res.Servers {
		var connections []int
		var uses []result.ServerUse
		if b := res.Servers[i].Before; b != nil {
			connections, uses = append(connections, 0), append(uses, *b)
		}
		for _, p := range r.phases[:r.rising()] {
			if i < len(p.servers) && !p.servers[i].Moved {
				connections, uses = append(connections, p.connected), append(uses, p.servers[i])
			}
		}
		res.Servers[i].Slope = probe.Slope(connections, uses)
	}
}

// rising counts the phases until most connections are there for the first time.
// Later ones put load on the same connections, or end them, and memory that was
// used once does not come back at once: neither is the price of a connection.
func (r *run) rising() (n int) {
	most := 0
	for i, p := range r.phases {
		if p.connected > most {
			most, n = p.connected, i+1
		}
	}
	return n
}
