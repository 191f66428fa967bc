package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"roost/ring/preview"
	"roost/ring/slots"
	"roost/ring/zones"
	"roost/server/cluster"
)

// zonesFlags are those of ring zones.
type zonesFlags struct {
	targets, resources, auto string
	save, json               bool
	unit                     float64
}

// runZones is roostctl ring zones.
func runZones(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring zones", "--etcd HOST:PORT [--targets ZONE=SHARE,... | --resources ZONE=MEMORY:CPU,...] [--save] [--auto on|off]", `What each zone owns of 16384 slots, against what it should have by capacity or by
targets, before and after evening out. The planner does that by itself once sigma has been
0.2 or more for three checks; ring apply --zones does it now.`)
	e, o := f.etcd(), &zonesFlags{}
	f.StringVar(&o.targets, "targets", "", "`ZONE=SHARE,...`: what each zone should have, relative to the others")
	f.StringVar(&o.resources, "resources", "", "`ZONE=MEMORY:CPU,...`: what each zone has, in any units; its share is that of the scarcer one")
	f.BoolVar(&o.save, "save", false, "let the planner follow these targets from now on; without any: follow capacity again")
	f.StringVar(&o.auto, "auto", "", "`on or off`: whether the planner evens out zones")
	f.BoolVar(&o.json, "json", false, "as JSON; not with --save or --auto")
	f.Float64Var(&o.unit, "unit", 0, "`devices` that a ring weight of 1 stands for, as the nodes have it (default: the planner's)")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	v := s.w.View()
	stable, _, err := s.inForce(ctx, v.Pointer)
	if err != nil {
		return err
	}
	table, set, err := zoneTable(v, stable.Ring, o.targets, s.plan(o.unit))
	switch {
	case errors.Is(err, zones.ErrFew), errors.Is(err, zones.ErrTargets) && o.targets == "":
		if o.json {
			return err
		}
		fmt.Fprintln(t.out, err)
	case err != nil:
		return err
	case o.json:
		return writeJSON(t.out, zonesOf(v, table))
	default:
		if err := writeZones(t, v, table); err != nil {
			return err
		}
	}
	if !o.save && o.auto == "" {
		return nil
	}
	return s.saveZones(ctx, t, v, set, o)
}

// check refuses what does not go together, and turns resources into targets.
func (o *zonesFlags) check() (err error) {
	switch {
	case o.auto != "" && o.auto != "on" && o.auto != "off":
		return fmt.Errorf("--auto is %q: on or off", o.auto)
	case o.json && (o.save || o.auto != ""):
		return errors.New("--json is for who looks: leave --save and --auto out")
	case o.targets != "" && o.resources != "":
		return errors.New("--targets and --resources both say what zones should have: give one")
	}
	if o.resources != "" {
		o.targets, err = sharesOf(o.resources)
	}
	if err == nil && o.targets != "" {
		_, err = parseShares(o.targets)
	}
	return err
}

// sharesOf reads ZONE=MEMORY:CPU,... and returns ZONE=SHARE,...
func sharesOf(resources string) (string, error) {
	var zones []slots.Capacity
	for item := range strings.SplitSeq(resources, ",") {
		name, amounts, ok := cutLast(item, "=")
		memory, cpu, two := strings.Cut(amounts, ":")
		z := slots.Capacity{Zone: name}
		var err, err2 error
		z.Memory, err = strconv.ParseFloat(memory, 64)
		z.CPU, err2 = strconv.ParseFloat(cpu, 64)
		if !ok || !two || err != nil || err2 != nil {
			return "", fmt.Errorf("--resources: %q: write ZONE=MEMORY:CPU, such as eu-1=64:16", item)
		}
		zones = append(zones, z)
	}
	shares, err := slots.ZoneShares(zones)
	if err != nil {
		return "", err
	}
	list := make([]string, len(zones))
	for i, z := range zones {
		list[i] = z.Zone + "=" + strconv.FormatFloat(shares[i], 'g', -1, 64)
	}
	return strings.Join(list, ","), nil
}

// saveZones stores what operators say of zones.
func (s *session) saveZones(ctx context.Context, t terminal, v *cluster.View, set map[string]float64, o *zonesFlags) error {
	config, _ := cluster.ZoneConfigOf(v) // one that cannot be read is replaced
	if o.save {
		config.Targets = set
	}
	if o.auto != "" {
		config.Off = o.auto == "off"
	}
	config.By = operator()
	if err := s.c.PutZoneConfig(ctx, config); err != nil {
		return err
	}
	from := "capacity"
	if config.Targets != nil {
		from = "the targets set"
	}
	does := "evens out zones by itself"
	if config.Off {
		does = "leaves zones alone"
	}
	_, err := fmt.Fprintf(t.out, "saved: targets by %s; the planner %s\n", from, does)
	return err
}

// writeZones writes zones before and after.
func writeZones(t terminal, v *cluster.View, z *zones.Table) error {
	fmt.Fprintf(t.out, "targets by %s, in slots of 16384\n", z.From)
	rows := newTable("zone", "nodes>", "slots>", "target>", "slots/target>", "after>", "factor>", "then>")
	for _, o := range z.Zones {
		rows.add(preview.ZoneName(o.Name), fmt.Sprint(o.Nodes), fmt.Sprint(o.Slots), fmt.Sprint(o.Target), ratio(o.Slots, float64(o.Target)), fmt.Sprint(o.After),
			fmt.Sprintf("%.4g", factorOf(v, o.Name)), fmt.Sprintf("%.4g", o.Factor))
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "sigma of slots/target %.3f -> %.3f; %d slots move between zones, at least %d must\n", z.Before.Sigma, z.After.Sigma, z.Plan.Moved, z.Plan.Minimum)
	var list []string
	for _, n := range z.Weights {
		list = append(list, fmt.Sprintf("%s %.4g", clean(n.ID), n.Weight))
	}
	if len(z.Pinned) > 0 {
		fmt.Fprintf(t.out, "pinned, so left as they are: %s\n", clean(strings.Join(z.Pinned, ", ")))
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(t.out, "no weights change")
		return err
	}
	_, err := fmt.Fprintf(t.out, "weights: %s\n", strings.Join(list, ", "))
	return err
}
