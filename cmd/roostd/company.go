package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
	"roost/server/ringmirror"
)

const (
	// companyWithin is how long etcd and Redis may speak of different nodes at a start: a
	// Redis that has lost its data hears of all nodes within a beat (1 s), an etcd that has
	// within a registration's retry, and of the dead etcd still speaks for a lease (10 s).
	companyWithin = 15 * time.Second
	companyAgain  = 500 * time.Millisecond
	// companyList is how long a start waits for etcd's list of them.
	companyList = time.Second
	// companyBeat is how old a beat in Redis may be of a node that is alive: presence's
	// default BeatTTL, ms.
	companyBeat = 5000
	// companyBare is how long a node looks at a Redis that has no mark of the cluster, while
	// others are registered: they may have just begun, and say within two seconds which one
	// they reach.
	companyBare = 3 * time.Second
	// companyLost is how long the others may be missing in a Redis that has lost what it had while this node
	// used it: they beat each second, so it was not emptied but exchanged for another, and what is
	// accepted there is lost when the right one is back.
	companyLost = companyBeat * time.Millisecond
	// companyNamed bounds the nodes that an error names.
	companyNamed = 5
)

// company waits until etcd and Redis do not speak of different nodes. A cluster that has one
// etcd and two Redis, or the reverse, has the same names in all four, and would accept
// messages that no device gets. What is not reached says nothing.
func (p *redisParts) company(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, companyList)
	defer cancel()
	if err := p.etcd.Ready(within); err != nil {
		return ctx.Err() // etcd says nothing
	}
	within, cancel = context.WithTimeout(ctx, companyWithin)
	defer cancel()
	mark, err := p.mirror.Mark(within)
	if err != nil {
		return err
	}
	bare, began := mark == "" && len(p.etcd.View().Members) > 0, time.Now()
	for why := ""; ; {
		n, err := p.looks.Nodes(within)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case within.Err() != nil && why != "":
			return wrongRedis(p.c.redis.String(), companyWithin, why)
		case err != nil:
			return err
		}
		last := why
		if why = strangers(p.etcd.View(), &n, p.self); why == "" && (!bare || time.Since(began) > companyBare) {
			return nil
		}
		if last == "" && why != "" {
			p.log.Warn("etcd and Redis speak of different nodes: waiting", "redis", p.c.redis.String(), "why", why)
		}
		select {
		case <-within.Done():
		case <-time.After(companyAgain):
		}
	}
}

// strangers says why the nodes that etcd knows and those that Redis knows are not one cluster;
// nothing if they may be. A node that etcd knows and that says it reaches Redis has left a trace
// there, alive or dead; one that lives in Redis is on its way to etcd, or was there.
func strangers(v *cluster.View, n *presence.Nodes, self string) string {
	if v.Revision == 0 || !v.Stale.IsZero() {
		return ""
	}
	traces, living := map[string]bool{}, map[string]bool{}
	for o, at := range n.Beats {
		traces[o.Node] = true
		living[o.Node] = living[o.Node] || n.Now-at <= companyBeat
	}
	for o := range n.Deaths {
		traces[o.Node] = true
	}
	var missing, foreign []string
	for id := range v.Members {
		switch {
		case id == self:
		case traces[id]:
			return ""
		case reaches(v, id):
			missing = append(missing, id)
		}
	}
	for id, lives := range living {
		if _, member := v.Members[id]; lives && !member && id != self {
			foreign = append(foreign, id)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Sprintf("no node of the cluster was ever in it, though %s are registered in etcd and say that they reach their Redis", some(missing))
	case len(foreign) > 0:
		return fmt.Sprintf("%s are alive in it and not registered in etcd: it is in use by a cluster of the same name that has another etcd", some(foreign))
	}
	return ""
}

// wrongRedis words that.
func wrongRedis(redis string, within time.Duration, why string) error {
	return fmt.Errorf("%w: %s, for %v: %s: give this node the etcd and the Redis of the others", ringmirror.ErrWrongRedis, redis, within, why)
}

// side is what is known of whether this node has the Redis of the others.
type side uint8

const (
	sideUnclear side = iota // nobody can say now: what was known stays
	sideRight               // others are in it too, or it is they who have another
	sideWrong               // it is this node that has another
)

// sideOf says whether this node's Redis is that of the others, and why not. Those who have left a
// trace in it are on this side, members who say that they reach their Redis and have left none are on the
// other; the smaller side is wrong, of two equal ones that which has not the node that was first.
// That etcd is not heard, or that the others say nothing of their Redis, is no sign that this one is right.
func sideOf(v *cluster.View, n *presence.Nodes, self string) (s side, why string) {
	if v.Revision == 0 || !v.Stale.IsZero() {
		return sideUnclear, ""
	}
	traces := map[string]bool{self: true}
	for o := range n.Beats {
		traces[o.Node] = true
	}
	for o := range n.Deaths {
		traces[o.Node] = true
	}
	var here, there []string
	first, mute := "", false
	for id, m := range v.Members {
		switch {
		case traces[id]:
			here = append(here, id)
		case v.Has(id) && reaches(v, id):
			there = append(there, id)
		default:
			mute = true
			continue
		}
		if first == "" || m.Incarnation < v.Members[first].Incarnation {
			first = id
		}
	}
	switch {
	case len(there) > len(here), len(there) > 0 && len(there) == len(here) && !traces[first]:
		return sideWrong, fmt.Sprintf("%s say that they reach their Redis, and were never in this one, which has %s", some(there), some(here))
	case len(there) == 0 && len(traces) == 1, len(there) == 0 && mute && len(here) <= 1:
		return sideUnclear, ""
	}
	return sideRight, ""
}

// reaches reports whether a member says that it reaches its Redis.
func reaches(v *cluster.View, id string) bool {
	reached, _ := v.ReachesRedis(id)
	return reached
}

// some names nodes in order, not all of very many.
func some(ids []string) string {
	slices.Sort(ids)
	if len(ids) > companyNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:companyNamed], ", "), len(ids)-companyNamed)
	}
	return strings.Join(ids, ", ")
}
