package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"roost/decay/dawn"
)

// NightPlanName is the calendar's name in View.Config.
const NightPlanName = "decay/plan"

// maxNightPlan bounds it, in bytes.
const maxNightPlan = 512 << 10

// nightPlan is the JSON of /config/decay/plan. People write it, so a field that is not known is
// an error. Times are as Go writes durations (30m), clocks as hh:mm.
//
//	{"environment":"production","zone":"Europe/Berlin","windows":[
//	  {"id":"db","cron":"0 2 * * *","until":"04:00","nodes":{"zones":["a"]}}]}
type nightPlan struct {
	Environment string        `json:"environment"` // must be the cluster's
	Zone        string        `json:"zone"`
	Curve       *nightCurve   `json:"curve"`
	Limits      *nightLimits  `json:"limits"`
	Windows     []nightWindow `json:"windows"`
}

type nightCurve struct {
	Shape    *dawn.Shape   `json:"shape"`
	Floor    *float64      `json:"floor"`
	Lead     nightDuration `json:"lead"`
	Recovery nightDuration `json:"recovery"`
}

type nightLimits struct {
	MaxUse    *float64      `json:"max_use"`
	Spare     *int          `json:"spare"`
	Retry     nightDuration `json:"retry"`
	Postpones *int          `json:"postpones"`
}

type nightWindow struct {
	ID       string        `json:"id"`
	Cron     string        `json:"cron"`
	CronZone string        `json:"cron_zone"` // the plan's if empty
	Start    time.Time     `json:"start"`     // once, in the place of Cron
	Duration nightDuration `json:"duration"`
	Until    string        `json:"until"`
	Nodes    dawn.Group    `json:"nodes"`
	Curve    *nightCurve   `json:"curve"`
}

// nightDuration reads "30m".
type nightDuration time.Duration

// UnmarshalText reads a duration as Go writes it.
func (d *nightDuration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = nightDuration(v)
	return err
}

// ReadNightPlan reads a calendar for a cluster of an environment. The error says all that is
// wrong with it.
func ReadNightPlan(b []byte, environment string) (*dawn.Calendar, dawn.Limits, error) {
	limits := dawn.DefaultLimits
	if len(b) > maxNightPlan {
		return nil, limits, fmt.Errorf("a plan of %d bytes: at most %d", len(b), maxNightPlan)
	}
	var p nightPlan
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, limits, fmt.Errorf("the plan cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, limits, errors.New("the plan cannot be read: something follows it")
	}
	if p.Environment != environment {
		return nil, limits, fmt.Errorf("the plan is for environment %q, this cluster is %q: nothing of it is done", p.Environment, environment)
	}
	p.Limits.over(&limits)
	c, err := p.calendar()
	if err = errors.Join(err, limits.Validate()); err != nil {
		return nil, limits, err
	}
	return c, limits, c.Validate()
}

func (l *nightLimits) over(to *dawn.Limits) {
	if l == nil {
		return
	}
	if l.MaxUse != nil {
		to.MaxUse = *l.MaxUse
	}
	if l.Spare != nil {
		to.Spare = *l.Spare
	}
	if l.Postpones != nil {
		to.Postpones = *l.Postpones
	}
	if l.Retry != 0 {
		to.Retry = time.Duration(l.Retry)
	}
}

// over returns curve with what c has put in its place.
func (c *nightCurve) over(curve dawn.Curve) dawn.Curve {
	if c.Shape != nil {
		curve.Shape = *c.Shape
	}
	if c.Floor != nil {
		curve.Floor = *c.Floor
	}
	if c.Lead != 0 {
		curve.Lead = time.Duration(c.Lead)
	}
	if c.Recovery != 0 {
		curve.Recovery = time.Duration(c.Recovery)
	}
	return curve
}

func (p *nightPlan) calendar() (*dawn.Calendar, error) {
	zone, err := zoneOf(p.Zone)
	c := &dawn.Calendar{Environment: p.Environment, Zone: zone, Curve: dawn.DefaultCurve}
	if p.Curve != nil {
		c.Curve = p.Curve.over(c.Curve)
	}
	errs := []error{err}
	for i := range p.Windows {
		w, err := p.Windows[i].window(c)
		if err != nil {
			err = fmt.Errorf("window %q: %w", p.Windows[i].ID, err)
		}
		errs = append(errs, err)
		c.Windows = append(c.Windows, w)
	}
	return c, errors.Join(errs...)
}

func (x *nightWindow) window(c *dawn.Calendar) (w dawn.Window, err error) {
	w = dawn.Window{ID: x.ID, Start: x.Start, Duration: time.Duration(x.Duration), Nodes: x.Nodes}
	if x.Curve != nil {
		w.Curve = x.Curve.over(c.Curve)
	}
	if x.Cron != "" {
		zone := c.Zone
		if x.CronZone != "" {
			if zone, err = zoneOf(x.CronZone); err != nil {
				return w, err
			}
		}
		if w.Cron, err = dawn.Parse(x.Cron, zone); err != nil {
			return w, err
		}
	}
	if x.Until != "" {
		w.Until, err = dawn.ParseClock(x.Until)
	}
	return w, err
}

// zoneOf loads a zone; the machine's own is none, for it differs from node to node.
func zoneOf(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("zone %q: name one, such as Europe/Berlin or UTC", name)
	}
	return time.LoadLocation(name)
}
