package scenario

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"roost/loadgen/threshold"
)

// Defaults of what a file need not say. The validity limits are those of
// DefaultValidity.
const (
	defaultSeed    = 1
	defaultCount   = 1000
	defaultPrefix  = "lg-"
	defaultTopics  = "t-"
	defaultDialect = "roost"

	// What roostd listens on where its flags do not say otherwise.
	defaultURL  = "ws://127.0.0.1:8080/v1/connect"
	defaultEcho = "ws://127.0.0.1:8080/v1/echo"
	apiPort     = "8081"
	urlPort     = "8080"

	// 256 handshakes under way keep a server's accept queue below its usual 4096
	// for up to 16 workers, and are enough for 25,000 a second at 10 ms each.
	defaultWindow = 256
	// A client that has waited so long has gone elsewhere.
	defaultTimeout = 10 * time.Second
	// A dial rate that any server of interest takes, so that a scenario that does
	// not care about dialling is not about dialling.
	defaultRampRate = 1000
	defaultSize     = 128
	// Longer than a reconnect storm, and gone soon after the run.
	defaultTTL = 10 * time.Minute

	defaultInterval = time.Second
	// Ten times what anybody calls prompt; beyond it nobody waits.
	defaultDeadline = 10 * time.Second
	// One read in a hundred costs a recvmsg, and says what the generator adds.
	defaultStamps = 0.01

	defaultBase = time.Second
	defaultCap  = 30 * time.Second

	defaultStormShare = 0.5
	defaultSlowShare  = 0.1
	defaultDrainOver  = 10 * time.Second
	// How long a condition may take beyond what was planned until it holds.
	defaultPatience = time.Minute
)

// DefaultValidity returns the limits of a valid run, for a run with thresholds.
func DefaultValidity(thresholds []string) Validity {
	return Validity{
		MinRate: 0.995,
		SendLag: sendLag(thresholds),
		// The paced thread wakes each 0.5 ms. On a shared machine one wake-up in a
		// thousand is late by some milliseconds (measured: p99 of a 1 ms sleep 5 ms
		// under load); 10 ms is where latencies would be told wrong.
		Hiccup: 10 * time.Millisecond,
		// More than a fifth, and a good part of the latency is the generator's.
		RxLagShare: 0.2,
		// Queueing on a core grows without bound towards 1; at 0.8 the mean wait is
		// four services.
		CPU: 0.8,
		// A worker wakes some 3000 times a second: waiting 17 us each time, as on a
		// quiet machine, is 5 %. Beside the server more is let pass: package
		// validity.
		RunDelay:      0.1,
		PSI:           20,
		GCPause:       time.Millisecond,
		CeilingFactor: 2,
	}
}

// Bounds of the default limit of send lag.
const (
	leastSendLag = time.Millisecond // two of the worker's wake-ups
	mostSendLag  = 10 * time.Millisecond
)

// sendLag is a tenth of the tightest latency threshold, within bounds: lag that
// is larger could decide it.
func sendLag(thresholds []string) time.Duration {
	lag := mostSendLag
	for _, text := range thresholds {
		e, err := threshold.Parse(text)
		if err == nil && strings.Contains(e.Metric, "delivery.p") && (e.Op == threshold.Less || e.Op == threshold.LessEqual) {
			lag = min(lag, time.Duration(e.Value/10))
		}
	}
	return max(lag, leastSendLag)
}

// setDefault sets what was not written.
func setDefault[T any](set bool, dst *T, v T) {
	if !set {
		*dst = v
	}
}

// resolveRun fills in everything but the phases.
func resolveRun(s *Scenario, set func(path string) bool) {
	setDefault(set("seed"), &s.Seed, defaultSeed)
	resolveTarget(s, set)
	resolveClients(s, set)
	resolveGroups(s, set)
	if s.Topics.Count > 0 {
		setDefault(set("topics.per_client"), &s.Topics.PerClient, 1)
	}
	setDefault(set("topics.prefix"), &s.Topics.Prefix, defaultTopics)
	resolveReconnect(s, set)
	setDefault(set("measure.interval"), &s.Measure.Interval, defaultInterval)
	setDefault(set("measure.deadline"), &s.Measure.Deadline, defaultDeadline)
	setDefault(set("measure.kernel_stamps"), &s.Measure.KernelStamps, defaultStamps)

	v := DefaultValidity(s.Thresholds)
	if s.Clients.Spin {
		v.CPU = 0 // who never sleeps uses a core, whatever there is to do
	}
	setDefault(set("validity.min_rate"), &s.Validity.MinRate, v.MinRate)
	setDefault(set("validity.send_lag"), &s.Validity.SendLag, v.SendLag)
	setDefault(set("validity.hiccup"), &s.Validity.Hiccup, v.Hiccup)
	setDefault(set("validity.rx_lag_share"), &s.Validity.RxLagShare, v.RxLagShare)
	setDefault(set("validity.cpu"), &s.Validity.CPU, v.CPU)
	setDefault(set("validity.run_delay"), &s.Validity.RunDelay, v.RunDelay)
	setDefault(set("validity.psi"), &s.Validity.PSI, v.PSI)
	setDefault(set("validity.gc_pause"), &s.Validity.GCPause, v.GCPause)
	setDefault(set("validity.ceiling_factor"), &s.Validity.CeilingFactor, v.CeilingFactor)
}

