package scenario

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"roost/loadgen/threshold"
)

// maxRoostPayload is what a roost takes: 64 KiB with the envelope, of at most
// 128 bytes, the id and the topic.
const maxRoostPayload = 64<<10 - 512

// checker looks for what cannot work. It reports by path, and goes on.
type checker struct {
	s      *Scenario
	set    func(path string) bool
	report func(path string, offset int, text string)

	noAPI bool // it has been said that there is none
}

// check calls report for every mistake of a resolved scenario; set tells
// whether a path was written, as opposed to a default. offset is where in the
// value the mistake is, in characters.
func check(s *Scenario, set func(path string) bool, report func(path string, offset int, text string)) {
	c := checker{s: s, set: set, report: report}
	c.target()
	c.clients()
	c.groups()
	c.topics()
	c.times()
	c.phases()
	c.thresholds()
	c.limits()
	c.server()
}

func (c *checker) bad(path, format string, args ...any) {
	c.report(path, 0, fmt.Sprintf(format, args...))
}

// within reports a count outside of its bounds.
func (c *checker) within(path string, n, least, most int) {
	if n < least || n > most {
		c.bad(path, "is %d: want %d to %d", n, least, most)
	}
}

// shareAbove0 reports a share that would do nothing.
func (c *checker) shareAbove0(path string, share float64) {
	if share <= 0 || share > 1 || math.IsNaN(share) {
		c.bad(path, "share is %s: want above 0, at most 100%%", formatFloat(share))
	}
}

func (c *checker) target() {
	t := &c.s.Target
	if len(t.URLs) == 0 {
		c.bad("target.url", "no URL: want ws://host:port/path")
	}
	for i, text := range t.URLs {
		c.url(elementPath("target.url", i), text, "ws", "/path")
	}
	for i, text := range t.APIs {
		c.url(elementPath("target.api", i), text, "http", "")
	}
	if len(t.APIs) > 0 && len(t.APIs) != len(t.URLs) {
		c.bad("target.api", "%d APIs for %d URLs: want none, or one for each URL, in the same order", len(t.APIs), len(t.URLs))
	}
	if t.Format == "bin" && t.Dialect != defaultDialect && t.Dialect != "" {
		c.bad("target.format", "only a roost has the format bin: leave it out with `dialect: %s`", t.Dialect)
	}
	if names := Dialects(); !slices.Contains(names, t.Dialect) {
		c.bad("target.dialect", "%s is no dialect: want %s", quoted(t.Dialect), oneOfThese(names))
	}
}

// elementPath is where element i of a list stands in the file, which may have
// the list as one text with commas.
func elementPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (c *checker) url(path, text, scheme, tail string) {
	u, err := url.Parse(text)
	want := fmt.Sprintf("want %s://host:port%s", scheme, tail)
	switch {
	case err != nil:
		c.bad(path, "%s is not a URL: %s", quoted(text), want)
	case strings.ContainsFunc(text, unicode.IsSpace):
		c.bad(path, "%s has a space in it: %s", quoted(text), want)
	case u.User != nil && strings.HasPrefix(path, "target."):
		c.bad(path, "%s: a user and a password are not sent to a server: %s", quoted(u.Redacted()), want)
	case u.Scheme == scheme+"s":
		c.bad(path, "%s: TLS is not spoken here: %s", quoted(text), want)
	case u.Scheme != scheme || u.Hostname() == "" || u.Fragment != "":
		c.bad(path, "%s: %s", quoted(text), want)
	default:
		if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
			c.bad(path, "%s has no port between 1 and 65535: %s", quoted(text), want)
		}
	}
}

func (c *checker) clients() {
	cl := &c.s.Clients
	c.within("clients.count", cl.Count, 1, MaxClients)
	c.within("clients.window", cl.Window, 1, 1<<16)
	c.within("clients.rcvbuf", cl.RcvBuf, 0, 1<<30)
	if cl.Timeout <= 0 {
		c.bad("clients.timeout", "is 0: want a time, such as 10s")
	}
	if len(cl.Prefix) > 64 || strings.ContainsFunc(cl.Prefix, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.bad("clients.prefix", "%s: want at most 64 printable ASCII characters without spaces", quoted(cl.Prefix))
	}
	for i, text := range cl.Sources {
		if !isSource(text) {
			c.bad(elementPath("clients.sources", i), "%s: want an address, a block such as 10.0.0.0/26, 127/8, or all", quoted(text))
		}
	}
	if lo, hi, ok := strings.Cut(cl.PortRange, "-"); cl.PortRange != "auto" && cl.PortRange != "none" && cl.PortRange != "" {
		from, err1 := strconv.ParseUint(lo, 10, 16)
		to, err2 := strconv.ParseUint(hi, 10, 16)
		if !ok || err1 != nil || err2 != nil || from == 0 || from > to {
			c.bad("clients.port_range", "%s: want auto, none, or ports such as 20000-60000", quoted(cl.PortRange))
		}
	}
}

func isSource(text string) bool {
	if text == "all" || text == "127/8" {
		return true
	}
	_, err1 := netip.ParseAddr(text)
	_, err2 := netip.ParsePrefix(text)
	return err1 == nil || err2 == nil
}

