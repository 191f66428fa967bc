package scenario

import (
	"math"
	"time"
)

// Plan is what a scenario asks for, in numbers. Where due times are random they
// are means; where a phase ends by a condition it is taken to end as soon as it
// can, so sums and Length are lower bounds. Rates are of the busiest second.
type Plan struct {
	Phases             []PhasePlan
	Length             time.Duration
	MaxConnections     int
	TotalDials         uint64
	TotalMessages      uint64 // published
	ExpectedDeliveries uint64 // messages x subscribers
	PeakDialRate       float64
	PeakSendRate       float64
	PeakRequestRate    float64 // of sends, messages that share a request as one
	PeakDeliveryRate   float64
}

// PhasePlan is a phase of a Plan.
type PhasePlan struct {
	Name     string
	Start    time.Duration // since the run's begin
	Length   time.Duration
	Open     bool // ends by a condition: Length is the least
	From, To int  // connections at its begin and end
	Dials    uint64
	Messages uint64
	// Deliveries counts a message to all once for everybody who is connected when
	// it is due, slow readers included.
	Deliveries                       uint64
	DialRate, SendRate, DeliveryRate float64 // peaks
	RequestRate                      float64 // peak of sends, messages that share a request as one
}

// Plan returns what s asks for.
func (s *Scenario) Plan() Plan {
	var plan Plan
	connected := 0
	perTopic := s.perTopic()
	for i := range s.Phases {
		p := s.phasePlan(&s.Phases[i], connected, perTopic)
		p.Start = plan.Length
		plan.Phases = append(plan.Phases, p)
		plan.Length += p.Length
		plan.TotalDials += p.Dials
		plan.TotalMessages += p.Messages
		plan.ExpectedDeliveries += p.Deliveries
		plan.PeakDialRate = max(plan.PeakDialRate, p.DialRate)
		plan.PeakSendRate = max(plan.PeakSendRate, p.SendRate)
		plan.PeakRequestRate = max(plan.PeakRequestRate, p.RequestRate)
		plan.PeakDeliveryRate = max(plan.PeakDeliveryRate, p.DeliveryRate)
		plan.MaxConnections = max(plan.MaxConnections, p.From, p.To)
		connected = p.To
	}
	return plan
}

// maxBins bounds the work of planning a phase: an hour by seconds, longer ones
// in larger steps, whose mean rates then stand for their busiest second.
const maxBins = 3600

// phasePlan walks a phase in steps of a second or more.
func (s *Scenario) phasePlan(p *Phase, connected int, perTopic float64) PhasePlan {
	out := PhasePlan{Name: p.Name, Length: p.For, From: connected, To: after(p, connected), Open: p.Until.Kind != UntilTime}
	if out.Open {
		// A second is what anything takes at least.
		out.Length = max(expected(s, p, connected), time.Second)
	}
	width := max(time.Second, out.Length/maxBins)
	addressed := float64(max(out.From, out.To)) // devices that messages are for
	if p.Ramp != nil {
		addressed = max(addressed, float64(p.Ramp.To))
	}
	messages, deliveries, dials := 0.0, 0.0, 0.0
	for from := time.Duration(0); from < out.Length; from += width {
		to := min(from+width, out.Length)
		there := p.connections((from+to)/2, connected)
		sent, delivered := 0.0, 0.0
		sendRate, deliveryRate, requestRate := 0.0, 0.0, 0.0
		for k := range p.Publish {
			pub := &p.Publish[k]
			n := pub.Arrival.Planned(to, p.For) - pub.Arrival.Planned(from, p.For)
			audience, busiest := s.audience(pub, there, addressed, perTopic), pub.Arrival.busiest(n, width)
			sent, delivered = sent+n, delivered+n*audience
			sendRate, deliveryRate = sendRate+busiest, deliveryRate+busiest*audience
			requestRate += busiest / float64(max(pub.Batch, 1))
		}
		dialled := s.dialled(p, connected, from, to)
		messages, deliveries, dials = messages+sent, deliveries+delivered, dials+dialled
		// A part of a second has what all of it has.
		out.SendRate = max(out.SendRate, sendRate)
		out.RequestRate = max(out.RequestRate, requestRate)
		out.DeliveryRate = max(out.DeliveryRate, deliveryRate)
		out.DialRate = max(out.DialRate, dialled/width.Seconds())
	}
	out.Messages, out.Deliveries, out.Dials = whole(messages), whole(deliveries), whole(dials)
	return out
}

// busiest returns how many events the busiest second has of n that are planned
// in a step: a burst is in one second, however seldom it comes.
func (a *Arrival) busiest(n float64, step time.Duration) float64 {
	rate := n / step.Seconds()
	if n > 0 && a.Burst > 1 {
		rate = max(rate, float64(a.Burst))
	}
	return rate
}

// whole rounds, and stops where the sum over all phases would overflow.
func whole(x float64) uint64 { return uint64(math.Round(min(x, 1<<57))) }

