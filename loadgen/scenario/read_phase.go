package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (r *reader) phases(n *node, path string, s *Scenario) {
	// Room for all: later steps keep pointers into it.
	s.Phases = make([]Phase, 0, MaxPhases)
	r.list(n, path, MaxPhases, func(n *node, path string) {
		s.Phases = append(s.Phases, Phase{})
		r.phase(n, path, s, &s.Phases[len(s.Phases)-1])
	})
}

func (r *reader) phase(n *node, path string, s *Scenario, p *Phase) {
	all := &s.Clients.Count
	r.object(n, path,
		field{"name", r.name(&p.Name)},
		field{"warmup", r.boolean(&p.Warmup)},
		field{"for", r.duration(&p.For)},
		field{"until", value(r, &p.Until, parseUntil)},
		field{"timeout", r.duration(&p.Timeout)},
		field{"ramp", func(n *node, path string) {
			p.Ramp = &Ramp{To: -1}
			r.object(n, path, append(r.arrival(&p.Ramp.Arrival, path), field{"to", r.portion(&p.Ramp.To, all)})...)
		}},
		field{"publish", func(n *node, path string) { r.publishes(n, path, s, p) }},
		field{"churn", func(n *node, path string) {
			p.Churn = &Churn{}
			r.object(n, path, append(r.arrival(&p.Churn.Arrival, path), field{"how", r.how(&p.Churn.How)})...)
		}},
		field{"storm", func(n *node, path string) {
			p.Storm = &Storm{}
			r.object(n, path,
				field{"share", r.share(&p.Storm.Share)},
				field{"how", r.how(&p.Storm.How)},
				field{"over", r.duration(&p.Storm.Over)},
				field{"hook", oneOf(r, &p.Storm.Hook, "kill", "restart")},
			)
		}},
		field{"slow", func(n *node, path string) {
			p.Slow = &Slow{}
			r.object(n, path, field{"group", r.name(&p.Slow.Group)}, field{"share", r.share(&p.Slow.Share)}, field{"read", r.readMode(&p.Slow.Read)})
		}},
		field{"half_open", func(n *node, path string) {
			p.HalfOpen = &HalfOpen{}
			r.object(n, path, field{"group", r.name(&p.HalfOpen.Group)}, field{"share", r.share(&p.HalfOpen.Share)})
		}},
		field{"drain", func(n *node, path string) {
			p.Drain = &Drain{}
			r.object(n, path,
				field{"to", r.portion(&p.Drain.To, all)},
				field{"how", r.how(&p.Drain.How)},
				field{"over", r.duration(&p.Drain.Over)},
			)
		}},
	)
}

func (r *reader) how(dst *Close) func(*node, string) {
	return oneOf(r, dst, CloseFrame, CloseFIN, CloseRST, CloseServer)
}

// parseUntil reads connected, restored(99.9%), drained.
func parseUntil(text string) (Until, error) {
	name, share, inBrackets := strings.Cut(text, "(")
	u := Until{Share: 1}
	switch name {
	case "connected", "all_connected":
		u.Kind = UntilConnected
	case "restored":
		u.Kind = UntilRestored
	case "drained":
		u.Kind = UntilDrained
	default:
		return u, fmt.Errorf("%s: want connected, restored or drained, or with a share: restored(99.9%%)", quoted(text))
	}
	if !inBrackets {
		return u, nil
	}
	share, closed := strings.CutSuffix(share, ")")
	x, err := parseShare(share)
	if !closed || err != nil || x == 0 {
		return u, fmt.Errorf("%s: want a share above 0 in the brackets, such as %s(99.9%%)", quoted(text), name)
	}
	u.Share = x
	return u, nil
}

// publishes reads one publish, a list of them, or `same`: those of the last
// phase that has some.
func (r *reader) publishes(n *node, path string, s *Scenario, p *Phase) {
	if n.kind == scalarNode && n.text == "same" {
		for i := len(s.Phases) - 2; i >= 0; i-- {
			if len(s.Phases[i].Publish) > 0 {
				r.same(fmt.Sprintf("phases[%d].publish", i), path)
				p.Publish = slices.Clone(s.Phases[i].Publish)
				return
			}
		}
		r.found.add(n.at, path, "`same` is what the phase before publishes: none does")
		return
	}
	p.Publish = make([]Publish, 0, MaxPublish)
	r.list(n, path, MaxPublish, func(n *node, path string) {
		p.Publish = append(p.Publish, Publish{})
		r.publish(n, path, &p.Publish[len(p.Publish)-1])
	})
}

