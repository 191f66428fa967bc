package decay

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Off switches a setting off whose zero value means its default.
const Off = -1

// Form is how signals become a score.
type Form uint8

const (
	// ZScore compares a node with the others: e^(-Beta z), 1 at their mean.
	ZScore Form = iota
	// Given are the forms of the original report, on raw values:
	// cpu 1-1/(1+e^(-cpu/80)), latency 1/(1+ln(latency+1)), connections
	// e^(-connections/200). They know nothing of backlog and loop lag.
	Given
	// Scaled are the given forms on values divided by Scale, and for
	// connections and backlog by the capacity: latency 1/(1+ln(1+x)),
	// connections, backlog and lag e^(-x). CPU is a share already.
	Scaled
)

// Unknown is what a node gets whose load is not known: never sampled, its last
// sample too old, or in the blackout after it joined.
type Unknown uint8

const (
	MeanScore Unknown = iota // the mean relative score of the others, by capacity
	// HoldScore: its own last one. A node that is added or begins anew has none:
	// it holds the mean of then.
	HoldScore
)

// Settings is how weights are made of samples. The zero value of each field is
// its default; where a field says so, Off switches it off.
type Settings struct {
	Form    Form
	Signals [NumSignals]SignalSettings

	// Tau smooths each signal of each node: an old value counts e^(-dt/Tau).
	// Default 30 s; Off takes each sample as it is.
	Tau time.Duration

	// CutLow and CutHigh are the shares of nodes at either end whose values are
	// cut to the quantile there before mean and deviation are taken, so that a
	// few broken nodes do not move everyone. At least one is cut, of three nodes
	// and more, unless CutOwn is set. Default 0.05 each; at most 0.45; Off.
	CutLow, CutHigh float64
	// CutOwn also scores a node by its cut value. A node that is the only one
	// of its kind, as one that joins empty, then looks like its nearest peers:
	// with 5 % cut of 64 nodes the lowest three are not told from the fourth. The
	// quantiles are then linear between ranks, so that of few nodes the only hot
	// one is still told from the second.
	CutOwn bool

	// Window is the number of steps whose values are pooled for mean and
	// deviation, the present one included. Default 1; at most 1024.
	Window int
	// SigmaFloor is the least deviation, as a share of the mean: below it
	// differences are noise. Without it a balanced cluster amplifies its noise.
	// Default 0.05; Off.
	SigmaFloor float64
	// ScaleFloor is the least deviation as a share of Scale: what is small
	// against a full node does not matter however the nodes differ. Default
	// 0.01; Off.
	ScaleFloor float64
	ZClip      float64 // bound of |z|; default 3, at most 30
	Beta       float64 // exponent of the softmax; default 1, at most 10

	// Min and Max bound the weight, as multiples of capacity. Default 0.25
	// and 2; 0.001 <= Min <= 1 <= Max <= 1000.
	Min, Max float64

	Unknown  Unknown
	Expire   time.Duration // age at which a sample is unknown; default 3 min
	Blackout time.Duration // after a join its samples do not count; default 10 s; Off
	// JoinCap bounds the weight of a node for JoinTime after it joined, as a
	// multiple of the mean weight of all per unit of capacity, however many join
	// at once: so it is due no more than JoinCap times its fair share of new
	// connections. Min is not undercut for it. It bounds the target: the published
	// weight follows as Band and Step let it, and may exceed it a little while
	// those of the others fall. Default 2 for 15 min; Off.
	JoinCap  float64
	JoinTime time.Duration
}

// Preset returns settings by name: "default"; "nocapacity", where capacities are
// guesses: connections per capacity would be compared with a guess, so they are
// left out; "given", the original report's (top 1 % cut, per-metric forms on raw
// values); "scaled", the same forms by capacity; "window", a z-score over the
// last sample without a floor, which is what not to do.
func Preset(name string) (Settings, error) {
	var s Settings
	switch name {
	case "default":
	case "nocapacity":
		s.Signals[CPU].Weight, s.Signals[Latency].Weight, s.Signals[LoopLag].Weight = 0.7, 0.15, 0.15
	case "given", "scaled":
		s.Form = map[string]Form{"given": Given, "scaled": Scaled}[name]
		s.CutLow, s.CutHigh, s.CutOwn = Off, 0.01, true
		s.Signals[CPU].Weight, s.Signals[Latency].Weight, s.Signals[Connections].Weight = 1, 1, 1
	case "window":
		s.Tau, s.CutLow, s.CutHigh, s.SigmaFloor, s.ScaleFloor = Off, Off, Off, Off, Off
		s.Min, s.Max, s.JoinCap = 0.04, 25, Off
	default:
		return s, fmt.Errorf("no preset %q: there are default, nocapacity, given, scaled and window", name)
	}
	return s.WithDefaults(), nil
}

