package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"roost/ring/slots"
	"roost/server/access"
	"roost/server/redisskew"
)

// runRedisSkew is roostctl redis skew.
func runRedisSkew(ctx context.Context, args []string, t terminal) error {
	f := newFlags("redis skew", "--redis HOST:PORT [--zones FILE] [--targets ZONE=SHARE,...]", `How unevenly the slots, keys and memory of a Redis Cluster lie on its masters and on
zones, against their limits of memory or the targets of zones, the fewest moves that
mend it, and the redis-cli lines that make them. Nothing is changed.`)
	redis := &access.RedisFlags{}
	f.StringVar(&redis.URL, "redis", "", "`host:port` of any node, or redis://user:password@host:port, rediss:// for TLS")
	redis.Define(f.FlagSet)
	zones := f.String("zones", "", "`file` of lines NODE ZONE: a node by its id, host:port or host")
	names := f.String("zone-names", "", "`regexp` whose first group is the zone in a node's announced name, or its address")
	targets := f.String("targets", "", "`ZONE=SHARE,...`: what each zone should have, relative to the others")
	threshold := f.Int("threshold", slots.Threshold, "a node that is this many `slots` off stays as it is")
	asJSON := f.Bool("json", false, "as JSON")
	if err := f.only(args, t.out); err != nil {
		return err
	}
	switch {
	case redis.URL == "":
		return errors.New("say which Redis Cluster: --redis host:port")
	case *zones != "" && *names != "":
		return errors.New("--zones and --zone-names both say where nodes are: give one")
	case *threshold < 0:
		return fmt.Errorf("--threshold is %d, must not be negative", *threshold)
	}
	labels, err := readLabels(ctx, *zones, *names)
	if err != nil {
		return err
	}
	var shares map[string]float64
	if *targets != "" {
		if shares, err = parseShares(*targets); err != nil {
			return err
		}
	}
	at, err := readRedis(redis)
	if err != nil {
		return err
	}
	c, err := redisskew.Read(ctx, at)
	if err != nil {
		return err
	}
	hs, err := c.Holdings(&labels, shares)
	if err != nil {
		return err
	}
	plan, err := slots.Rebalance(hs, *threshold)
	if err != nil {
		return err
	}
	if *asJSON {
		out, err := redisOf(c, hs, plan, redis.CLI(at.User, at.Password != ""))
		if err != nil {
			return err
		}
		return writeJSON(t.out, out)
	}
	return writeRedis(t, c, hs, plan, redis.CLI(at.User, at.Password != ""))
}

// readRedis gives the flags their meaning: any node of the cluster will do.
func readRedis(f *access.RedisFlags) (redisskew.Where, error) {
	if !strings.Contains(f.URL, "://") && !strings.Contains(f.URL, "@") {
		f.URL = "redis://" + f.URL
	}
	at, err := f.Read(os.Getenv)
	if err != nil {
		return redisskew.Where{}, err
	}
	if at.Kind == access.Sentinel {
		return redisskew.Where{}, errors.New("--redis names Sentinels: a master alone has no slots to even out; want a node of a Redis Cluster")
	}
	return redisskew.Where{Addr: at.Addrs[0], User: at.User, Password: at.Password, TLS: at.TLS}, nil
}

func readLabels(ctx context.Context, file, names string) (redisskew.Labels, error) {
	if names != "" {
		l, err := redisskew.NamedLabels(names)
		if err != nil {
			return l, fmt.Errorf("--zone-names: %w", err)
		}
		return l, nil
	}
	if file == "" {
		return redisskew.Labels{}, nil
	}
	const most = 1 << 20
	b, err := readFile(ctx, file, most, "list of zones")
	if err != nil {
		return redisskew.Labels{}, err
	}
	l, err := redisskew.ReadLabels(bytes.NewReader(b))
	if err != nil {
		return l, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// writeRedis writes masters, skews, and the plan with its lines; entry is what redis-cli
// is to be told beside them.
func writeRedis(t terminal, c *redisskew.Cluster, hs []slots.Holding, p *slots.Plan, entry string) error {
	rows := newTable("node", "address", "zone", "slots>", "target>", "slots/target>", "after>", "keys>", "MiB>", "limit>", "")
	for i := range c.Nodes {
		n := &c.Nodes[i]
		remark := ""
		switch {
		case n.Err != nil:
			remark = n.Err.Error()
		case n.Down:
			remark = "down"
		case n.Moving > 0:
			remark = fmt.Sprintf("%d slots are on their way", n.Moving)
		}
		rows.add(n.ID[:min(8, len(n.ID))], n.Addr, hs[i].Zone, fmt.Sprint(n.Slots), fmt.Sprint(p.Targets[i]), ratio(n.Slots, float64(p.Targets[i])), fmt.Sprint(p.After[i]),
			dashIf(n.Keys < 0, fmt.Sprint(n.Keys)), dashIf(n.Memory < 0, mebibytes(n.Memory)), dashIf(n.MaxMemory <= 0, mebibytes(n.MaxMemory)), remark)
	}
	if err := rows.write(t.out); err != nil {
		return err
	}
	sigmas, err := sigmasOf(hs, afterwards(hs, p))
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, sigmas)
	byNode, byZone := c.NodeSkews(hs), c.ZoneSkews(hs)
	fmt.Fprintf(t.out, "sigma of keys/target over nodes %s, zones %s; of memory/target %s, %s\n", sigma(byNode.Keys), sigma(byZone.Keys), sigma(byNode.Memory), sigma(byZone.Memory))
	if c.Slots < slots.Count {
		fmt.Fprintf(t.out, "%d of %d slots are served by nobody: redis-cli --cluster fix %s first\n", slots.Count-c.Slots, slots.Count, c.Entry)
		return nil
	}
	if len(p.Moves) == 0 {
		_, err := fmt.Fprintln(t.out, "nothing is to be moved")
		return err
	}
	fmt.Fprintf(t.out, "%d slots move, %d of them between zones; at least %d must\n", p.Moved, p.Across, p.Minimum)
	if entry != "" {
		fmt.Fprintf(t.out, "# to each line add: %s\n", entry)
	}
	lines, err := redisLinesOf(c.Entry, hs, p)
	if err != nil {
		return err
	}
	return lines.write(t)
}

// sigma is a skew's, if it is one of anything.
func sigma(s slots.Skew) string { return dashIf(s.Least < 0, fmt.Sprintf("%.3f", s.Sigma)) }

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
