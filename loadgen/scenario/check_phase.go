package scenario

import (
	"fmt"
	"slices"
	"time"
)

func (c *checker) phases() {
	names := map[string]int{}
	if len(c.s.Phases) == 0 {
		c.bad("phases", "no phases: want at least one, such as `phases: [{name: ramp, ramp: {rate: 1000/s}}]`")
	}
	connected := 0
	var total time.Duration
	for i := range c.s.Phases {
		p := &c.s.Phases[i]
		path := phasePath(i)
		c.name(path, p.Name, "phase", i, names)
		c.end(p, path)
		c.actions(p, path, connected)
		total += p.For
		connected = after(p, connected)
	}
	if total > MaxDuration {
		c.bad("phases", "take %v together: want at most 7 days", total)
	}
}

// end wants one way to end a phase.
func (c *checker) end(p *Phase, path string) {
	until := p.Until.Kind
	switch {
	case until == UntilTime && p.For <= 0 && !c.set(path+".for"):
		c.bad(path, "phase `%s` has no end: give `for`, such as for: 30s, or `until`", p.Name)
	case until == UntilTime && p.For <= 0:
		c.bad(path+".for", "is 0: want a time, such as 30s")
	case until != UntilTime && p.For > 0:
		c.bad(path+".until", "`for` and `until` are two ends: want one (`timeout` bounds `until`)")
	case until == UntilTime && p.Timeout > 0:
		c.bad(path+".timeout", "`timeout` is for `until`: this phase ends after %v", p.For)
	case until != UntilTime && p.Timeout <= 0:
		c.bad(path+".timeout", "is 0: want a time, such as 60s")
	}
	for _, u := range []struct {
		kind    UntilKind
		missing bool
		what    string
	}{
		{UntilConnected, p.Ramp == nil, "ramp"},
		{UntilRestored, p.Storm == nil, "storm"},
		{UntilDrained, p.Drain == nil, "drain"},
	} {
		if until == u.kind && u.missing {
			c.bad(path+".until", "`until: %s` needs a `%s` in this phase", u.kind, u.what)
		}
	}
}

// actions looks at what a phase does; connected is how many clients there are
// when it begins.
func (c *checker) actions(p *Phase, path string, connected int) {
	c.together(p, path)
	if p.Ramp != nil {
		c.ramp(p, path+".ramp", connected)
		connected = max(connected, p.Ramp.To)
	}
	none := func(what string) {
		if connected == 0 {
			c.bad(path+"."+what, "nobody is connected here: a phase with `ramp` must come first")
		}
	}
	for k := range p.Publish {
		c.publish(p, &p.Publish[k], fmt.Sprintf("%s.publish[%d]", path, k))
	}
	if len(p.Publish) > 0 {
		none("publish")
	}
	if p.Churn != nil {
		none("churn")
		c.arrival(p, &p.Churn.Arrival, path+".churn")
		c.events(p, &p.Churn.Arrival, path+".churn", "connections")
		if p.Churn.How == CloseServer {
			c.bad(path+".churn.how", "a server cannot be asked to end single connections: want close, fin or rst")
		}
	}
	if p.Storm != nil {
		none("storm")
		c.storm(p, path+".storm")
	}
	if p.Slow != nil {
		none("slow")
		c.group(path+".slow.group", p.Slow.Group)
		c.shareAbove0(path+".slow.share", p.Slow.Share)
		c.read(path+".slow.read", p.Slow.Read)
		if p.Slow.Read.Mode == ReadDrain {
			c.bad(path+".slow.read", "drain is not slow: want never, or {rate: 512B/s}")
		}
	}
	if p.HalfOpen != nil {
		none("half_open")
		c.group(path+".half_open.group", p.HalfOpen.Group)
		c.shareAbove0(path+".half_open.share", p.HalfOpen.Share)
	}
	if p.Drain != nil {
		none("drain")
		c.drain(p, path+".drain", connected)
	}
}

// together refuses what would end each other's phase: a ramp's goal counts those
// that a drain ends, and a storm's victims are those of the phase's begin.
func (c *checker) together(p *Phase, path string) {
	first := ""
	for _, a := range []struct {
		name string
		has  bool
	}{{"ramp", p.Ramp != nil}, {"storm", p.Storm != nil}, {"drain", p.Drain != nil}} {
		switch {
		case !a.has:
		case first == "":
			first = a.name
		default:
			c.bad(path+"."+a.name, "`%s` and `%s` cannot be in one phase: want one phase for each", first, a.name)
		}
	}
}

// group wants the name of a group, or none.
func (c *checker) group(path, name string) {
	var names []string
	for _, g := range c.s.Groups {
		if g.Name == name {
			return
		}
		names = append(names, g.Name)
	}
	if name != "" {
		c.bad(path, "there is no group %s%s", quoted(name), meant(name, names))
	}
}