// same notes that what was written at path from counts for path to as well.
func (r *reader) same(from, to string) {
	for path := range r.at {
		if rest, below := strings.CutPrefix(path, from+"["); below {
			r.at[to+"["+rest] = r.at[to]
		}
	}
}

func (r *reader) publish(n *node, path string, p *Publish) {
	r.object(n, path, append(r.arrival(&p.Arrival, path),
		field{"to", oneOf(r, &p.To, ToAll, ToTopic, ToDevice, ToNode, ToSelf)},
		field{"class", oneOf(r, &p.Class, "live", "kept", "latest")},
		field{"size", r.sizes(&p.Size)},
		field{"ttl", r.duration(&p.TTL)},
		field{"among", r.count(&p.Among)},
		field{"batch", r.count(&p.Batch)},
		field{"wait", r.duration(&p.Wait)},
		field{"in_flight", r.count(&p.InFlight)},
		field{"retry", r.boolean(&p.Retry)},
	)...)
}

// sizes reads one size, or {p50: 128B, p99: 4KiB, max: 64KiB}.
func (r *reader) sizes(dst *Size) func(*node, string) {
	return func(n *node, path string) {
		if n.kind != mapNode {
			r.size(&dst.P50)(n, path)
			n = &node{kind: mapNode, at: n.at}
		}
		r.object(n, path, field{"p50", r.size(&dst.P50)}, field{"p99", r.size(&dst.P99)}, field{"max", r.size(&dst.Max)})
	}
}

// arrival returns the keys of a plan of due times: rate, arrival and burst.
// They stand beside the keys of what is planned.
func (r *reader) arrival(a *Arrival, owner string) []field {
	return []field{
		{"rate", r.rate(&a.Rate)},
		{"arrival", func(n *node, path string) {
			if n.kind != mapNode {
				oneOf(r, &a.Kind, Constant, Poisson, AtOnce)(n, path)
				n = &node{kind: mapNode, at: n.at}
			} else if len(n.entries) != 1 {
				r.found.add(n.at, path, "want one of linear, step, spike and replay here")
			}
			r.shapes(n, path, owner, a)
		}},
		{"burst", r.count(&a.Burst)},
	}
}

// shapes reads the arrivals that have keys of their own.
func (r *reader) shapes(n *node, path, owner string, a *Arrival) {
	as := func(k ArrivalKind, read func(n *node, path string)) func(*node, string) {
		return func(n *node, path string) {
			a.Kind = k
			read(n, path)
			r.later = append(r.later, func() {
				if at, both := r.at[owner+".rate"]; both {
					r.found.add(at, owner+".rate", "`rate` and `%s` are two plans: want one", k)
				}
			})
		}
	}
	r.object(n, path,
		field{"linear", as(Linear, func(n *node, path string) {
			r.object(n, path, field{"from", r.rate(&a.Rate)}, field{"to", r.rate(&a.To)})
		})},
		field{"step", as(Step, func(n *node, path string) {
			r.list(n, path, maxSteps, func(n *node, path string) {
				var x float64
				r.rate(&x)(n, path)
				a.Steps = append(a.Steps, x)
			})
		})},
		field{"spike", as(Spike, func(n *node, path string) {
			r.object(n, path, field{"rate", r.rate(&a.Rate)}, field{"to", r.rate(&a.To)},
				field{"at", r.duration(&a.At)}, field{"for", r.duration(&a.For)})
		})},
		field{"replay", as(Replay, func(n *node, path string) {
			r.object(n, path, field{"file", r.text(&a.File)}, field{"loop", r.boolean(&a.Loop)},
				field{"times", value(r, &a.Times, parseTimes)})
		})},
	)
}

// parseTimes reads the due times of a replay, as Text writes them: 0s 1.5s 2s.
func parseTimes(text string) ([]time.Duration, error) {
	words := strings.Fields(text)
	if len(words) > maxReplay {
		return nil, fmt.Errorf("%d times: want at most %d", len(words), maxReplay)
	}
	times := make([]time.Duration, len(words))
	for i, w := range words {
		d, err := parseDuration(w)
		if err != nil {
			return nil, err
		}
		times[i] = d
		if i > 0 && d < times[i-1] {
			return nil, fmt.Errorf("%s comes after %s: want ascending times", w, words[i-1])
		}
	}
	return times, nil
}
