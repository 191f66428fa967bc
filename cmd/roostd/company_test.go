package main

import (
	"strings"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
)

// TestStrangers: what etcd and Redis say of nodes, and whether that can be one cluster.
func TestStrangers(t *testing.T) {
	const now = 1_000_000
	is := func(node string, incarnation uint64) presence.Owner {
		return presence.Owner{Node: node, Incarnation: incarnation}
	}
	lives := func(nodes ...string) map[presence.Owner]int64 {
		m := map[presence.Owner]int64{}
		for _, n := range nodes {
			m[is(n, 7)] = now - 900
		}
		return m
	}
	for name, tt := range map[string]struct {
		members string // of etcd; "!": does not reach Redis, "?": does not say
		stale   bool
		beats   map[presence.Owner]int64
		deaths  map[presence.Owner]int64
		want    string
	}{
		"the first node":                     {},
		"one more":                           {members: "a b", beats: lives("a", "b")},
		"one of them is enough":              {members: "a b", beats: lives("b")},
		"back under its own name":            {members: "a", beats: lives("self", "a")},
		"alone, back after a crash":          {members: "self", beats: lives("self")},
		"the others are dead":                {members: "a b", beats: map[presence.Owner]int64{is("a", 3): now - 60_000}},
		"the others are dead and swept":      {members: "a b", deaths: map[presence.Owner]int64{is("a", 3): now - 60_000}},
		"dead, and etcd has forgotten them":  {beats: map[presence.Owner]int64{is("a", 3): now - 60_000}},
		"another Redis":                      {members: "a b", want: "a, b are registered"},
		"another Redis, with its own nodes":  {members: "a b", beats: lives("x"), want: "a, b are registered"},
		"the others do not reach Redis":      {members: "a! b!"},
		"the others do not say":              {members: "a? b?"},
		"another etcd":                       {beats: lives("x", "y"), want: "x, y are alive"},
		"another etcd, and self was here":    {members: "self", beats: lives("self", "x"), want: "x are alive"},
		"etcd is not heard":                  {members: "a b", stale: true},
		"one not in etcd yet, among members": {members: "a", beats: lives("a", "b")},
		"very many":                          {members: "a b c d e f g", want: "a, b, c, d, e and 2 more are registered"},
	} {
		v := &cluster.View{Revision: 5, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}}
		if tt.stale {
			v.Stale = time.Now()
		}
		for _, id := range strings.Fields(tt.members) {
			redis := !strings.HasSuffix(id, "!")
			in := cluster.Inputs{Redis: &redis}
			if strings.HasSuffix(id, "?") {
				in.Redis = nil
			}
			id = strings.Trim(id, "!?")
			said, err := in.Encode()
			if err != nil {
				t.Fatal(err)
			}
			v.Members[id], v.Weights[id] = cluster.Member{ID: id}, cluster.Weight{Value: 1, Inputs: said}
		}
		n := presence.Nodes{Now: now, Beats: tt.beats, Deaths: tt.deaths}
		if got := strangers(v, &n, "self"); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := strangers(&cluster.View{}, &presence.Nodes{Now: now, Beats: lives("x")}, "self"); got != "" {
		t.Errorf("before the first list: %q", got)
	}
}

// TestSideOf: of two Redis that nodes of one cluster use, one is wrong, and the same one in
// the eyes of all nodes. Who cannot see it does not take what was known back.
func TestSideOf(t *testing.T) {
	const now = 1_000_000
	for name, tt := range map[string]struct {
		members string // in the order in which they registered; "!": does not reach Redis, "?": does not say
		here    string // nodes that have left a trace in the Redis of self
		self    string
		want    side
	}{
		"the first node":                        {members: "a", here: "a", self: "a", want: sideUnclear},
		"alone, and others were here":           {members: "a", here: "a b", self: "a", want: sideRight},
		"all in one":                            {members: "a b c", here: "a b c", self: "b", want: sideRight},
		"one of three is elsewhere":             {members: "a b c", here: "a b", self: "a", want: sideRight},
		"and it is this one":                    {members: "a b c", here: "c", self: "c", want: sideWrong},
		"this one, and it was first":            {members: "a b c", here: "a", self: "a", want: sideWrong},
		"one each, this one was first":          {members: "a b", here: "a", self: "a", want: sideRight},
		"one each, the other was first":         {members: "a b", here: "b", self: "b", want: sideWrong},
		"two each, with the first":              {members: "a b c d", here: "a d", self: "d", want: sideRight},
		"two each, without the first":           {members: "a b c d", here: "b c", self: "c", want: sideWrong},
		"the others do not reach theirs":        {members: "a! b! c", here: "c", self: "c", want: sideUnclear},
		"they do not, and have been here":       {members: "a! b! c", here: "a b c", self: "c", want: sideRight},
		"the others do not say":                 {members: "a? b? c", here: "c", self: "c", want: sideUnclear},
		"self is not registered yet":            {members: "a b", here: "c", self: "c", want: sideWrong},
		"flushed: only this one is back so far": {members: "a b", here: "a", self: "a", want: sideRight},
	} {
		v := &cluster.View{Revision: 5, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}}
		for i, id := range strings.Fields(tt.members) {
			in := cluster.Inputs{}
			if redis := !strings.HasSuffix(id, "!"); !strings.HasSuffix(id, "?") {
				in.Redis = &redis
			}
			id = strings.Trim(id, "!?")
			said, err := in.Encode()
			if err != nil {
				t.Fatal(err)
			}
			v.Members[id] = cluster.Member{ID: id, Incarnation: int64(10 + i)}
			v.Weights[id] = cluster.Weight{Value: 1, Inputs: said}
		}
		n := presence.Nodes{Now: now, Beats: map[presence.Owner]int64{}}
		for _, id := range strings.Fields(tt.here) {
			n.Beats[presence.Owner{Node: id, Incarnation: 7}] = now - 900
		}
		if got, why := sideOf(v, &n, tt.self); got != tt.want || (got == sideWrong) != (why != "") {
			t.Errorf("%s: %d, %q, want %d", name, got, why, tt.want)
		}
		v.Stale = time.Now()
		if got, _ := sideOf(v, &n, tt.self); got != sideUnclear {
			t.Errorf("%s, and etcd is not heard: %d", name, got)
		}
	}
}
