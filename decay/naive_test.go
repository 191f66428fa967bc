package decay

import (
	"math"
	"slices"
	"time"
)

// naive is the pipeline as one would write it down: it keeps every sample, sorts,
// and computes all anew at each step. Pipeline must agree with it.
type naive struct {
	set   Settings
	nodes []*naiveNode
	past  [NumSignals][][]float64 // cut levels of each step
	mean  float64                 // relative score by capacity, of the last step
}

type naiveNode struct {
	handle   Node
	capacity float64
	joined   time.Duration
	samples  []Sample
	share    float64
	status   Status
	z        [NumSignals]float64
}

// level smooths the node's samples of one signal; NaN if the last one lacks it.
func (n *naiveNode) level(s int, set *Settings) float64 {
	level, last := math.NaN(), time.Duration(0)
	for i := range n.samples {
		v := n.samples[i].values()[s]
		at := n.samples[i].At
		dt := at - last
		last = at
		if !(v >= 0) || math.IsInf(v, 0) {
			level = math.NaN()
			continue
		}
		v = min(v, 1e15) / set.Signals[s].Scale
		if signals[s].perNode {
			v /= n.capacity
		}
		keep := math.Exp(-dt.Seconds() / set.Tau.Seconds())
		if math.IsNaN(level) || set.Tau < 0 || dt < 0 {
			keep = 0
		}
		if keep == 0 {
			level = v
		} else {
			level = keep*level + (1-keep)*v
		}
	}
	return level
}

func (n *naiveNode) put(s Sample, set *Settings) {
	if k := len(n.samples); k > 0 {
		before := n.samples[k-1].At
		if s.At <= before && before-s.At <= set.Expire {
			return
		}
		if s.At < before {
			n.samples = nil
		}
	}
	n.samples = append(n.samples, s)
}

func (v *naive) blend(s int) float64 {
	if v.set.Form == Given && Signal(s) > Connections {
		return 0
	}
	return v.set.Signals[s].Weight
}

func (v *naive) statusOf(n *naiveNode, now time.Duration) Status {
	known := false
	for s := range NumSignals {
		known = known || v.blend(s) > 0 && !math.IsNaN(n.level(s, &v.set))
	}
	switch {
	case !known:
		return Unsampled
	case (now - n.samples[len(n.samples)-1].At).Abs() > v.set.Expire:
		return Expired
	case now >= n.joined && now-n.joined < v.set.Blackout:
		return Blackout
	}
	return Measured
}

// sortedQuantile is type 7 of Hyndman and Fan.
func sortedQuantile(v []float64, p float64) float64 {
	v = slices.Sorted(slices.Values(v))
	h := float64(len(v)-1) * p
	k := int(h)
	if k >= len(v)-1 {
		return v[len(v)-1]
	}
	return v[k] + (h-float64(k))*(v[k+1]-v[k])
}

// cutNodes is how many of n nodes lie beyond the value that they are cut to.
func cutNodes(n int, cut float64) (k int) {
	for float64(k)+1e-9 < float64(n-1)*cut {
		k++
	}
	return k
}

// cutOf cuts v as set says, and returns the bounds.
func cutOf(v []float64, set *Settings) (cut []float64, lo, hi float64) {
	lo, hi = 0, math.Inf(1)
	if len(v) == 0 {
		return nil, lo, hi
	}
	sorted := slices.Sorted(slices.Values(v))
	if k, m := cutNodes(len(v), set.CutLow), cutNodes(len(v), set.CutHigh); !set.CutOwn && k+m < len(v) {
		lo, hi = sorted[k], sorted[len(v)-1-m]
	} else {
		lo, hi = sortedQuantile(v, max(set.CutLow, 0)), sortedQuantile(v, 1-max(set.CutHigh, 0))
	}
	if set.CutLow < 0 {
		lo = 0
	}
	if set.CutHigh < 0 {
		hi = math.Inf(1)
	}
	for _, x := range v {
		cut = append(cut, min(max(x, lo), hi))
	}
	return cut, lo, hi
}

func meanSigma(v []float64) (mean, sigma float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sigma += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(sigma)
}

