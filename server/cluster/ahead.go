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

// Elected is who plans, and by what.
type Elected struct {
	ID    string // "" is nobody
	Since time.Time
	// By which it plans; the defaults where nobody plans, or it does not say.
	Plan  PlanSettings
	Trial TrialSettings
}

// Elected returns who plans. The error is etcd's.
func (c *Client) Elected(ctx context.Context) (Elected, error) {
	e := Elected{Plan: PlanSettings{}.WithDefaults(), Trial: TrialSettings{}.WithDefaults()}
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.etcd.Get(ctx, c.keys.planner())
	if err != nil {
		return e, c.failed("read the planner", err)
	}
	kv := only(resp.Kvs)
	if kv == nil {
		return e, nil
	}
	var who candidate
	if err := json.Unmarshal(kv.Value, &who); err != nil {
		return e, nil // another version's: somebody plans, nobody knows who
	}
	e.ID, e.Since = who.ID, who.Since
	if who.Plan != nil && who.Plan.Validate() == nil {
		e.Plan = who.Plan.WithDefaults()
	}
	if who.Trial != nil && who.Trial.Validate() == nil {
		e.Trial = who.Trial.WithDefaults()
	}
	return e, nil
}
