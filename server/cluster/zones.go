package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
	slot "roost/ring/slots"
	"roost/ring/zones"
)

// ZoneFactors multiply the weights that nodes publish, by zone: what the planner, or
// an operator, has made of them so that the zones' shares of the ring meet their
// targets (ring/zones). A zone that is not in it has 1.
type ZoneFactors struct {
	Factors map[string]float64 `json:"factors"`
	By      string             `json:"by,omitempty"`
	Why     string             `json:"why,omitempty"`
	At      time.Time          `json:"at,omitzero"`

	// Revision is that of the key, 0 if there is none. Not stored.
	Revision int64 `json:"-"`
}

// of returns a zone's factor.
func (f *ZoneFactors) of(zone string) float64 {
	if v, ok := f.Factors[zone]; ok {
		return v
	}
	return 1
}

func (f *ZoneFactors) check() error {
	for zone, v := range f.Factors {
		if !(v >= zones.LeastFactor && v <= zones.MostFactor) {
			return fmt.Errorf("zone %q has the factor %v: %v to %v", zone, v, zones.LeastFactor, zones.MostFactor)
		}
	}
	return nil
}

// maxZones bounds the values of this file, in bytes.
const maxZones = 64 << 10

func decodeFactors(value []byte, revision int64) (ZoneFactors, error) {
	var f ZoneFactors
	if err := decode("the zones' factors", value, maxZones, &f); err != nil {
		return ZoneFactors{}, err
	}
	if err := f.check(); err != nil {
		return ZoneFactors{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	f.Revision = revision
	return f, nil
}

// putZones takes note of the factors. Ones that cannot be read leave the last in
// force.
func (d *draft) putZones(kv *mvccpb.KeyValue) error {
	f, err := decodeFactors(kv.Value, kv.ModRevision)
	if err != nil {
		f = d.before.Zones
	}
	d.Zones = f
	return err
}

// PutFactors puts factors in the place of those at a revision, 0 if there were
// none. Weights follow with the next version. Errors are ErrOptions, ErrMoved if
// somebody else has put others, ErrOtherCluster, ErrNotPlanner, or etcd's.
func (v *Versions) PutFactors(ctx context.Context, expect int64, f ZoneFactors) (ZoneFactors, error) {
	if err := f.check(); err != nil {
		return f, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	f.By, f.Why, f.At = cut(f.By), cut(f.Why), f.At.UTC().Truncate(time.Millisecond)
	b, err := json.Marshal(&f)
	if err != nil {
		return f, err
	}
	if len(b) > maxZones {
		return f, fmt.Errorf("%w: factors of %d zones are %d bytes, at most %d are allowed", ErrTooBig, len(f.Factors), len(b), maxZones)
	}
	ctx, cancel := v.c.within(ctx)
	defer cancel()
	key := v.c.keys.zones()
	resp, err := v.c.etcd.Txn(ctx).If(v.compare(at(key, expect))...).Then(clientv3.OpPut(key, string(b))).
		Else(clientv3.OpGet(v.c.keys.cluster()), clientv3.OpGet(key, clientv3.WithKeysOnly())).Commit()
	if err != nil {
		return f, v.c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		now := int64(0)
		if kv := only(resp.Responses[1].GetResponseRange().GetKvs()); kv != nil {
			now = kv.ModRevision
		}
		if now != expect {
			return f, fmt.Errorf("%w: the zones' factors are at revision %d, %d was expected: look again, then decide", ErrMoved, now, expect)
		}
		return f, v.refused(ctx, resp.Responses[0].GetResponseRange())
	}
	f.Revision = resp.Header.GetRevision()
	return f, nil
}

// ZoneConfig is what operators say of zones: /config/zones. The zero value is that
// nothing is said.
type ZoneConfig struct {
	// Targets say what each zone should have, relative to the others, in the place
	// of what its nodes can hold. Nil is none.
	Targets map[string]float64 `json:"targets,omitempty"`
	// Off has the planner leave zones alone. Factors in force stay.
	Off bool   `json:"off,omitempty"`
	By  string `json:"by,omitempty"`
}

const zoneConfig = "zones" // after /config/

func (z *ZoneConfig) check() error {
	sum := 0.0
	for zone, v := range z.Targets {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("zone %q should have %v: finite, not negative", zone, v)
		}
		sum += v
	}
	if z.Targets != nil && !(sum > 0) {
		return fmt.Errorf("the targets sum to %v: somebody must own something", sum)
	}
	return nil
}

// ZoneConfigOf reads what operators say of zones. The error is ErrDamaged; what
// cannot be read is Off.
func ZoneConfigOf(v *View) (ZoneConfig, error) {
	e, ok := v.Config[zoneConfig]
	if !ok {
		return ZoneConfig{}, nil
	}
	var z ZoneConfig
	err := decode("/config/zones", e.Value, maxZones, &z)
	if err == nil {
		if bad := z.check(); bad != nil {
			err = fmt.Errorf("%w: /config/zones: %w", ErrDamaged, bad)
		}
	}
	if err != nil {
		return ZoneConfig{Off: true}, err
	}
	return z, nil
}

// PutZoneConfig says what zones should have. Errors are ErrOptions,
// ErrOtherCluster, or etcd's.
func (c *Client) PutZoneConfig(ctx context.Context, z ZoneConfig) error {
	if err := z.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	z.By = cut(z.By)
	b, err := json.Marshal(&z)
	if err != nil {
		return err
	}
	if len(b) > maxZones {
		return fmt.Errorf("%w: targets of %d zones are %d bytes, at most %d are allowed", ErrTooBig, len(z.Targets), len(b), maxZones)
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	key := c.keys.config() + zoneConfig
	resp, err := c.etcd.Txn(ctx).If(c.ours()).Then(clientv3.OpPut(key, string(b))).Else(clientv3.OpGet(c.keys.cluster())).Commit()
	if err != nil {
		return c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		return c.identityOf(ctx, resp.Responses[0].GetResponseRange())
	}
	return nil
}

// ZoneNodes returns the members of a view for ring/zones, by id: weights as
// published, in the ring's units, without factors.
func ZoneNodes(v *View, r *ring.Ring, s PlanSettings) []zones.Node {
	s = s.WithDefaults()
	pins, _ := PinsOf(v)
	list := make([]zones.Node, 0, len(v.Members))
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		n := zones.Node{ID: id, Zone: m.Zone, Capacity: m.Capacity, Counts: m.Capacity, Devices: -1}
		// A node that has not published has the weight of the ring, factor and all.
		n.Published = weightOf(&m, v, pins, r.Node(r.Find(id)), &s)
		if pin, pinned := pins[id]; pinned {
			n.Pinned = true
			if n.Counts > 0 { // what an operator wants on the node is what its zone is to have for it
				n.Counts = pin.Weight * s.Unit
			}
		} else {
			n.Published /= v.Zones.of(m.Zone)
		}
		if w, ok := v.Weights[id]; ok {
			if said, err := w.Said(); err == nil && said.Connections != nil {
				n.Devices = float64(*said.Connections)
			}
		}
		list = append(list, n)
	}
	return list
}

// evenOut says whether zones are to be evened out, or are looked at because they
// may have to be; else it returns what is said otherwise.
func evenOut(in PlanInput, mem *PlanMemory, set *PlanSettings, otherwise Decision) Decision {
	config, err := ZoneConfigOf(in.View)
	if config.Off || set.Zones.Every < 0 {
		mem.zones = zones.Memory{}
		if err != nil {
			otherwise.Why = err.Error()
		}
		return otherwise
	}
	var v zones.Verdict
	v, mem.zones = zones.Check(mem.zones, in.Now, in.Stable, ZoneNodes(in.View, in.Stable, *set), in.View.Zones.Factors, config.Targets, set.Zones)
	switch {
	case v.Act:
		return Decision{Kind: Zones, Stable: ring.Change{Set: v.Table.Weights}, Factors: v.Table.Factors(), Why: v.Why}
	case v.State == slot.Watching || v.State == slot.Moving:
		return Decision{Wait: v.Next, Why: "zones: " + v.Why}
	}
	return otherwise
}