// connections returns how many there are at t.
func (p *Phase) connections(t time.Duration, before int) float64 {
	n := float64(before)
	if r := p.Ramp; r != nil {
		if r.Arrival.Kind == AtOnce {
			n = float64(r.To)
		} else {
			n = min(n+r.Arrival.Planned(t, p.For), float64(max(r.To, before)))
		}
	}
	if d := p.Drain; d != nil && n > float64(d.To) {
		gone := 1.0
		if d.Over > 0 {
			gone = min(t.Seconds()/d.Over.Seconds(), 1)
		}
		n -= gone * (n - float64(d.To))
	}
	return n
}

// dialled returns the dials between two times: of the ramp, of churn, and one
// for each connection that a storm cuts if somebody dials again. How those are
// spread is the policy's affair: over Over and the first round of full jitter,
// or within a second.
func (s *Scenario) dialled(p *Phase, before int, from, to time.Duration) (n float64) {
	if r := p.Ramp; r != nil {
		if need := float64(r.To - before); r.Arrival.Kind == AtOnce && from == 0 {
			n += need
		} else if r.Arrival.Kind != AtOnce {
			n += min(r.Arrival.Planned(to, p.For), need) - min(r.Arrival.Planned(from, p.For), need)
		}
	}
	if c := p.Churn; c != nil {
		n += c.Arrival.Planned(to, p.For) - c.Arrival.Planned(from, p.For)
	}
	if st := p.Storm; st != nil && s.Reconnect.Policy != PolicyNone {
		spread := max(st.Over, time.Second)
		if s.Reconnect.Policy == PolicyFullJitter {
			spread = max(st.Over, s.Reconnect.Base, time.Second)
		}
		spread = min(spread, max(p.For, expected(s, p, before), time.Second))
		part := min(to, spread) - min(from, spread)
		n += st.Share * float64(before) * part.Seconds() / spread.Seconds()
	}
	return n
}

// audience returns how many get one message of a publish while there are so
// many connections. One to a device goes to any that the phase has at its begin
// or is to have at its ramp's end, connected just then or not.
func (s *Scenario) audience(p *Publish, connections, addressed, perTopic float64) float64 {
	switch p.To {
	case ToAll:
		return connections
	case ToNode:
		return connections / float64(max(len(s.Target.URLs), 1))
	case ToTopic:
		return perTopic * connections / float64(s.Clients.Count)
	}
	if p.Among > 0 {
		addressed = min(addressed, float64(p.Among)) // those that are dialled first
	}
	return min(connections/max(addressed, 1), 1)
}

// exactRanks is how many of the most popular topics are summed one by one; the
// rest goes in groups that grow by 1%, over which a power changes by a few
// percent of 1%.
const exactRanks = 1024

// perTopic returns how many subscribers the topic of a message has when all
// clients are connected. Messages and subscribers follow the same popularity:
// topic k is chosen with p(k) ~ 1/k^z. A client has PerClient different ones;
// drawing until there are so many gives topic k with 1 - (1 - p(k))^m, where m,
// the number of draws, makes these add up to PerClient. That all clients draw
// equally often is not quite so: the figure is within 6% for exponents up to 2.
func (s *Scenario) perTopic() float64 {
	t := &s.Topics
	if t.Count == 0 {
		return 0
	}
	clients := float64(s.Clients.Count)
	if t.Zipf == 0 || t.PerClient >= t.Count {
		return clients * min(float64(t.PerClient)/float64(t.Count), 1)
	}
	ranks := ranksOf(t.Count, t.Zipf)
	chosen := func(draws float64) (sum, weighted float64) {
		for _, r := range ranks {
			has := -math.Expm1(draws * math.Log1p(-min(r.p, 1-1e-12)))
			sum += r.n * has
			weighted += r.n * r.p * has
		}
		return sum, weighted
	}
	lo, hi := 0.0, 1.0
	for sum, _ := chosen(hi); sum < float64(t.PerClient) && hi < 1e15; sum, _ = chosen(hi) {
		lo, hi = hi, 2*hi
	}
	for range 60 {
		mid := (lo + hi) / 2
		if sum, _ := chosen(mid); sum < float64(t.PerClient) {
			lo = mid
		} else {
			hi = mid
		}
	}
	_, weighted := chosen(hi)
	return clients * weighted
}

// rankGroup is n topics of popularity p each.
type rankGroup struct{ n, p float64 }

func ranksOf(count int, zipf float64) (groups []rankGroup) {
	sum := 0.0
	for first := 1; first <= count; {
		n := 1
		if first > exactRanks {
			n = min(first/100, count-first+1)
		}
		p := math.Pow(float64(first)+float64(n-1)/2, -zipf)
		groups = append(groups, rankGroup{float64(n), p})
		sum += float64(n) * p
		first += n
	}
	for i := range groups {
		groups[i].p /= sum
	}
	return groups
}
