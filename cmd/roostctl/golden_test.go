package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/ring/slots"
	"roost/ring/snapshot"
	"roost/server/cluster"
	"roost/server/redisskew"
)

// storedOf is a ring as it is stored.
func storedOf(t *testing.T, r *ring.Ring) *cluster.Stored {
	t.Helper()
	b, err := snapshot.Of(r).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &cluster.Stored{Version: r.Version(), Hash: cluster.Hash(snapshot.ContentHash(b)), Bytes: b, Ring: r}
}

// desktop is a status with something of everything: a trial, a drain, a pin, a
// zone's factor, a node that is held, one that is gone, one that holds another ring.
func desktop(t *testing.T) *status {
	t.Helper()
	now := time.Date(2026, 11, 27, 2, 17, 0, 0, time.UTC)
	node := func(id, zone string) ring.Node {
		return ring.Node{ID: id, Zone: zone, Addr: "ws://" + id + ":8080", Weight: 1, Capacity: 10_000}
	}
	r, err := ring.Build(12, []ring.Node{node("n1", "a"), node("n2", "b"), node("n3", "b"), node("n4", "a")}, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := r.Apply(13, ring.Change{Set: []ring.Node{node("n5", "a")}})
	if err != nil {
		t.Fatal(err)
	}
	s := &status{Cluster: deskID, Where: "/roost at etcd 127.0.0.1:2379", Stable: storedOf(t, r), Canary: storedOf(t, next), Planner: cluster.Elected{ID: "n1", Since: now.Add(-time.Hour)}, Now: now}
	p := cluster.Pointer{Stable: 12, StableHash: s.Stable.Hash, Canary: 13, CanaryHash: s.Canary.Hash, Share: 500, Trial: 13, Began: now.Add(-80 * time.Second),
		Previous: 11, PreviousHash: 0xb, RolledBack: 10, Back: now.Add(-72 * time.Hour), By: "n1", Why: "join: join: n5 (1)", At: now.Add(-80 * time.Second), Activation: 345}
	v := &cluster.View{Revision: 999, Pointer: p, Members: map[string]cluster.Member{}, Weights: map[string]cluster.Weight{}, Held: map[string]time.Time{"n3": now.Add(-2 * time.Second)},
		Zones: cluster.ZoneFactors{Factors: map[string]float64{"a": 1.25}}, Refused: map[string]error{"/roost/nodes/x": errors.New("cluster: damaged: \x1b[2J")},
		Config: map[string]cluster.Entry{
			"drain/n2": {Value: []byte(`{"over_ms":120000,"at":"2026-11-27T02:16:00Z","by":"ada","why":"kernel"}`), Revision: 990},
			"weights":  {Value: []byte(`{"nodes":{"n1":{"weight":1,"by":"ada","at":"2026-11-26T02:17:00Z"}}}`), Revision: 980},
		}}
	devices, few := 3210, 12
	both := &cluster.HeldRing{Activation: 345, Version: 12, Hash: p.StableHash, Canary: 13, CanaryHash: p.CanaryHash}
	for id, in := range map[string]cluster.Inputs{
		"n1": {Connections: &devices, Accept: 2000, Ring: both},
		"n2": {Connections: &few, Accept: 2000, Ring: &cluster.HeldRing{Activation: 344, Version: 12, Hash: p.StableHash}, Drain: &cluster.DrainProgress{Left: 12, Moved: 3000}},
		"n3": {}, "n5": {Connections: &few, Ring: both},
	} {
		b, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		zone := "b"
		if id == "n1" || id == "n5" {
			zone = "a"
		}
		v.Members[id] = cluster.Member{ID: id, Zone: zone, Addr: "ws://" + id + ":8080", Capacity: 10_000}
		w := cluster.Weight{Value: 10_000, Inputs: b, At: now}
		if id == "n2" {
			w.Value = 0
		}
		v.Weights[id] = w
	}
	w := v.Weights["n1"]
	w.Trial = &cluster.Counts{Trial: 13, Share: cluster.Side{Attempts: 150, Failures: 0, Misses: 3, P99: 12 * time.Millisecond}, Rest: cluster.Side{Attempts: 8000, Failures: 2, Misses: 1, P99: 11 * time.Millisecond}}
	v.Weights["n1"] = w
	s.View = v
	s.Next, s.After = cluster.Ahead(s.input(), cluster.PlanSettings{})
	return s
}

// TestGoldenOfClusters: what the commands about a cluster write.
func TestGoldenOfClusters(t *testing.T) {
	s := desktop(t)
	four := map[string]preview.Known{}
	for _, id := range []string{"n1", "n2", "n3", "n4"} {
		four[id] = preview.Known{Devices: 3000, Accept: 100}
	}
	report := preview.Of(preview.Input{Before: s.Stable.Ring, After: s.Canary.Ring, Known: four, Over: time.Minute})
	emptied, err := s.Stable.Ring.Apply(14, ring.Change{Remove: []string{"n1", "n4"}})
	if err != nil {
		t.Fatal(err)
	}
	d := &draft{planned: &planned{why: "remove n1, remove n4", kind: cluster.Weights, doubts: []string{"a doubt"}}, view: s.View, version: 14,
		report: preview.Of(preview.Input{Before: s.Stable.Ring, After: emptied, Known: four, Over: time.Minute})}
	d.broken = d.report.Check(preview.Limits{})
	table, _, err := zoneTable(s.View, s.Stable.Ring, "a=0.6,b=0.4", s.Planner.Plan)
	if err != nil {
		t.Fatal(err)
	}
	id := func(c byte) string { return string(bytes.Repeat([]byte{c}, 40)) }
	redis := &redisskew.Cluster{Entry: "10.0.0.1:6379", Slots: slots.Count, Nodes: []redisskew.Node{
		{ID: id('a'), Addr: "10.0.0.1:6379", Slots: 7210, Keys: 72100, Memory: 90 << 20, MaxMemory: 1 << 30},
		{ID: id('b'), Addr: "10.0.0.2:6379", Slots: 5120, Keys: 51200, Memory: 64 << 20, MaxMemory: 1 << 30, Moving: 2},
		{ID: id('c'), Addr: "10.0.0.3:6379", Slots: 4054, Keys: -1, Memory: -1, MaxMemory: -1, Err: errors.New("no answer")},
	}}
	labels, err := redisskew.NamedLabels(`^(10\.0\.0\.\d)`)
	if err != nil {
		t.Fatal(err)
	}
	hs, err := redis.Holdings(&labels, map[string]float64{"10.0.0.1": 0.40, "10.0.0.2": 0.35, "10.0.0.3": 0.25})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := slots.Rebalance(hs, slots.Threshold)
	if err != nil {
		t.Fatal(err)
	}
	for file, write := range map[string]func(terminal) error{
		"status.txt":  s.write,
		"report.txt":  func(t terminal) error { return writeReport(t, report, 3) },
		"emptied.txt": func(t terminal) error { return d.write(t, 5) },
		"outcome.txt": func(t terminal) error {
			return writeOutcome(t, report.Outcome(ring.ShareUnit, ring.ShareUnit, map[string]float64{"n1": 3000, "n2": 3000, "n3": 3000, "n5": 0}, map[string]float64{"n1": 2400, "n2": 2380, "n3": 2410, "n5": 2350}))
		},
		"zones.txt": func(t terminal) error { return writeZones(t, s.View, table) },
		"redis.txt": func(t terminal) error { return writeRedis(t, redis, hs, plan, "") },
		"redis.json": func(t terminal) error {
			out, err := redisOf(redis, hs, plan, "--tls --cacert ca.pem, and its password in REDISCLI_AUTH")
			return errors.Join(err, writeJSON(t.out, out))
		},
	} {
		var b bytes.Buffer
		if err := write(terminal{nil, &b, io.Discard}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		golden(t, "testdata", file, b.String())
		if strings.HasSuffix(file, ".json") {
			documented(t, file, b.String())
		}
	}
}

// TestDamagedPointer: a pointer that cannot be read is not a cluster that has none yet.
func TestDamagedPointer(t *testing.T) {
	s := desktop(t)
	s.View.Pointer = cluster.Pointer{}
	s.View.Refused = map[string]error{"/roost/rings/active": errors.New("cluster: damaged: \x1b[2J")}
	var out strings.Builder
	s.writePointer(terminal{out: &out})
	if got := out.String(); !strings.Contains(got, "/roost/rings/active") || !strings.Contains(got, "delete the key") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}