func (c *checker) groups() {
	names := map[string]int{}
	sum := 0.0
	for i, g := range c.s.Groups {
		path := groupPath(i)
		c.name(path, g.Name, "group", i, names)
		if g.Share == 0 && !c.set(path+".share") {
			c.bad(path, "group `%s` has no share, and nothing is left for it: one group may leave its share out, and has what the others leave", g.Name)
		} else {
			c.shareAbove0(path+".share", g.Share)
		}
		c.read(path+".read", g.Read)
		c.within(path+".rcvbuf", g.RcvBuf, 0, 1<<30)
		sum += g.Share
		for k, p := range c.s.Phases {
			if g.Name != "" && p.Name == g.Name {
				c.bad(path+".name", "group `%s` has the name of phase %d: a metric's name could mean both", g.Name, k+1)
			}
		}
	}
	if len(c.s.Groups) == 0 {
		c.bad("groups", "no groups: want at least one, or leave `groups` out")
	} else if math.Abs(sum-1) > 1e-9 {
		c.bad("groups", "shares add up to %s: want 1", formatFloat(math.Round(sum*1e9)/1e9))
	}
}

// FamilyNames are the first words of names of metrics that go on behind a dot,
// such as delivery.p99. A phase or group of such a name would make them mean two
// things. Phases may be called storm and silence, after what is in them: there
// is no metric silence.x of a phase, and storm.x of a phase is that of its storm.
var FamilyNames = []string{"delivery", "delivery_sent", "delivery_kernel", "connect", "greeting", "dial_lag", "send_lag", "publish_ack", "rx_lag",
	"restore", "restore_at", "fan_first", "fan_median", "fan_last", "fan_spread", "hiccup", "server", "system", "loadgen"}

// name wants a name that nobody else has.
func (c *checker) name(path, name, what string, i int, names map[string]int) {
	before, twice := names[name]
	switch {
	case name == "":
		c.bad(path+".name", "the %s has no name: give it one, results are told apart by it", what)
	case twice:
		c.bad(path+".name", "%s %d is called `%s` already: want different names", what, before+1, name)
	case slices.Contains(FamilyNames, name), name == "storm" && what == "group":
		c.bad(path+".name", "`%s` is the first word of metrics: their names, and those of this %s's metrics, could not be told apart", name, what)
	default:
		names[name] = i
	}
}

func (c *checker) read(path string, r Read) {
	if r.Mode == ReadRate && (r.Rate < 1 || r.Rate > 1<<40) {
		c.bad(path, "reads %s bytes a second: want at least 1, or never", formatFloat(r.Rate))
	}
}

func (c *checker) topics() {
	t := &c.s.Topics
	c.within("topics.count", t.Count, 0, MaxTopics)
	if t.Count > 0 {
		c.within("topics.per_client", t.PerClient, 1, min(64, t.Count))
	} else if c.set("topics.per_client") && t.PerClient > 0 {
		c.bad("topics.per_client", "is %d, and there are no topics: give topics.count", t.PerClient)
	}
	if t.Zipf > 10 {
		c.bad("topics.popularity", "zipf is %s: want 0 to 10; 1.1 is usual", formatFloat(t.Zipf))
	}
	if len(t.Prefix) > 64 || strings.ContainsFunc(t.Prefix, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.bad("topics.prefix", "%s: want at most 64 printable ASCII characters without spaces", quoted(t.Prefix))
	}
}

func (c *checker) times() {
	m := &c.s.Measure
	if m.Interval < 100*time.Millisecond || m.Interval > time.Hour {
		c.bad("measure.interval", "is %v: want 100ms to 1h", m.Interval)
	}
	if m.Deadline <= 0 || m.Deadline > time.Minute {
		c.bad("measure.deadline", "is %v: want above 0, at most 1m, which is what histograms hold", m.Deadline)
	}
	r := &c.s.Reconnect
	if r.Policy != PolicyNone && r.Policy != PolicyDialect && r.Base <= 0 {
		c.bad("reconnect.base", "is 0: want a time, such as 1s")
	}
	if r.Cap < r.Base {
		c.bad("reconnect.cap", "is %v, below the base of %v", r.Cap, r.Base)
	}
}

func (c *checker) thresholds() {
	if len(c.s.Thresholds) > maxList {
		c.bad("thresholds", "%d thresholds: want at most %d", len(c.s.Thresholds), maxList)
	}
	for i, text := range c.s.Thresholds {
		var wrong *threshold.Error
		if _, err := threshold.Parse(text); errors.As(err, &wrong) {
			c.report(fmt.Sprintf("thresholds[%d]", i), utf8.RuneCountInString(wrong.Text[:wrong.Offset]), err.Error())
		}
	}
}

func (c *checker) limits() {
	v := &c.s.Validity
	if v.CeilingFactor != 0 && v.CeilingFactor < 1 {
		c.bad("validity.ceiling_factor", "is %s: want at least 1 (2 is usual), or off", formatFloat(v.CeilingFactor))
	}
	if v.PSI > 100 {
		c.bad("validity.psi", "is %s: want a percentage from 0 to 100, or off", formatFloat(v.PSI))
	}
}

func (c *checker) server() {
	sv := &c.s.Server
	for i, text := range sv.Metrics {
		c.url(elementPath("server.metrics", i), text, "http", "/metrics")
	}
	for i, text := range sv.Pprof {
		c.url(elementPath("server.pprof", i), text, "http", "")
	}
	for i, dir := range sv.Cgroups {
		if !strings.HasPrefix(dir, "/") {
			c.bad(elementPath("server.cgroup", i), "%s: want a directory such as /sys/fs/cgroup/roost", quoted(dir))
		}
	}
}