// resolveTarget: an echo is plain and at /v1/echo, everything else is roost's.
// The API of a roost is where its URL is, at the next port.
func resolveTarget(s *Scenario, set func(path string) bool) {
	echo := slices.ContainsFunc(s.Phases, func(p Phase) bool {
		return slices.ContainsFunc(p.Publish, func(p Publish) bool { return p.To == ToSelf })
	})
	t := &s.Target
	if echo {
		setDefault(set("target.url"), &t.URLs, []string{defaultEcho})
		setDefault(set("target.dialect"), &t.Dialect, "plain")
	}
	setDefault(set("target.url") || echo, &t.URLs, []string{defaultURL})
	setDefault(set("target.dialect") || echo, &t.Dialect, defaultDialect)
	setDefault(set("target.format"), &t.Format, "json")
	if set("target.api") || t.Dialect != defaultDialect {
		return
	}
	for _, text := range t.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Port() != urlPort {
			t.APIs = nil // cannot be guessed; check asks for it where it is needed
			return
		}
		t.APIs = append(t.APIs, "http://"+strings.TrimSuffix(u.Host, urlPort)+apiPort)
	}
}

func resolveClients(s *Scenario, set func(path string) bool) {
	c := &s.Clients
	setDefault(set("clients.count"), &c.Count, defaultCount)
	setDefault(set("clients.prefix"), &c.Prefix, defaultPrefix)
	setDefault(set("clients.port_range"), &c.PortRange, "auto")
	setDefault(set("clients.window"), &c.Window, defaultWindow)
	setDefault(set("clients.timeout"), &c.Timeout, defaultTimeout)
	if !set("clients.sources") && len(s.Target.URLs) > 0 && !slices.ContainsFunc(s.Target.URLs, func(u string) bool { return !isLoopback4(u) }) {
		c.Sources = []string{"127/8"}
	}
}

// isLoopback4 reports a URL whose host is in 127.0.0.0/8: any address of it may
// be a source then.
func isLoopback4(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Is4() && addr.IsLoopback()
}

// resolveGroups: one group may leave its share out, and has what the others
// leave.
func resolveGroups(s *Scenario, set func(path string) bool) {
	if len(s.Groups) == 0 && !set("groups") {
		s.Groups = []Group{{Name: "all", Share: 1, AnswerPing: true}}
	}
	rest, open := 1.0, -1
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Read.Mode == "" {
			g.Read.Mode = ReadDrain
		}
		switch {
		case set(groupPath(i) + ".share"):
			rest -= g.Share
		case open < 0:
			open = i
		}
	}
	if open >= 0 && !(len(s.Groups) == 1 && s.Groups[0].Share == 1) {
		s.Groups[open].Share = max(rest, 0)
	}
}

// resolveReconnect: without a storm or churn nobody comes back unless the file
// says so, since a connection that is lost then is a finding.
func resolveReconnect(s *Scenario, set func(path string) bool) {
	ends := slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.Storm != nil || p.Churn != nil })
	policy := PolicyNone
	switch {
	case ends && s.Target.Dialect == defaultDialect:
		policy = PolicyDialect
	case ends:
		policy = PolicyFullJitter
	}
	setDefault(set("reconnect.policy"), &s.Reconnect.Policy, policy)
	setDefault(set("reconnect.base"), &s.Reconnect.Base, defaultBase)
	setDefault(set("reconnect.cap"), &s.Reconnect.Cap, max(defaultCap, s.Reconnect.Base))
	setDefault(set("reconnect.resume"), &s.Reconnect.Resume, s.Target.Dialect == defaultDialect)
}
