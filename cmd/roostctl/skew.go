package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"roost/ring/slots"
)

// runSkew is roostctl ring skew.
func runSkew(ctx context.Context, args []string, t terminal) error {
	f := newFlags("ring skew", "NODE[@ZONE]=SLOTS ... [--targets NODE=SHARE,...] | --snapshot FILE", `How unevenly slots lie on nodes and zones, against what they should have, and the
fewest moves that mend it: inside zones first, and only where a node is more than
--threshold slots off. With --snapshot, the skew of a ring's own shares.`)
	targets := f.String("targets", "", "`NODE=SHARE,...`: what each should have, relative to the others (default: all the same)")
	threshold := f.Int("threshold", slots.Threshold, "a node that is this many `slots` off stays as it is")
	redis := f.String("redis", "", "`host:port` of a Redis Cluster whose node ids are the nodes: print redis-cli lines too")
	file := f.String("snapshot", "", "`file` of a ring")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return err
	}
	if *file != "" {
		if len(rest) > 0 || f.given("targets") || *redis != "" {
			return errors.New("a snapshot has its slots and targets: give --snapshot alone")
		}
		return skewOfSnapshot(ctx, t, *file)
	}
	if err := f.want(rest, 1, -1, "NODE=SLOTS"); err != nil {
		return err
	}
	if *threshold < 0 {
		return fmt.Errorf("--threshold is %d, must not be negative", *threshold)
	}
	hs, err := parseHoldings(rest, f.given("targets"), *targets)
	if err != nil {
		return err
	}
	plan, err := slots.Rebalance(hs, *threshold)
	if err != nil {
		return err
	}
	var lines redisLines
	if *redis != "" {
		if lines, err = redisLinesOf(*redis, hs, plan); err != nil {
			return err
		}
	}
	if err := writeSkew(t, hs, plan); err != nil || *redis == "" {
		return err
	}
	return lines.write(t)
}

// redisLines are what redis-cli is to be told.
type redisLines struct {
	rebalance string   // all at once
	reshard   []string // or move by move
}

// redisLinesOf words a plan for redis-cli; entry is a node's host:port.
func redisLinesOf(entry string, hs []slots.Holding, p *slots.Plan) (l redisLines, err error) {
	if l.rebalance, err = slots.RedisRebalance(entry, hs, p.Targets); err == nil {
		l.reshard, err = slots.RedisReshard(entry, hs, p.Moves)
	}
	return l, err
}

func (l *redisLines) write(t terminal) error {
	_, err := fmt.Fprintf(t.out, "# all at once, in redis-cli's order:\n%s\n# or move by move, inside zones first:\n", l.rebalance)
	for _, move := range l.reshard {
		_, err = fmt.Fprintln(t.out, move)
	}
	return err
}

// afterwards is what nodes hold once a plan is carried out.
func afterwards(hs []slots.Holding, p *slots.Plan) []slots.Holding {
	later := slices.Clone(hs)
	for i := range later {
		later[i].Slots = p.After[i]
	}
	return later
}

