package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"roost/decay/dawn"
)

// fallingNight is a night as a node has recorded it: a window of zone a, of which half the
// way down has passed at now, and one that is still to come.
func fallingNight(t *testing.T, now time.Time) (plan, record string) {
	t.Helper()
	curve := dawn.Curve{Shape: dawn.Linear, Floor: 0.1, Lead: 20 * time.Minute, Recovery: 10 * time.Minute}
	start := now.Add(10 * time.Minute).Truncate(time.Second)
	opening := func(window, zone string, start time.Time) dawn.Opening {
		return dawn.Opening{Window: window, Nodes: dawn.Group{Zones: []string{zone}}, Begin: start.Add(-curve.Lead), Start: start, End: start.Add(time.Hour), Curve: curve}
	}
	r := dawn.Record{Date: dawn.DateOf(start, time.UTC), Environment: deskID.Environment, Step: 2, Holder: "n1", Life: 1, Fence: 1,
		Entries: []dawn.Entry{{Opening: opening("db", "a", start), Stage: dawn.Falling, Reason: "there is headroom"}}}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	plan = fmt.Sprintf(`{"environment":%q,"zone":"UTC","curve":{"shape":"linear","floor":0.1,"lead":"20m","recovery":"10m"},"windows":[
		{"id":"db","start":%q,"duration":"1h","nodes":{"zones":["a"]}},{"id":"later","cron":"0 2 1 1 *","duration":"1h","nodes":{"ids":["n2"]}}]}`,
		deskID.Environment, start.Format(time.RFC3339))
	return plan, string(b)
}

// TestNight: an operator sees a night that runs, and ends it.
func TestNight(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b")
	d.want(0, "night status", "plan   none", "none is under way", "1.000")
	d.want(1, "night abort --why x", "0 nights are under way")
	d.want(2, "night abort", "say why")
	d.want(2, "night abort --why x --night soon", "want YYYYMMDD")

	plan, record := fallingNight(t, time.Now())
	date := time.Now().Add(10 * time.Minute).UTC().Format("20060102")
	d.etcd.Put("/roost/config/decay/plan", plan)
	d.etcd.Put("/roost/config/decay/done/"+date, record)
	d.etcd.Put("/roost/config/decay/done/20200103", "{") // and one that nobody can read: nothing else fails for it
	d.want(0, "night status", "windows [db later]", "fires at", "night  "+date+", step 2 by n1", "falling", "there is headroom", "cannot be read", "decay/done/20200103")
	before := d.night()
	if f := before.Nodes[0].Factor; f < 0.5 || f > 0.6 || before.Nodes[1].Factor != 1 || before.Nights[0].Openings[0].Nodes[0] != "n1" {
		t.Errorf("%+v", before)
	}
	d.want(1, "night abort --why x --window elsewhere", `neither the plan nor a night has a window "elsewhere"`)
	// Somebody works on it: that is waited for.
	lock, _ := d.c.Nights().Do(limit(t), dawn.Lock{Key: dawn.LockKey, Value: dawn.LockValue(dawn.ParseDate(date), "n2", 1), TTL: dawn.LockTTL})
	d.want(2, "night abort --why x --within 300ms", "/config/decay/lock is held", "n2")
	if l := d.night().Lock; l == nil || l.Node != "n2" || l.Night != date {
		t.Errorf("lock %+v", l)
	}
	d.c.Nights().Do(limit(t), dawn.Release{Key: dawn.LockKey, Fence: lock.(dawn.LockResult).Fence})

	d.want(0, "night abort --why disks-are-late", "night "+date+" is ended", "rising", "aborted: disks-are-late, by ")
	after := d.night()
	o := after.Nights[0].Openings[0]
	if !o.Aborted || o.Stage != dawn.Rising || after.Lock != nil || after.Nights[0].Step != 3 || o.Clear.Sub(after.Now) > 6*time.Minute {
		t.Errorf("%+v", after)
	}
	if f := after.Nodes[0].Factor; f < before.Nodes[0].Factor-0.02 {
		t.Errorf("the weight has jumped from %v to %v", before.Nodes[0].Factor, f)
	}
	d.want(1, "night abort --why again", "nothing of it falls, is low or will fall")
	d.want(1, "night abort --why again --night 20200102", "no window opens in this night")
	d.want(1, "night abort --why again --night 20200101", "night 20200101 is over")
}

// night is night status as a script reads it.
func (d *desk) night() nights {
	d.t.Helper()
	out := d.want(0, "night status --json")
	var n nights
	if err := json.Unmarshal([]byte(out), &n); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	if len(n.Nights) > 1 || len(n.Nodes) != 2 {
		d.t.Fatalf("%s", out)
	}
	return n
}
