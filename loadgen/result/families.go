package result

import "roost/loadgen/tally"

// family is a kind of metric: a histogram with its quantiles, or a value.
type family struct {
	name     string // of the metric; a histogram's go on with .p99
	unit     string
	better   string
	ofGroups bool   // groups have it too
	needs    string // what has to be for there to be a value
	// One of the two.
	hist  func(*scope) *tally.Hist
	value func(*scope) (value float64, note string, ok bool)
}

const (
	lower  = "lower"
	higher = "higher"
)

// families are all metrics, in the order in which they are listed.
var families = concat(
	[]family{
		groupHist(tally.Delivery, "nothing was due to anybody"),
		groupHist(tally.DeliverySent, "nothing was delivered"),
		groupHist(tally.DeliveryKernel, "no delivery was stamped by the kernel: measure.kernel_stamps is the share that is"),
		phaseHist(tally.Connect, "nobody dialled"),
		phaseHist(tally.Greeting, "nobody dialled"),
		phaseHist(tally.DialLag, "nobody dialled"),
		phaseHist(tally.SendLag, "nothing was published"),
		phaseHist(tally.PublishAck, "nothing was published that is answered"),
		phaseHist(tally.RxLag, "no delivery was stamped by the kernel: measure.kernel_stamps is the share that is"),
		phaseHist(tally.Restore, "no connection was lost and came back"),
		phaseHist(tally.RestoreAt, "there was no storm"),
		phaseHist(tally.FanFirst, "nothing was published to many"),
		phaseHist(tally.FanMedian, "nothing was published to many"),
		phaseHist(tally.FanLast, "nothing was published to many"),
		phaseHist(tally.FanSpread, "nothing was published to many"),
		phaseHist(tally.Silence, "nobody fell silent"),
		phaseHist(tally.Hiccup, "the workers' hiccups were not measured"),
	},
	countFamilies,
	[]family{
		{name: "lost", unit: "1", better: lower, ofGroups: true, needs: "no phase was run", value: lost},
		{name: "errors", unit: "1", better: lower, needs: "no phase was run", value: errorCount},
		{name: "delivered_ratio", unit: "share", better: higher, ofGroups: true, needs: "nothing was due to anybody", value: deliveredRatio},
		{name: "connected", unit: "1", better: higher, needs: "no phase was run", value: connected},
		rate("dial_rate", "nobody dialled", func(c *tally.Counts) uint64 { return c.Dials }),
		rate("ready_rate", "nobody became ready", func(c *tally.Counts) uint64 { return c.Ready }),
		rate("send_rate", "nothing was sent", func(c *tally.Counts) uint64 { return c.Sent }),
		rate("delivery_rate", "nothing was delivered", func(c *tally.Counts) uint64 { return c.Delivered }),
	},
	stormFamilies,
	serverFamilies,
	generatorFamilies,
)

func concat(parts ...[]family) (all []family) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func phaseHist(id tally.HistID, needs string) family {
	return family{name: id.String(), unit: "ns", better: lower, needs: needs,
		hist: func(s *scope) *tally.Hist { return s.hist(id) }}
}

func groupHist(id tally.GroupHistID, needs string) family {
	return family{name: id.String(), unit: "ns", better: lower, needs: needs, ofGroups: true,
		hist: func(s *scope) *tally.Hist { return s.groupHist(id) }}
}

func rate(name, needs string, of func(*tally.Counts) uint64) family {
	return family{name: name, unit: "1/s", better: higher, needs: needs, ofGroups: true,
		value: func(s *scope) (float64, string, bool) {
			v, ok := s.rate(of)
			return v, "", ok
		}}
}