// parseHoldings reads NODE[@ZONE]=SLOTS and NODE=SHARE,...; what else is wrong
// with them slots says.
func parseHoldings(args []string, given bool, targets string) (hs []slots.Holding, err error) {
	sum := 0
	for _, arg := range args {
		name, count, ok := cutLast(arg, "=")
		h := slots.Holding{Weight: 1}
		if h.Slots, err = strconv.Atoi(count); !ok || err != nil || h.Slots < 0 || h.Slots > 1<<30 {
			return nil, fmt.Errorf("%q: write NODE=SLOTS or NODE@ZONE=SLOTS, such as a@eu-1=7210", arg)
		}
		if sum += h.Slots; sum > slots.Count {
			return nil, fmt.Errorf("%q: there are %d slots, and it makes %d", arg, slots.Count, sum)
		}
		h.Node, h.Zone, _ = strings.Cut(name, "@")
		hs = append(hs, h)
	}
	if !given {
		return hs, nil
	}
	share := map[string]float64{}
	for item := range strings.SplitSeq(targets, ",") {
		name, text, ok := cutLast(item, "=")
		v, err := strconv.ParseFloat(text, 64)
		if _, twice := share[name]; !ok || err != nil || twice {
			return nil, fmt.Errorf("--targets: %q: write each NODE=SHARE once, such as a=0.40,b=0.35", item)
		}
		share[name] = v
	}
	for i := range hs {
		v, ok := share[hs[i].Node]
		if !ok {
			return nil, fmt.Errorf("--targets says nothing of node %q: 0 takes all its slots away", hs[i].Node)
		}
		hs[i].Weight = v
		delete(share, hs[i].Node)
	}
	for name := range share {
		return nil, fmt.Errorf("--targets has %q, which is none of the nodes", name)
	}
	return hs, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func writeSkew(t terminal, hs []slots.Holding, p *slots.Plan) error {
	rows := newTable("node", "zone", "slots>", "target>", "slots/target>", "after>")
	for i, h := range hs {
		rows.add(h.Node, h.Zone, strconv.Itoa(h.Slots), strconv.Itoa(p.Targets[i]), ratio(h.Slots, float64(p.Targets[i])), strconv.Itoa(p.After[i]))
	}
	sigmas, err := sigmasOf(hs, afterwards(hs, p))
	if err != nil {
		return err
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s%d slots move, %d of them between zones; at least %d must\n", sigmas, p.Moved, p.Across, p.Minimum)
	for _, m := range p.Moves {
		fmt.Fprintf(t.out, "  %d from %s to %s\n", m.Slots, m.From, m.To)
	}
	return nil
}

func ratio(n int, target float64) string {
	if target == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", float64(n)/target)
}

// sigmasOf says the skew over nodes and zones, in lines, and what it will be; later
// is nil if nothing is planned.
func sigmasOf(hs, later []slots.Holding) (lines string, err error) {
	for _, of := range []struct {
		what  string
		group func([]slots.Holding) []slots.Holding
	}{
		{"nodes", func(hs []slots.Holding) []slots.Holding { return hs }},
		{"zones", slots.Zones},
	} {
		if of.what == "zones" && len(of.group(hs)) < 2 {
			continue
		}
		now, err := slots.Nodes(of.group(hs))
		if err != nil {
			return "", err
		}
		then := func(func(s slots.Skew) float64) string { return "" }
		if later != nil {
			after, err := slots.Nodes(of.group(later))
			if err != nil {
				return "", err
			}
			then = func(value func(s slots.Skew) float64) string { return fmt.Sprintf(" -> %.3f", value(after)) }
		}
		sigma := func(s slots.Skew) float64 { return s.Sigma }
		deviation := func(s slots.Skew) float64 { return s.Deviation }
		lines += fmt.Sprintf("sigma over %s, of slots/target: %.3f%s; largest deviation %.3f%s; sigma of the slots themselves %.3f\n",
			of.what, now.Sigma, then(sigma), now.Deviation, then(deviation), now.Given)
	}
	return lines, nil
}

// skewOfSnapshot writes the skew of the shares of a ring. To mend it is the ring's
// own calibration, so no moves are planned.
func skewOfSnapshot(ctx context.Context, t terminal, file string) error {
	s, r, err := readSnapshot(ctx, file)
	if err != nil {
		return err
	}
	line, err := describe(s, r)
	if err != nil {
		return err
	}
	var hs []slots.Holding
	rows := newTable("node", "zone", "slots>", "target>", "slots/target>")
	unit := slots.Count / float64(r.TableSlots())
	for i, n := range r.Nodes() {
		hs = append(hs, slots.Holding{Node: n.ID, Zone: n.Zone, Slots: r.Slots(i), Weight: n.Weight})
		rows.add(n.ID, n.Zone, fmt.Sprintf("%.1f", float64(r.Slots(i))*unit), fmt.Sprintf("%.1f", r.Target(i)*unit), ratio(r.Slots(i), r.Target(i)))
	}
	if len(hs) == 0 {
		return fmt.Errorf("%s has no nodes", file)
	}
	sigmas, err := sigmasOf(hs, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Fprintf(t.out, "%s\nin slots, of which there are %d\n", line, slots.Count)
	if err := rows.write(t.out); err != nil {
		return err
	}
	_, err = io.WriteString(t.out, sigmas)
	return err
}