func (v *naive) step(now time.Duration) {
	set := &v.set
	var mean, sigma, lo, hi [NumSignals]float64
	var used [NumSignals]bool
	for _, n := range v.nodes {
		n.status = v.statusOf(n, now)
	}
	for s := range NumSignals {
		var levels []float64
		for _, n := range v.nodes {
			if l := n.level(s, set); n.status == Measured && !math.IsNaN(l) {
				levels = append(levels, l)
			}
		}
		var cut []float64
		cut, lo[s], hi[s] = cutOf(levels, set)
		v.past[s] = append(v.past[s], cut)
		var pool []float64
		for _, c := range v.past[s][max(0, len(v.past[s])-set.Window):] {
			pool = append(pool, c...)
		}
		if used[s] = len(pool) > 0 && v.blend(s) > 0; used[s] {
			mean[s], sigma[s] = meanSigma(pool)
			sigma[s] = max(sigma[s], set.SigmaFloor*mean[s], set.ScaleFloor, 1e-9*mean[s], 1e-12)
		}
	}
	for _, n := range v.nodes {
		if n.status != Measured {
			continue
		}
		z, total, own, atMean := 0.0, 0.0, 0.0, 0.0
		for s := range NumSignals {
			l := n.level(s, set)
			if !used[s] || math.IsNaN(l) {
				continue
			}
			if set.CutOwn {
				l = min(max(l, lo[s]), hi[s])
			}
			w := v.blend(s)
			n.z[s] = min(max((l-mean[s])/sigma[s], -set.ZClip), set.ZClip)
			z += w * n.z[s]
			total += w
			own += w * v.form(n, s, l)
			atMean += w * v.form(n, s, mean[s])
		}
		relative := math.Exp(-set.Beta * z / total)
		if set.Form != ZScore {
			relative = own / atMean
			if own == 0 && atMean == 0 {
				relative = 1
			}
		}
		n.share = min(max(relative, set.Min), set.Max)
	}
	v.unknown(now)
}

// form is a signal's score by the other forms.
func (v *naive) form(n *naiveNode, s int, level float64) float64 {
	x := level
	if v.set.Form == Given || Signal(s) == CPU {
		x *= v.set.Signals[s].Scale
		if Signal(s) == CPU && v.set.Form == Scaled {
			x = 100 * level
		}
		if signals[s].perNode {
			x *= n.capacity
		}
	}
	per := 1.0
	if v.set.Form == Given {
		per = 200
	}
	switch Signal(s) {
	case CPU:
		return 1 - 1/(1+math.Exp(-x/80))
	case Latency:
		return 1 / (1 + math.Log(x+1))
	}
	return math.Exp(-x / per)
}

// unknown caps joiners and gives the mean to nodes of unknown load.
func (v *naive) unknown(now time.Duration) {
	set := &v.set
	joiner := func(n *naiveNode) bool {
		return set.JoinCap > 0 && now >= n.joined && now-n.joined < set.JoinTime
	}
	// due is what JoinCap times the mean weight is, if joiners get no more than b;
	// a JoinCap below 1 also binds those of unknown load.
	due := func(b float64) float64 {
		w, c := 0.0, 0.0
		for _, n := range v.nodes {
			r := n.share
			switch {
			case joiner(n) && n.status != Measured && set.JoinCap < 1:
				r = b
			case n.status != Measured:
				continue
			case joiner(n):
				r = min(r, b)
			}
			w += r * n.capacity
			c += n.capacity
		}
		return set.JoinCap * w / c
	}
	joinCap := math.Inf(1)
	if slices.ContainsFunc(v.nodes, joiner) && slices.ContainsFunc(v.nodes, func(n *naiveNode) bool { return n.status == Measured && !joiner(n) }) {
		lo, hi := 0.0, 2*set.JoinCap*set.Max
		for range 200 {
			if mid := (lo + hi) / 2; due(mid) >= mid {
				lo = mid
			} else {
				hi = mid
			}
		}
		joinCap = max(lo, set.Min)
	}
	w, c := 0.0, 0.0
	for _, n := range v.nodes {
		if n.status == Measured {
			if joiner(n) {
				n.share = min(n.share, joinCap)
			}
			w += n.share * n.capacity
			c += n.capacity
		}
	}
	v.mean = 1
	if c > 0 {
		v.mean = w / c
	}
	for _, n := range v.nodes {
		if n.status == Measured {
			continue
		}
		if set.Unknown == MeanScore {
			n.share = v.mean
		}
		if joiner(n) {
			n.share = min(n.share, joinCap)
		}
	}
}