// WithDefaults returns s with zero fields replaced by their defaults, and Off
// left as it is.
func (s Settings) WithDefaults() Settings {
	sum := 0.0
	for i := range s.Signals {
		sum += math.Abs(s.Signals[i].Weight)
		setDefault(&s.Signals[i].Scale, signals[i].scale)
	}
	if sum == 0 {
		for i := range s.Signals {
			s.Signals[i].Weight = signals[i].weight
		}
	}
	setDefault(&s.Tau, DefaultTau)
	setDefault(&s.CutLow, 0.05)
	setDefault(&s.CutHigh, 0.05)
	setDefault(&s.Window, 1)
	setDefault(&s.SigmaFloor, 0.05)
	setDefault(&s.ScaleFloor, 0.01)
	setDefault(&s.ZClip, 3)
	setDefault(&s.Beta, 1)
	setDefault(&s.Min, 0.25)
	setDefault(&s.Max, 2)
	setDefault(&s.Expire, 3*time.Minute)
	setDefault(&s.Blackout, 10*time.Second)
	setDefault(&s.JoinCap, 2)
	setDefault(&s.JoinTime, 15*time.Minute)
	return s
}

// Validate returns nil, or all that is wrong and what to do about it. Defaults
// are filled in first.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	var c checks
	sum := 0.0
	for i, sig := range s.Signals {
		if sig.Weight != 0 {
			c.within(Signal(i).String()+" weight", sig.Weight, 1e-6, 1e6, "0 leaves the signal out")
		}
		c.within(Signal(i).String()+" scale", sig.Scale, 1e-6, 1e15, "give the value of a full node, in "+scaleUnit(Signal(i)))
		if s.Form != Given || Signal(i) <= Connections {
			sum += sig.Weight
		}
	}
	if !(sum > 0) {
		c.add("no signal has a weight that form %d knows: give one, or leave all 0 for the default blend", s.Form)
	}
	c.known("form", int(s.Form), int(Scaled))
	c.known("unknown", int(s.Unknown), int(HoldScore))
	c.duration("tau", s.Tau, time.Millisecond, 24*time.Hour, true)
	c.off("cut low", s.CutLow, 0, 0.45, "it is the share of nodes cut at that end")
	c.off("cut high", s.CutHigh, 0, 0.45, "it is the share of nodes cut at that end: 0.01 for the top 1 %")
	c.within("window", float64(s.Window), 1, maxWindow, "it is counted in steps")
	c.off("sigma floor", s.SigmaFloor, 0, 10, "0.05 is 5 % of the mean")
	c.off("scale floor", s.ScaleFloor, 0, 10, "0.01 is 1 % of a full node")
	c.within("z clip", s.ZClip, 0.1, 30, "3 is usual")
	c.within("beta", s.Beta, 0.001, 10, "1 is usual")
	c.within("min", s.Min, 0.001, 1, "it is a multiple of capacity")
	c.within("max", s.Max, 1, 1000, "it is a multiple of capacity")
	c.duration("expire", s.Expire, time.Second, 24*time.Hour, false)
	c.duration("blackout", s.Blackout, 0, time.Hour, true)
	c.off("join cap", s.JoinCap, 0.01, 1000, "it is a multiple of the fair share")
	c.duration("join time", s.JoinTime, 0, 24*time.Hour, true)
	return c.err("decay settings")
}

func scaleUnit(s Signal) string {
	if u := s.Unit(); u != "" {
		return u
	}
	return "connections"
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// checks collects what is wrong.
type checks struct{ wrong []error }

func (c *checks) add(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(format, args...))
}

func (c *checks) within(name string, v, lo, hi float64, hint string) {
	if !(v >= lo && v <= hi) {
		c.add("%s is %v, not within %v to %v: %s", name, v, lo, hi, hint)
	}
}

// off is within for a setting that may be Off.
func (c *checks) off(name string, v, lo, hi float64, hint string) {
	if v != Off {
		c.within(name, v, lo, hi, hint+"; -1 switches it off")
	}
}

func (c *checks) duration(name string, v, lo, hi time.Duration, off bool) {
	switch {
	case v >= lo && v <= hi || off && v == Off:
	case off:
		c.add("%s is %v, not within %v to %v: -1 switches it off", name, v, lo, hi)
	default:
		c.add("%s is %v, not within %v to %v: 0 means the default", name, v, lo, hi)
	}
}

func (c *checks) known(name string, v, last int) {
	if v < 0 || v > last {
		c.add("%s is %d: there are 0 to %d", name, v, last)
	}
}

func (c *checks) err(of string) error {
	if len(c.wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", of, errors.Join(c.wrong...))
}
