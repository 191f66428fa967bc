package main

import (
	"encoding/json"
	"io"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/ring/slots"
	"roost/ring/zones"
	"roost/server/cluster"
	"roost/server/redisskew"
)

// What --json writes. docs/ROOSTCTL.md names the fields: they stay, more may come.
// Shares are of 1, times RFC 3339, durations in ms.

// writeJSON writes v for scripts.
func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

// planJSON is ring plan's.
type planJSON struct {
	Change     string         `json:"change"` // none, or what kind
	Why        string         `json:"why"`
	From       uint64         `json:"from"`
	To         uint64         `json:"to,omitempty"`
	Activation int64          `json:"activation"`
	Canary     uint64         `json:"canary,omitempty"` // on trial now
	Kept       bool           `json:"kept"`             // all limits are
	Broken     []brokenJSON   `json:"broken"`
	Doubts     []string       `json:"doubts"`
	Moved      float64        `json:"moved"`      // share of all ids
	Minimum    float64        `json:"minimum"`    // of them that must
	Collateral float64        `json:"collateral"` // between nodes that do not change
	Devices    float64        `json:"devices"`    // that move
	Total      float64        `json:"devices_total"`
	OverMS     int64          `json:"over_ms"`
	LeastMS    int64          `json:"least_ms,omitempty"`
	Nodes      []planNodeJSON `json:"nodes"`
	Zones      []planZoneJSON `json:"zones"`
	Flows      []flowJSON     `json:"flows"` // all of them, the largest first
}

type brokenJSON struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

type planNodeJSON struct {
	ID            string  `json:"id"`
	Zone          string  `json:"zone,omitempty"`
	Weight        float64 `json:"weight"`
	WeightAfter   float64 `json:"weight_after"`
	Share         float64 `json:"share"`
	ShareAfter    float64 `json:"share_after"`
	Devices       float64 `json:"devices"`
	DevicesAfter  float64 `json:"devices_after"`
	Measured      bool    `json:"measured"` // devices is what the node says
	Leave         float64 `json:"leave"`
	Come          float64 `json:"come"`
	Capacity      float64 `json:"capacity,omitempty"`
	ConnectsPerS  float64 `json:"connects_per_s"`
	CanTakePerS   float64 `json:"accept_per_s,omitempty"`
	LoadAfterPart float64 `json:"load_after,omitempty"` // devices_after / capacity
}

type planZoneJSON struct {
	Zone         string  `json:"zone"`
	Nodes        int     `json:"nodes"`
	NodesAfter   int     `json:"nodes_after"`
	Share        float64 `json:"share"`
	ShareAfter   float64 `json:"share_after"`
	Devices      float64 `json:"devices"`
	DevicesAfter float64 `json:"devices_after"`
	Capacity     float64 `json:"capacity,omitempty"`
}

type flowJSON struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Share   float64 `json:"share"`
	Devices float64 `json:"devices"`
}

// part is n of all slots.
func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// json is what plan --json writes.
func (d *draft) json() planJSON {
	p := planJSON{Change: "none", Why: d.why, From: d.view.Pointer.Stable, Activation: d.view.Pointer.Activation, Canary: d.view.Pointer.Canary,
		Kept: len(d.broken) == 0, Broken: []brokenJSON{}, Doubts: append([]string{}, d.doubts...), Nodes: []planNodeJSON{}, Zones: []planZoneJSON{}, Flows: []flowJSON{}}
	for _, v := range d.broken {
		p.Broken = append(p.Broken, brokenJSON{string(v.Rule), v.Reason})
	}
	if d.kind == cluster.Nothing {
		return p
	}
	p.Change, p.To = d.kind.String(), d.version
	p.report(d.report)
	return p
}

func (p *planJSON) report(r *preview.Report) {
	of := r.Diff.Slots
	p.Moved, p.Minimum, p.Collateral = part(r.Diff.Moved, of), part(r.Diff.Minimum, of), part(r.Diff.Collateral, of)
	p.Devices, p.Total, p.OverMS, p.LeastMS = r.Devices, r.Total, r.Over.Milliseconds(), r.Least.Milliseconds()
	for i := range r.Nodes {
		n := &r.Nodes[i]
		x := planNodeJSON{ID: n.ID, Zone: n.Zone, Weight: n.WeightBefore, WeightAfter: n.WeightAfter, Share: part(n.SlotsBefore, of), ShareAfter: part(n.SlotsAfter, of),
			Devices: n.Before, DevicesAfter: n.After(), Measured: n.Measured, Leave: n.Leave, Come: n.Come, Capacity: n.Capacity, ConnectsPerS: n.Rate, CanTakePerS: n.Accept}
		if n.Capacity > 0 {
			x.LoadAfterPart = n.After() / n.Capacity
		}
		p.Nodes = append(p.Nodes, x)
	}
	for i := range r.Zones {
		z := &r.Zones[i]
		p.Zones = append(p.Zones, planZoneJSON{z.Name, z.Nodes, z.NodesAfter, part(z.SlotsBefore, of), part(z.SlotsAfter, of), z.Before, z.After, z.Capacity})
	}
	for _, f := range r.Flows {
		p.Flows = append(p.Flows, flowJSON{f.From, f.To, part(f.Slots, of), f.Devices})
	}
}

