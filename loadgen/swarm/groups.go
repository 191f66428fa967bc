package swarm

import (
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// groups are the groups of clients.
type groups struct {
	list []scenario.Group
	tree *plan.Groups
}

func newGroups(s *scenario.Scenario) groups {
	g := groups{list: s.Groups}
	if len(g.list) == 0 {
		g.list = []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}}
	}
	shares := make([]float64, len(g.list))
	for i := range g.list {
		shares[i] = g.list[i].Share
	}
	g.tree = plan.NewGroups(shares, plan.Seed(s.Seed, seedGroups))
	return g
}

func (g *groups) of(client uint32) int { return g.tree.Of(client) }

// healthy reports whether clients of a group read what comes.
func (g *groups) healthy(i uint8) bool {
	m := g.list[i].Read.Mode
	return m == scenario.ReadDrain || m == ""
}

// topicPlan is who subscribes to what.
type topicPlan struct {
	zipf  plan.Zipf
	per   int
	of    []uint32 // per topics of each client of this worker
	names []string
}

// chooseTopics plans the subscriptions of the clients.
func (w *Worker) chooseTopics() {
	t := w.s.Topics
	if t.Count <= 0 {
		return
	}
	w.topics.zipf = plan.NewZipf(t.Count, t.Zipf, plan.Seed(w.s.Seed, seedTopics))
	w.topics.per = min(max(t.PerClient, 0), t.Count)
	w.topics.of = make([]uint32, 0, int(w.count)*w.topics.per)
	for i := range w.count {
		w.topics.of = w.topics.zipf.AppendTopics(w.topics.of, w.global(i), w.topics.per)
	}
	w.topics.names = make([]string, t.Count)
	for i := range w.topics.names {
		w.topics.names[i] = topicName(t.Prefix, i)
	}
}

// topicsOf returns the topics of a client.
func (w *Worker) topicsOf(i uint32) []uint32 {
	n := uint32(w.topics.per)
	return w.topics.of[i*n : (i+1)*n]
}

// topicNames is topicsOf for the dialect.
func (w *Worker) topicNames(i uint32) []string {
	if w.topics.per == 0 {
		return nil
	}
	names := make([]string, 0, w.topics.per)
	for _, t := range w.topicsOf(i) {
		names = append(names, w.topics.names[t])
	}
	return names
}
