package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
)

// Pin is a ring weight that an operator has set, in the place of what a node
// publishes: without it the planner would take a change by hand back. A node that
// drains has weight 0 all the same. No zone's factor applies: evening out zones goes by the other nodes.
type Pin struct {
	Weight float64   `json:"weight"` // 0: the node owns nothing, and goes on serving
	By     string    `json:"by,omitempty"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

const (
	pinConfig = "weights" // after /config/
	maxPins   = 256 << 10
)

// storedPins is the JSON.
type storedPins struct {
	Nodes map[string]Pin `json:"nodes"`
}

// CheckPins says what cannot be pinned: nodes without a name, and weights below 0 or above what a ring can
// give a node, ring.MaxNodePoints points.
func CheckPins(pins map[string]Pin) error {
	for id, p := range pins {
		n := ring.Node{ID: id, Weight: p.Weight}
		if err := n.CheckTexts(); err != nil {
			return err
		}
		if err := n.CheckAmounts(); err != nil {
			return err
		}
		if most := float64(ring.MaxNodePoints) / ring.DefaultPointsPerUnit; p.Weight > most {
			return fmt.Errorf("node %q: weight %v: at most %v", id, p.Weight, math.Floor(most))
		}
	}
	return nil
}

// PinsOf returns the pins of a view by node; what cannot be read is ErrDamaged and
// pins nothing.
func PinsOf(v *View) (map[string]Pin, error) {
	e, ok := v.Config[pinConfig]
	if !ok {
		return nil, nil
	}
	var s storedPins
	if err := decode("/config/weights", e.Value, maxPins, &s); err != nil {
		return nil, err
	}
	if err := CheckPins(s.Nodes); err != nil {
		return nil, fmt.Errorf("%w: /config/weights: %w", ErrDamaged, err)
	}
	return s.Nodes, nil
}

// Pin sets pins and takes others away, by node, in those that a view has. Errors
// are ErrOptions, ErrMoved if somebody else has changed them since, or where a weight becomes 0 has
// asked for a drain, ErrOtherCluster, or etcd's.
func (c *Client) Pin(ctx context.Context, v *View, set map[string]Pin, unpin ...string) error {
	pins, _ := PinsOf(v) // damaged ones are replaced
	only := []clientv3.Cmp{c.ours()}
	for id, p := range set {
		if was, pinned := pins[id]; p.Weight == 0 && (!pinned || was.Weight != 0) {
			only = append(only, c.unchanged(v)...)
			break
		}
	}
	if pins = maps.Clone(pins); pins == nil {
		pins = map[string]Pin{}
	}
	for _, id := range unpin {
		delete(pins, id)
	}
	for id, p := range set {
		p.By, p.Why, p.At = cut(p.By), cut(p.Why), p.At.UTC().Truncate(time.Millisecond)
		pins[id] = p
	}
	if err := CheckPins(pins); err != nil {
		return fmt.Errorf("%w: pin: %w", ErrOptions, err)
	}
	b, err := json.Marshal(storedPins{pins})
	if err != nil {
		return err
	}
	if len(b) > maxPins {
		return fmt.Errorf("%w: %d pins are %d bytes, at most %d are allowed", ErrTooBig, len(pins), len(b), maxPins)
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	key, expect := c.keys.config()+pinConfig, v.Config[pinConfig].Revision
	op := clientv3.OpPut(key, string(b))
	if len(pins) == 0 {
		op = clientv3.OpDelete(key)
	}
	resp, err := c.etcd.Txn(ctx).If(append(only, at(key, expect))...).Then(op).Else(clientv3.OpGet(c.keys.cluster())).Commit()
	if err != nil {
		return c.failed("put "+key, err)
	}
	if !resp.Succeeded {
		if err := c.sameIn(resp.Responses[0].GetResponseRange()); err != nil {
			return c.identityOf(ctx, resp.Responses[0].GetResponseRange())
		}
		return fmt.Errorf("%w: somebody else has changed %s, or drains a node: look again, then decide", ErrMoved, key)
	}
	return nil
}

// WithPins returns a view as it would be with other pins, which CheckPins takes: for who looks ahead.
func WithPins(v *View, set map[string]Pin, unpin ...string) *View {
	pins, _ := PinsOf(v)
	if pins = maps.Clone(pins); pins == nil {
		pins = map[string]Pin{}
	}
	for _, id := range unpin {
		delete(pins, id)
	}
	maps.Copy(pins, set)
	b, err := json.Marshal(storedPins{pins})
	if err != nil {
		panic("BUG: " + err.Error()) // checked numbers and texts
	}
	next := *v
	if next.Config = maps.Clone(v.Config); next.Config == nil {
		next.Config = map[string]Entry{}
	}
	next.Config[pinConfig] = Entry{Value: b, Revision: v.Config[pinConfig].Revision}
	return &next
}

// Wanted returns the node that a view asks a ring to have for a member: address,
// zone and capacity as registered, the weight as pinned or published. ok is whether
// there is such a member.
func Wanted(v *View, r *ring.Ring, id string, s PlanSettings) (n ring.Node, ok bool) {
	m, ok := v.Members[id]
	if !ok {
		return ring.Node{}, false
	}
	s = s.WithDefaults()
	pins, _ := PinsOf(v)
	weight := weightOf(&m, v, pins, r.Node(r.Find(id)), &s)
	return ring.Node{ID: id, Addr: m.Addr, Zone: m.Zone, Weight: weight, Capacity: m.Capacity}, true
}
