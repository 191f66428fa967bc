package cluster

import (
	"context"
	"encoding/json"
	"time"
)

// maxAhead is how far Ahead looks: longer than any wait of Decide's.
const maxAhead = time.Hour

// Ahead says what Decide will come to, and after how long, if nothing changes
// from now on: what a planner has on its mind. Nothing is that it stays as it is
// for an hour.
func Ahead(in PlanInput, set PlanSettings) (d Decision, after time.Duration) {
	set = set.WithDefaults()
	var mem PlanMemory
	begin, end := in.Now, in.Now.Add(maxAhead)
	for !in.Now.After(end) {
		if d, mem = Decide(in, mem, set); d.Kind != Nothing {
			return d, in.Now.Sub(begin)
		}
		wait := d.Wait
		if wait <= 0 {
			if in.Now.Sub(begin) >= set.WeightsEvery {
				break // even zones have been looked at
			}
			wait = set.WeightsEvery
		}
		in.Now = in.Now.Add(wait)
	}
	return d, in.Now.Sub(begin)
}

// Elected returns the id of the node that plans, and since when; "" if nobody does.
func (c *Client) Elected(ctx context.Context) (id string, since time.Time, err error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.etcd.Get(ctx, c.keys.planner())
	if err != nil {
		return "", time.Time{}, c.failed("read the planner", err)
	}
	kv := only(resp.Kvs)
	if kv == nil {
		return "", time.Time{}, nil
	}
	var who candidate
	if err := json.Unmarshal(kv.Value, &who); err != nil {
		return "", time.Time{}, nil // another version's: somebody plans, nobody knows who
	}
	return who.ID, who.Since, nil
}
