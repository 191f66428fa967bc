package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"roost/ring"
	"roost/ring/preview"
	"roost/server/access"
	"roost/server/cluster"
)

// etcdFlags say which cluster is meant.
type etcdFlags struct {
	access.EtcdFlags
	prefix  string
	id      cluster.Identity
	timeout time.Duration
}

// etcd defines the flags of a command that asks a cluster.
func (f *flags) etcd() *etcdFlags {
	e := &etcdFlags{}
	f.StringVar(&e.Endpoints, "etcd", "", "`host:port,...` of the cluster's etcd, each with https:// before it for TLS")
	e.Define(f.FlagSet)
	f.StringVar(&e.prefix, "etcd-prefix", cluster.DefaultPrefix, "`prefix` of the cluster's keys in etcd")
	f.StringVar(&e.id.ID, "cluster", "roost", "`id` of the cluster, as its nodes have it")
	f.StringVar(&e.id.Environment, "environment", "development", "`name` of the environment, as its nodes have it")
	f.DurationVar(&e.timeout, "timeout", cluster.DefaultTimeout, "`time` that each request to etcd has")
	return e
}

// session is a cluster that is looked at.
type session struct {
	id       cluster.Identity
	c        *cluster.Client
	w        *cluster.Watcher
	versions *cluster.Versions
	planner  cluster.Elected
}

// plan is what the planner goes by, with unit devices to a ring weight of 1 unless that is 0.
func (s *session) plan(unit float64) cluster.PlanSettings {
	p := s.planner.Plan
	if unit != 0 {
		p.Unit = unit
	}
	return p
}

// open asks the cluster for all that it says. A prefix that is another cluster's, or
// nobody's, is refused; nothing is written.
func (e *etcdFlags) open(ctx context.Context) (*session, error) {
	if e.Endpoints == "" {
		return nil, errors.New("say where the cluster's etcd is: --etcd host:port")
	}
	at, err := e.Read(os.Getenv)
	if err != nil {
		return nil, err
	}
	c, err := cluster.Dial(cluster.Options{Endpoints: at.Endpoints, Username: at.User, Password: at.Password, TLS: at.TLS, Prefix: e.prefix, Cluster: e.id, Timeout: e.timeout})
	if err != nil {
		return nil, err
	}
	s := &session{id: e.id, c: c, versions: c.Versions()}
	err = c.Known(ctx)
	if err == nil {
		s.w, err = c.Watch(cluster.WatchOptions{})
	}
	if err == nil {
		within, cancel := context.WithTimeout(ctx, e.timeout)
		defer cancel()
		err = s.w.Ready(within)
	}
	if err == nil {
		s.planner, err = s.c.Elected(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	if s.w != nil {
		s.w.Close()
	}
	_ = s.c.Close()
}

// inForce reads the rings that a pointer names, and checks that they are those.
func (s *session) inForce(ctx context.Context, p cluster.Pointer) (stable, canary *cluster.Stored, err error) {
	if p.Activation == 0 {
		return nil, nil, fmt.Errorf("%w: there is no ring yet: it is made when the first node has registered", cluster.ErrNoVersion)
	}
	if stable, err = s.named(ctx, p.Stable, p.StableHash); err != nil || p.Canary == 0 {
		return stable, nil, err
	}
	canary, err = s.named(ctx, p.Canary, p.CanaryHash)
	return stable, canary, err
}

func (s *session) named(ctx context.Context, version uint64, hash cluster.Hash) (*cluster.Stored, error) {
	v, err := s.versions.Get(ctx, version)
	if err == nil && v.Hash != hash {
		err = fmt.Errorf("%w: version %d has the hash %v, the pointer names %v", cluster.ErrDamaged, version, v.Hash, hash)
	}
	return v, err
}

// known is what nodes say of themselves, for ring/preview.
func known(v *cluster.View) map[string]preview.Known {
	all := map[string]preview.Known{}
	for id, w := range v.Weights {
		k := preview.Known{Devices: -1}
		if said, err := w.Said(); err == nil {
			k.Accept = said.Accept
			if said.Connections != nil {
				k.Devices = float64(*said.Connections)
			}
		}
		all[id] = k
	}
	return all
}

// connected is how many devices nodes say they have.
func connected(v *cluster.View) map[string]float64 {
	all := map[string]float64{}
	for id, k := range known(v) {
		if k.Devices >= 0 {
			all[id] = k.Devices
		}
	}
	return all
}

// members returns the ids of a view's members, sorted.
func members(v *cluster.View) []string { return slices.Sorted(maps.Keys(v.Members)) }

// operator is who is at the terminal, for the records of changes.
func operator() string {
	who := os.Getenv("USER")
	if who == "" {
		who = fmt.Sprintf("uid-%d", os.Getuid())
	}
	if host, err := os.Hostname(); err == nil {
		return who + "@" + host
	}
	return who
}

// percentOf writes a part of all with four digits, as of slots.
func percentOf(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", 100*float64(n)/float64(of))
}

// shareText is a share of ring.ShareUnit.
func shareText(share int) string { return fmt.Sprintf("%.2f %%", 100*float64(share)/ring.ShareUnit) }
