package calibrate

import (
	"fmt"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// ramp connects everybody.
const ramp = "  - {name: ramp, ramp: {rate: 1000/s}, timeout: 10s}\n"

// hold publishes for a while.
func hold(to string, rate int, d time.Duration) string {
	return fmt.Sprintf("%s  - {name: hold, publish: {to: %s, rate: %d/s}, for: %v}", ramp, to, rate, d)
}

// dialOnly dials for a while, whatever comes of it.
const dialOnly = "  - {name: hold, ramp: {rate: 500/s}, for: 1500ms}"

// floorTest is made before the others, and for them.
func floorTest(quick bool) *test {
	return &test{what: "none", clients: 20, phases: hold("self", 200, pick(quick, 1500*time.Millisecond, 15*time.Second)), timing: true,
		judge: func(m *measured) []Row {
			c := m.counts()
			return []Row{
				exact("sent", m.truth.Received, c.Sent),
				exact("delivered", m.truth.Delivered, c.Delivered),
				exact("missing", 0, c.Missing),
				{What: "floor: delivery p50", Expected: "-", Reported: ms(m.delivery(tally.Delivery).Quantile(.5)), OK: true},
				{What: "floor: delivery p99", Expected: "-", Reported: ms(m.delivery(tally.Delivery).Quantile(.99)), OK: true},
				{What: "floor: connect p50", Expected: "-", Reported: ms(connect(m)), OK: true},
			}
		}}
}

func connect(m *measured) int64 { return m.phase("ramp").Tally.Hists[tally.Connect].Quantile(.5) }

func pick[T any](quick bool, a, b T) T {
	if quick {
		return a
	}
	return b
}

// tests are all others. Quick ones take half a minute, the others five.
func tests(quick bool) []*test {
	return append(timingTests(quick), countTests(quick)...)
}

func timingTests(quick bool) []*test {
	freeze := pick(quick, "freeze=500ms@1s", "freeze=2s@10s")
	length := pick(quick, 3*time.Second, time.Minute)
	stop := pick(quick, time.Second, 2*time.Second)
	stopIn := pick(quick, 3*time.Second, 20*time.Second)
	return []*test{
		{behaviour: "delay=5ms,accept=50ms", clients: 20, phases: hold("self", 200, pick(quick, 1500*time.Millisecond, 15*time.Second)), timing: true,
			judge: func(m *measured) []Row {
				return []Row{
					near("delivery p50", m.truth.DelayP50+m.floor.p50, m.delivery(tally.Delivery).Quantile(.5), m.floor.slack()),
					near("connect p50", m.truth.AcceptP50+m.floor.connect, connect(m), m.floor.slack()+m.floor.connect),
					exact("missing", 0, m.counts().Missing),
				}
			}},
		{behaviour: "slow=100@100ms", clients: 20, phases: hold("self", 200, pick(quick, 2*time.Second, 30*time.Second)), timing: true, judge: judgeSlow},
		{behaviour: freeze, clients: 20, deadline: 4 * time.Second, phases: hold("self", 100, length), timing: true,
			judge: func(m *measured) []Row { return judgeFreeze(m, length) }},
		{what: fmt.Sprintf("worker stopped for %v", stop), clients: 20, deadline: 4 * time.Second, phases: hold("self", 100, stopIn), timing: true, stop: stop,
			judge: func(m *measured) []Row { return judgeStop(m, stopIn) }},
	}
}

// judgeSlow: one in a hundred takes 100 ms longer.
func judgeSlow(m *measured) []Row {
	d := m.delivery(tally.Delivery)
	slow := uint64(0)
	d.Each(func(v int64, n uint64) {
		if v >= int64(100*time.Millisecond) {
			slow += n
		}
	})
	many := exact("slower than 100 ms", m.truth.Slowed, slow)
	many.Timing, many.Below = true, slow < m.truth.Slowed
	return []Row{
		near("delivery p50", m.floor.p50, d.Quantile(.5), m.floor.slack()),
		near("delivery p99.5", m.truth.DelayP50+m.floor.p50, d.Quantile(.995), m.floor.tail()),
		many,
		exact("missing", 0, m.counts().Missing),
		exact("slow ones of the plan", m.truth.Due/100, m.truth.Slowed),
	}
}

// late is the percentile that a hold-up leaves, of messages at a constant rate:
// one that was due x before its end waits for x, so a share of (held - x) /
// length waits longer than x.
func late(q float64, held, length time.Duration) int64 {
	return int64(held - time.Duration((1-q)*float64(length)))
}

// perSecond is the rate of messages where something is held up: latencies are
// known to one gap between two of them.
const perSecond = 100

// gap is how much that makes, on both sides.
const gap = int64(2 * time.Second / perSecond)

// judgeFreeze: the server was away, and the generator was not. It goes on
// sending, so both latencies have it.
func judgeFreeze(m *measured, length time.Duration) []Row {
	want := late(.99, m.truth.Froze, length)
	due := m.delivery(tally.Delivery).Quantile(.99)
	return []Row{
		near("delivery p99, from due", want, due, gap+m.floor.tail()),
		near("delivery p99, from sent", due, m.delivery(tally.DeliverySent).Quantile(.99), m.floor.tail()),
		near("delivery max", int64(m.truth.Froze), m.delivery(tally.Delivery).Max(), gap+m.floor.tail()),
		exact("missing", 0, m.counts().Missing),
	}
}

// judgeStop: the generator was away. Messages went out late: from due that is
// seen, from sent it is not, and the run is not to be believed.
func judgeStop(m *measured, length time.Duration) []Row {
	want := late(.99, m.froze, length)
	sent := m.delivery(tally.DeliverySent).Quantile(.99)
	return []Row{
		near("delivery p99, from due", want, m.delivery(tally.Delivery).Quantile(.99), gap+m.floor.tail()),
		near("delivery p99, from sent", m.floor.p99, sent, int64(m.froze/10)),
		same("verdict", string(result.Invalid), string(m.Verdict)),
		exact("missing", 0, m.counts().Missing),
	}
}

func countTests(quick bool) []*test {
	// One in N of deliveries to all; N has no factor with the clients, so that
	// the faults go round.
	n := pick(quick, 97, 9973)
	all := hold("all", pick(quick, 50, 200), pick(quick, time.Second, 10*time.Second))
	clients := pick(quick, 40, 50)
	// What comes later is a miss as well: longer than tests that are made at the
	// same time hold each other up.
	deadline := pick(quick, 3*time.Second, 10*time.Second)
	toAll := func(name string, judge func(m *measured) []Row) *test {
		return &test{behaviour: fmt.Sprintf("%s=%d", name, n), clients: clients, path: "/all", deadline: deadline, phases: all, judge: func(m *measured) []Row {
			c := m.counts()
			lost := m.truth.Dropped + m.truth.Corrupted
			return append(judge(m),
				exact("expected", m.truth.Due, c.Expected),
				exact("missing", lost, c.Missing),
				exact("stray", 0, c.Stray),
				share("delivered ratio", 1-float64(lost)/float64(m.truth.Due), float64(c.Delivered)/float64(c.Expected)))
		}}
	}
	planned := func(m *measured) uint64 { return m.truth.Due / uint64(n) }
	return []*test{
		{what: "none, POST", clients: clients, path: "/", post: true, deadline: deadline, phases: all, judge: func(m *measured) []Row {
			c := m.counts()
			return []Row{exact("sent", m.truth.Received, c.Sent), exact("delivered", m.truth.Due, c.Delivered), exact("missing", 0, c.Missing),
				exact("publish_ack", m.truth.Received, m.hold().Tally.Hists[tally.PublishAck].Count())}
		}},
		// The phase ends long before the last answers come: they are no losses.
		{behaviour: "delay=700ms", clients: 20, deadline: 5 * time.Second, phases: hold("self", 100, time.Second), judge: func(m *measured) []Row {
			c := m.counts()
			return []Row{exact("delivered", m.truth.Delivered, c.Delivered), exact("missing", 0, c.Missing)}
		}},
		toAll("drop", func(m *measured) []Row { return []Row{exact("dropped, of the plan", planned(m), m.truth.Dropped)} }),
		toAll("duplicate", func(m *measured) []Row {
			return []Row{exact("duplicate", m.truth.Duplicated, m.counts().Duplicate), exact("duplicated, of the plan", planned(m), m.truth.Duplicated)}
		}),
		toAll("swap", func(m *measured) []Row { return []Row{exact("reordered", m.truth.Swapped, m.counts().Reordered)} }),
		toAll("corrupt", func(m *measured) []Row { return []Row{exact("wrong", m.truth.Corrupted, m.counts().Wrong)} }),
		{behaviour: "refuse=10", clients: 100, phases: dialOnly, judge: func(m *measured) []Row {
			return []Row{exact("failed", m.truth.Refused, m.counts().Failed), exact("upgrade: HTTP 503", m.truth.Asked/10, m.class("upgrade", "HTTP 503")),
				exact("ready", m.truth.Upgraded, m.counts().Ready), exact("connected", m.truth.Upgraded, uint64(m.hold().Connected))}
		}},
		{behaviour: "unanswered", clients: 20, timeout: 300 * time.Millisecond, phases: dialOnly, judge: func(m *measured) []Row {
			return []Row{exact("failed", m.truth.Unanswered, m.counts().Failed), exact("upgrade: timeout", 20, m.class("upgrade", "timeout"))}
		}},
		{behaviour: "stop-reading=3", clients: 20, phases: hold("self", 100, 1200*time.Millisecond), judge: judgeSilence},
		{behaviour: "stop-sending=50", clients: 20, phases: hold("self", 100, 1200*time.Millisecond), judge: judgeSilence},
		{behaviour: "close=4000@1s", clients: 20, phases: ramp + "  - {name: hold, for: 1500ms}", judge: func(m *measured) []Row {
			return []Row{exact("lost connections", m.truth.Closed, m.all().Lost), exact("open: close 4000", 20, m.class("open", "close 4000"))}
		}},
		{behaviour: "reset=1s", clients: 20, phases: ramp + "  - {name: hold, for: 1500ms}", judge: func(m *measured) []Row {
			return []Row{exact("lost connections", m.truth.Reset, m.all().Lost), exact("open: ECONNRESET", 20, m.class("open", "ECONNRESET"))}
		}},
	}
}

// judgeSilence: what is never answered is missing, and longer than anything.
func judgeSilence(m *measured) []Row {
	c := m.counts()
	return []Row{
		exact("delivered", m.truth.Delivered, c.Delivered),
		exact("missing", c.Sent-m.truth.Delivered, c.Missing),
		same("delivery p99", ms(tally.MissValue), ms(m.delivery(tally.Delivery).Quantile(.99))),
		exact("misses in the histogram", c.Sent-m.truth.Delivered, m.delivery(tally.Delivery).Misses),
	}
}