// versionJSON is one of ring versions'.
type versionJSON struct {
	Version uint64        `json:"version"`
	Is      string        `json:"is,omitempty"` // stable, canary, previous, rolled back
	Hash    *cluster.Hash `json:"hash,omitempty"`
	Nodes   int           `json:"nodes,omitempty"` // that own something
	Slots   int           `json:"slots,omitempty"`
	Bytes   int           `json:"bytes,omitempty"`
	Error   string        `json:"error,omitempty"` // why it cannot be read
}

// pastJSON is one change of the pointer.
type pastJSON struct {
	Activation int64     `json:"activation"`
	Stable     uint64    `json:"stable"`
	Canary     uint64    `json:"canary,omitempty"`
	Share      float64   `json:"canary_share,omitempty"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	Why        string    `json:"why"`
}

func pastOf(p *cluster.Pointer) pastJSON {
	return pastJSON{p.Activation, p.Stable, p.Canary, float64(p.Share) / ring.ShareUnit, p.At.UTC(), p.By, p.Why}
}

// zonesJSON is ring zones'.
type zonesJSON struct {
	Targets    string       `json:"targets"` // by capacity, or set
	Sigma      float64      `json:"sigma"`   // of slots/target
	SigmaAfter float64      `json:"sigma_after"`
	MovedSlots int          `json:"moved_slots"`
	LeastSlots int          `json:"least_slots"`
	Zones      []zoneJSON   `json:"zones"`
	Weights    []weightJSON `json:"weights"` // that change
}

type zoneJSON struct {
	Zone        string  `json:"zone"`
	Nodes       int     `json:"nodes"`
	Slots       int     `json:"slots"` // of 16384
	Target      int     `json:"target"`
	After       int     `json:"after"`
	Factor      float64 `json:"factor"`
	FactorAfter float64 `json:"factor_after"`
}

type weightJSON struct {
	ID     string  `json:"id"`
	Weight float64 `json:"weight"`
}

func zonesOf(v *cluster.View, z *zones.Table) zonesJSON {
	out := zonesJSON{Targets: z.From, Sigma: z.Before.Sigma, SigmaAfter: z.After.Sigma, MovedSlots: z.Plan.Moved, LeastSlots: z.Plan.Minimum, Zones: []zoneJSON{}, Weights: []weightJSON{}}
	for _, o := range z.Zones {
		out.Zones = append(out.Zones, zoneJSON{o.Name, o.Nodes, o.Slots, o.Target, o.After, factorOf(v, o.Name), o.Factor})
	}
	for _, n := range z.Weights {
		out.Weights = append(out.Weights, weightJSON{n.ID, n.Weight})
	}
	return out
}

// drainJSON is one of drain's.
type drainJSON struct {
	Node   string    `json:"node"`
	OverMS int64     `json:"over_ms"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Why    string    `json:"why,omitempty"`
	Left   *int      `json:"left,omitempty"` // devices; left out: the node does not say
	Moved  *int      `json:"moved,omitempty"`
}

// redisJSON is redis skew's.
type redisJSON struct {
	Entry     string          `json:"entry"`
	Served    int             `json:"served"` // slots, of 16384
	Nodes     []redisNodeJSON `json:"nodes"`
	Moved     int             `json:"moved_slots"`
	Across    int             `json:"across_slots"` // of them between zones
	Least     int             `json:"least_slots"`
	Sigma     float64         `json:"sigma"` // of slots/target over nodes
	After     float64         `json:"sigma_after"`
	Rebalance string          `json:"rebalance,omitempty"` // for redis-cli, all at once
	Reshard   []string        `json:"reshard"`             // or move by move
	Access    string          `json:"access,omitempty"`    // what redis-cli is to be told besides
}

type redisNodeJSON struct {
	ID        string `json:"id"`
	Addr      string `json:"addr"`
	Zone      string `json:"zone"`
	Slots     int    `json:"slots"`
	Target    int    `json:"target"`
	After     int    `json:"after"`
	Keys      *int64 `json:"keys,omitempty"`
	Memory    *int64 `json:"memory_bytes,omitempty"`
	MaxMemory int64  `json:"maxmemory_bytes,omitempty"`
	Down      bool   `json:"down"`
	Moving    int    `json:"moving_slots"`
	Error     string `json:"error,omitempty"` // why it does not answer
}

func redisOf(c *redisskew.Cluster, hs []slots.Holding, p *slots.Plan, access string) (redisJSON, error) {
	out := redisJSON{Entry: c.Entry, Served: c.Slots, Nodes: []redisNodeJSON{}, Moved: p.Moved, Across: p.Across, Least: p.Minimum, Reshard: []string{}, Access: access}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		x := redisNodeJSON{ID: n.ID, Addr: n.Addr, Zone: hs[i].Zone, Slots: n.Slots, Target: p.Targets[i], After: p.After[i], MaxMemory: max(n.MaxMemory, 0), Down: n.Down, Moving: n.Moving}
		if n.Keys >= 0 {
			x.Keys = &n.Keys
		}
		if n.Memory >= 0 {
			x.Memory = &n.Memory
		}
		if n.Err != nil {
			x.Error = n.Err.Error()
		}
		out.Nodes = append(out.Nodes, x)
	}
	now, err := slots.Nodes(hs)
	if err != nil {
		return out, err
	}
	then, err := slots.Nodes(afterwards(hs, p))
	out.Sigma, out.After = now.Sigma, then.Sigma
	if err != nil || c.Slots < slots.Count || len(p.Moves) == 0 {
		return out, err
	}
	lines, err := redisLinesOf(c.Entry, hs, p)
	out.Rebalance, out.Reshard = lines.rebalance, lines.reshard
	return out, err
}