func (c *checker) ramp(p *Phase, path string, connected int) {
	r := p.Ramp
	c.arrival(p, &r.Arrival, path)
	switch {
	case r.To < 1 || r.To > c.s.Clients.Count:
		c.bad(path+".to", "is %d: want 1 to clients.count, which is %d", r.To, c.s.Clients.Count)
	case r.To <= connected:
		c.bad(path+".to", "is %d, and %d are connected already: a ramp goes up, a `drain` down", r.To, connected)
	case p.For > 0:
		if need := rampTime(r, connected, p.For); need > p.For {
			c.bad(path, "%d more clients are not dialled in %v: %.0f are; make `for` longer, the rate higher, or leave `for` out", r.To-connected, p.For, r.Arrival.Planned(p.For, p.For))
		}
	case rampTime(r, connected, 0) > p.Timeout:
		c.bad(path, "%d more clients are not dialled in the timeout of %v: make the rate higher or `timeout` longer", r.To-connected, p.Timeout)
	}
}

func (c *checker) publish(p *Phase, pub *Publish, path string) {
	c.arrival(p, &pub.Arrival, path)
	c.size(pub, path)
	if pub.To == ToTopic && c.s.Topics.Count == 0 {
		c.bad(path+".to", "there are no topics: give topics.count")
	}
	switch key, text := c.s.Unsupported(pub); {
	case key == "target.api" && !c.noAPI:
		c.noAPI = true // once is enough
		c.bad(key, "%s", text)
	case key == "to", key == "class", key == "batch", key == "wait", key == "retry":
		c.bad(path+"."+key, "%s", text)
	}
	c.requests(pub, path)
	switch {
	case pub.Class == "live" && pub.TTL != 0:
		c.bad(path+".ttl", "a live message is not stored: set `class: kept`, or leave ttl out")
	case pub.TTL%time.Second != 0 || pub.TTL > 24*time.Hour || pub.Class == "kept" && pub.TTL == 0:
		c.bad(path+".ttl", "is %v: want whole seconds, 1s to 24h", pub.TTL)
	}
	if pub.Among != 0 {
		c.within(path+".among", pub.Among, 1, c.s.Clients.Count)
		if pub.To != ToDevice {
			c.bad(path+".among", "is for `to: device`")
		}
	}
	c.events(p, &pub.Arrival, path, "messages")
}

// requests looks at how messages are put into requests to the API.
func (c *checker) requests(pub *Publish, path string) {
	c.within(path+".batch", pub.Batch, 1, MaxBatch)
	largest := max(pub.Size.P50, pub.Size.Max)
	switch {
	case pub.Batch < 2 || pub.Batch > MaxBatch:
	case pub.Arrival.Burst%pub.Batch != 0:
		c.bad(path+".batch", "is %d, and %d share a due time: want a burst that is a multiple of it, or no burst", pub.Batch, pub.Arrival.Burst)
	case len(c.s.Target.APIs) > 1:
		c.bad(path+".batch", "there are %d APIs, and all messages of a request go to the same one: want one API", len(c.s.Target.APIs))
	case pub.Batch*largest > maxRequest:
		c.bad(path+".batch", "%d messages of up to %d bytes are more than a request may have: want at most %d bytes together", pub.Batch, largest, maxRequest)
	}
	switch {
	case pub.Wait == 0:
	case pub.Class != "kept":
		c.bad(path+".wait", "only kept messages are acknowledged: set `class: kept`, or leave wait out")
	case pub.Wait < time.Millisecond || pub.Wait > MaxWait || pub.Wait%time.Millisecond != 0:
		c.bad(path+".wait", "is %v: want whole milliseconds, 1ms to %v", pub.Wait, MaxWait)
	}
	switch {
	case !pub.Retry:
	case pub.Class != "kept":
		c.bad(path+".retry", "only kept messages have an id by which a server knows them again: set `class: kept`, or leave retry out")
	case pub.To == ToTopic:
		c.bad(path+".retry", "is for messages to devices, a node or all: of one to a topic it is not known what number it had")
	}
	switch {
	case pub.InFlight == 0:
	case pub.To == ToSelf || len(c.s.Target.APIs) == 0:
		c.bad(path+".in_flight", "is for requests to an API, and nothing is published at one here")
	default:
		c.within(path+".in_flight", pub.InFlight, 1, MaxInFlight)
	}
}