// countFamilies are the sums of tally.Counts.
var countFamilies = []family{
	count("dials", "", func(c *tally.Counts) uint64 { return c.Dials }),
	count("established", "", func(c *tally.Counts) uint64 { return c.Established }),
	count("ready", "", func(c *tally.Counts) uint64 { return c.Ready }),
	count("failed", lower, func(c *tally.Counts) uint64 { return c.Failed }),
	count("lost_connections", lower, func(c *tally.Counts) uint64 { return c.Lost }),
	count("cut", "", func(c *tally.Counts) uint64 { return c.Cut }),
	count("ended", "", func(c *tally.Counts) uint64 { return c.Ended }),
	count("held_dials", lower, func(c *tally.Counts) uint64 { return c.HeldDials }),
	count("redials", "", func(c *tally.Counts) uint64 { return c.Redials }),
	count("restored", "", func(c *tally.Counts) uint64 { return c.Restored }),
	count("resumed", "", func(c *tally.Counts) uint64 { return c.Resumed }),
	count("stormed_redials", "", func(c *tally.Counts) uint64 { return c.StormRedials }),
	count("stormed_resumed", "", func(c *tally.Counts) uint64 { return c.StormResumed }),
	count("beats", "", func(c *tally.Counts) uint64 { return c.Beats }),
	count("planned", "", func(c *tally.Counts) uint64 { return c.Planned }),
	count("sent", "", func(c *tally.Counts) uint64 { return c.Sent }),
	count("unsent", lower, func(c *tally.Counts) uint64 { return c.Unsent }),
	count("refused", lower, func(c *tally.Counts) uint64 { return c.Refused }),
	count("unknown", lower, func(c *tally.Counts) uint64 { return c.Unknown }),
	count("repeated", "", func(c *tally.Counts) uint64 { return c.Repeated }),
	count("acknowledged", "", func(c *tally.Counts) uint64 { return c.Acknowledged }),
	count("unacknowledged", lower, func(c *tally.Counts) uint64 { return c.Unacknowledged }),
	count("expected", "", func(c *tally.Counts) uint64 { return c.Expected }),
	count("delivered", "", func(c *tally.Counts) uint64 { return c.Delivered }),
	count("missing", lower, func(c *tally.Counts) uint64 { return c.Missing }),
	count("gap", lower, func(c *tally.Counts) uint64 { return c.Gap }),
	count("late", lower, func(c *tally.Counts) uint64 { return c.Late }),
	count("duplicate", lower, func(c *tally.Counts) uint64 { return c.Duplicate }),
	noted(count("reordered", "", func(c *tally.Counts) uint64 { return c.Reordered }), reorderedNote),
	count("wrong", lower, func(c *tally.Counts) uint64 { return c.Wrong }),
	count("stray", lower, func(c *tally.Counts) uint64 { return c.Stray }),
	count("foreign", "", func(c *tally.Counts) uint64 { return c.Foreign }),
	count("joining", "", func(c *tally.Counts) uint64 { return c.Joining }),
	count("clock_errors", lower, func(c *tally.Counts) uint64 { return c.ClockErrs }),
	count("bytes_in", "", func(c *tally.Counts) uint64 { return c.BytesIn }),
	count("bytes_out", "", func(c *tally.Counts) uint64 { return c.BytesOut }),
}

func count(name, better string, of func(*tally.Counts) uint64) family {
	unit := "1"
	if name == "bytes_in" || name == "bytes_out" {
		unit = "B"
	}
	return family{name: name, unit: unit, better: better, ofGroups: true, needs: "no phase was run",
		value: func(s *scope) (float64, string, bool) {
			c := s.counts()
			return float64(of(&c)), "", s.counted()
		}}
}

// reorderedNote is why reordered is neither good nor bad. To accuse the server a
// client had to know that the earlier message was answered before the later one
// was sent, of every worker's messages of the stream: neither the stamp nor a
// connection's account has room for that.
const reorderedNote = "messages published over HTTP overtake each other on the generator's own connections to the API: no fault of the server then"

// noted adds a note to a value.
func noted(f family, note string) family {
	value := f.value
	f.value = func(s *scope) (float64, string, bool) {
		v, _, ok := value(s)
		return v, note, ok
	}
	return f
}

// counted reports whether anything was counted in the scope at all.
func (s *scope) counted() bool {
	for _, p := range s.phases {
		if p.Tally != nil {
			return true
		}
	}
	return false
}

// lost is what did not come in time and as it was sent to clients that read.
func lost(s *scope) (float64, string, bool) {
	c := s.readers()
	return float64(c.Missing), "", s.counted()
}

func errorCount(s *scope) (float64, string, bool) {
	n := uint64(0)
	for _, p := range s.phases {
		for _, e := range p.Errors {
			n += e.Count
		}
	}
	return float64(n), "", s.counted()
}

func deliveredRatio(s *scope) (float64, string, bool) {
	c := s.readers()
	return float64(c.Delivered) / float64(c.Expected), "", c.Expected > 0
}

// connected is the number at the end of the last phase of the scope.
func connected(s *scope) (float64, string, bool) {
	if len(s.phases) == 0 {
		return 0, "", false
	}
	return float64(s.phases[len(s.phases)-1].Connected), "", true
}
