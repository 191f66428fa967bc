package rig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// get asks a node's API.
func (n *Node) get(path string, answer any) error {
	resp, err := asking.Get(n.URL() + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &StatusError{n.ID, path, resp.StatusCode, string(data)}
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("node %s: %s: %w", n.ID, path, err)
	}
	return nil
}

// StatusError is an answer of a node's API that is not 200.
type StatusError struct {
	Node, Path string
	Status     int
	Body       string
}

// Error says who answered what.
func (e *StatusError) Error() string {
	return fmt.Sprintf("node %s: %s: HTTP %d: %.200s", e.Node, e.Path, e.Status, e.Body)
}

// Ring is what a node says of the rings that it holds.
type Ring struct {
	Activation int64
	Stable     uint64
	StableHash string `json:"stable_hash"`
	Canary     uint64
	CanaryHash string `json:"canary_hash"`
	Share      int
	Nodes      []struct {
		ID       string
		Draining bool
	}
}

// String is the rings by version and hash.
func (r *Ring) String() string {
	s := fmt.Sprintf("%d:%s", r.Stable, r.StableHash)
	if r.Canary != 0 {
		s += fmt.Sprintf(" canary %d:%s", r.Canary, r.CanaryHash)
	}
	return s
}

// Ring reads it.
func (n *Node) Ring() (r Ring, err error) { return r, n.get("/v1/ring", &r) }

// Agreed returns the rings that nodes hold, if they are the same at all, and all
// know of as many members as there are nodes; an error that says who differs
// otherwise.
func (c *Cluster) Agreed(nodes []*Node) (string, error) {
	var rings, members []string
	for _, n := range nodes {
		r, err := n.Ring()
		if err != nil {
			return "", err
		}
		rings = append(rings, r.String())
		ids := make([]string, 0, len(r.Nodes))
		for _, m := range r.Nodes {
			ids = append(ids, m.ID)
		}
		slices.Sort(ids)
		members = append(members, strings.Join(ids, ","))
		if len(ids) != len(nodes) {
			return "", fmt.Errorf("node %s sees %v, of %d", n.ID, ids, len(nodes))
		}
	}
	for i := range rings {
		if rings[i] != rings[0] || members[i] != members[0] {
			return "", fmt.Errorf("node %s holds %s of %s, node %s %s of %s", nodes[0].ID, rings[0], members[0], nodes[i].ID, rings[i], members[i])
		}
	}
	return rings[0], nil
}

// Device is what a node says of a device.
type Device struct {
	Online   bool
	Node     string
	Presence struct{ Status, Node string }
}

// Device asks for one. A device that is not known is the zero Device.
func (n *Node) Device(id string) (d Device, err error) {
	err = n.get("/v1/devices/"+url.PathEscape(id), &d)
	if status, is := err.(*StatusError); is && status.Status == http.StatusNotFound {
		return Device{}, nil
	}
	return d, err
}

// Where returns where presence says that the device is connected: a node's id, or
// nothing.
func (d *Device) Where() string {
	switch {
	case d.Presence.Status == "online":
		return d.Presence.Node
	case d.Presence.Status == "" && d.Online: // a node alone
		return d.Node
	}
	return ""
}

// Route is where a node sends a device.
type Route struct {
	Node   string
	Ring   uint64 // version that says so
	Canary bool   // which is on trial
}

// Route asks for one.
func (n *Node) Route(id string) (r Route, err error) {
	return r, n.get("/v1/route?device="+url.QueryEscape(id), &r)
}

// Weight is what a member says of itself.
type Weight struct {
	Value       float64 // in devices
	Connections int     // connected devices
	CPU         float64 // percent of its cores
	Accept      float64 // connects a second that it takes; 0: it does not say
}

// Weights returns what the members say, by node, as etcd has it.
func (c *Cluster) Weights() (map[string]Weight, error) {
	keys, _, err := c.Keys("/weights/")
	if err != nil {
		return nil, err
	}
	weights := map[string]Weight{}
	for _, kv := range keys {
		var w struct {
			Value  float64 `json:"weight"`
			Inputs struct {
				Connections int
				Load        struct{ CPU float64 }
				Accept      float64 `json:"accept_per_s"`
			}
		}
		if err := json.Unmarshal(kv.Value, &w); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
		weights[strings.TrimPrefix(string(kv.Key), Prefix+"/weights/")] = Weight{w.Value, w.Inputs.Connections, w.Inputs.Load.CPU, w.Inputs.Accept}
	}
	return weights, nil
}

// Budgets returns how many connects a second the members say that they take, by
// node; those that say nothing are left out.
func (c *Cluster) Budgets() (map[string]float64, error) {
	weights, err := c.Weights()
	budgets := map[string]float64{}
	for id, w := range weights {
		if w.Accept > 0 {
			budgets[id] = w.Accept
		}
	}
	return budgets, err
}
