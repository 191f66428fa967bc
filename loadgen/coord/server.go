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
	r.elsewhere(func(ctx context.Context) func() {
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

func (r *run) tookReading(now Reading) {
	before := r.reading
	r.reading = now
	if len(r.phases) == 0 {
		r.before = r.o.Probe.Use(now, now)
		return
	}
	if before == nil {
		before = now
	}
	r.phases[len(r.phases)-1].servers = r.o.Probe.Use(before, now)
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
		for _, p := range r.phases {
			if i < len(p.servers) {
				connections, uses = append(connections, p.connected), append(uses, p.servers[i])
			}
		}
		res.Servers[i].Slope = probe.Slope(connections, uses)
	}
}