func (c *checker) size(pub *Publish, path string) {
	most := MaxSize
	if c.s.Target.Dialect == defaultDialect {
		most = maxRoostPayload
	}
	path += ".size"
	z := &pub.Size
	if z.P50 < MinSize || z.P50 > most {
		c.bad(path, "is %d bytes: want %d (what the stamp takes) to %d", z.P50, MinSize, most)
		return
	}
	switch {
	case z.Max == 0 && z.P99 == 0:
	case z.P99 == 0:
		c.bad(path, "has no p99: want {p50: 128B, p99: 4KiB}, or one size")
	case z.P99 < z.P50 || z.Max < z.P99:
		c.bad(path, "p50 %d, p99 %d and max %d do not ascend", z.P50, z.P99, z.Max)
	case z.Max > most:
		c.bad(path, "max is %d bytes: want at most %d", z.Max, most)
	}
}

// longest is how long a phase may last.
func (p *Phase) longest() time.Duration { return max(p.For, p.Timeout) }

// events bounds what one plan numbers.
func (c *checker) events(p *Phase, a *Arrival, path, what string) {
	switch n := a.Planned(p.longest(), p.For); {
	case n > MaxMessages:
		c.bad(path, "plans %.0f %s: want at most %d; make the rate lower or the phase shorter", n, what, MaxMessages)
	case a.Kind == Replay && len(a.Times) > 0 && n == 0:
		c.bad(path+".arrival.replay", "plans no %s: its first time, %v, is after the phase's end", what, a.Times[0])
	case a.Kind == Poisson && 0 < n && n < 1:
		c.bad(path+".rate", "plans %.2g %s, and at random, so mostly none: make the rate higher or the phase longer", n, what)
	}
}

// arrival looks at a plan of due times.
func (c *checker) arrival(p *Phase, a *Arrival, path string) {
	c.within(path+".burst", a.Burst, 1, 1_000_000)
	at := path + ".arrival"
	switch a.Kind {
	case Constant, Poisson:
		if a.Rate <= 0 {
			c.bad(path+".rate", "no rate: want one, such as rate: 100/s")
		}
	case Linear:
		if a.Rate <= 0 && a.To <= 0 {
			c.bad(at, "linear from 0 to 0 plans nothing: want rates, such as {linear: {from: 0/s, to: 1000/s}}")
		}
	case Step:
		if len(a.Steps) == 0 {
			c.bad(at, "no steps: want rates, such as {step: [100/s, 200/s]}")
		} else if slices.Max(a.Steps) <= 0 {
			c.bad(at, "steps of 0/s plan nothing: want rates, such as {step: [100/s, 200/s]}")
		}
	case Spike:
		if a.To <= 0 || a.For <= 0 {
			c.bad(at, "a spike wants its rate, when and how long: {spike: {rate: 100/s, to: 1000/s, at: 10s, for: 2s}}")
		} else if p.For > 0 && a.At+a.For > p.For {
			c.bad(at, "the spike ends %v after the phase", a.At+a.For-p.For)
		}
	case Replay:
		if len(a.Times) == 0 {
			c.bad(at+".replay", "no times: want a file with one a line")
		}
	}
	if p.Until.Kind != UntilTime && (a.Kind == Linear || a.Kind == Step) {
		c.bad(at, "%s is spread over the phase's length, which `until` leaves open: give `for` instead", a.Kind)
	}
}

func (c *checker) storm(p *Phase, path string) {
	st := p.Storm
	c.shareAbove0(path+".share", st.Share)
	hooks := map[string]string{"kill": c.s.Server.Kill, "restart": c.s.Server.Restart}
	switch {
	case st.How == CloseServer && st.Hook == "":
		c.bad(path+".hook", "`how: server` needs `hook: kill` or `hook: restart`, and the command in `server`")
	case st.How != CloseServer && st.Hook != "":
		c.bad(path+".hook", "a hook is for `how: server`")
	case st.Hook != "" && hooks[st.Hook] == "":
		c.bad(path+".hook", "server.%s is empty: give the command, in the file or by --%s, such as %q", st.Hook, st.Hook, "systemctl "+st.Hook+" roostd")
	}
	if p.Until.Kind == UntilRestored && c.s.Reconnect.Policy == PolicyNone {
		c.bad(path, "nobody comes back under `policy: none`: give reconnect.policy, or `for` instead of `until: restored`")
	}
	if st.Over > p.longest() {
		c.bad(path+".over", "is %v, longer than the phase", st.Over)
	}
}

func (c *checker) drain(p *Phase, path string, connected int) {
	d := p.Drain
	if d.To < 0 || d.To >= connected && connected > 0 {
		c.bad(path+".to", "is %d, and %d are connected: a drain goes down", d.To, connected)
	}
	if d.How == CloseServer {
		c.bad(path+".how", "a server cannot be asked to end single connections: want close, fin or rst")
	}
	if d.Over > p.longest() {
		c.bad(path+".over", "is %v, longer than the phase", d.Over)
	}
}
