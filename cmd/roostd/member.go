package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"roost/server"
	"roost/server/cluster"
	"roost/server/member"
	"roost/server/presence"
	"roost/server/ringmirror"
)

// runMember is the life of a node of a cluster.
//
//	start   Redis: usable? ─▶ etcd: whose? ─▶ Redis: ours ─▶ listeners ─▶ registered ─▶ ready
//	end     signal ─▶ weight 0, the ring goes on without ─▶ devices moved ─▶ etcd left ─▶ Redis closed
//
// A second signal cuts what is left short.
func runMember(ctx context.Context, s *settings, out io.Writer) (err error) {
	redis, err := openRedis(ctx, &s.cluster, s.opt.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, redis.close()) }()
	stage := &late{}
	node, err := member.Dial(ctx, s.memberOptions(stage))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	redis.self, redis.etcd, redis.marks = s.opt.Node, node.Members(), node.Client().RedisMark
	if err := redis.take(ctx); errors.Is(err, ringmirror.ErrWrongRedis) {
		return err
	}
	s.warnOfInbox()
	s.opt.Cluster = s.serverCluster(node, redis)
	srv, err := server.New(s.opt)
	if err != nil {
		return err
	}
	stage.to.Store(srv)
	join := s.join(srv)
	if err = join.Hurry(s.cluster.pace); err == nil {
		err = node.Join(ctx, join)
	}
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	mirror := ringmirror.Follow(redis.mirror, node.Rings(), node.Members(), s.opt.Log)
	defer mirror.Close()
	redis.guard.OnLost(func() {
		mirror.Again()
		srv.StoreLost()
	})
	ready(out, s, srv)
	why := untilEnd(ctx, srv, node, redis)

	// Not before now: a first signal is ctx's.
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	node.Leave(again, s.opt.DrainOver)
	return errors.Join(why, srv.Drain(again))
}

// untilEnd waits for what ends the node: nil is a signal.
func untilEnd(ctx context.Context, srv *server.Server, node *member.Node, redis *redisParts) error {
	wrong := make(chan error, 1)
	var work sync.WaitGroup
	checking, stop := context.WithCancel(ctx)
	defer work.Wait()
	defer stop()
	work.Go(func() { redis.guard.Run(checking) })
	work.Go(func() {
		if err := redis.check(checking); err != nil {
			wrong <- err
		}
	})
	select {
	case <-ctx.Done():
		return nil
	case err := <-srv.Failed():
		return fmt.Errorf("api: %w", err)
	case err := <-node.Failed():
		return err
	case err := <-wrong:
		return err
	}
}

// memberOptions are what etcd is told and asked.
func (s *settings) memberOptions(stage *late) member.Options {
	c := &s.cluster
	return member.Options{
		Endpoints: c.etcd.Endpoints, Username: c.etcd.User, Password: c.etcd.Password, TLS: c.etcd.TLS, Prefix: c.prefix, Cluster: c.id,
		ID: s.opt.Node, DataDir: s.dataDir, RingFile: c.ringFile, Stages: stage.took, Log: s.opt.Log,
	}
}

// serverCluster is what the server needs of etcd and Redis.
func (s *settings) serverCluster(node *member.Node, redis *redisParts) *server.Cluster {
	self := presence.Owner{Node: s.opt.Node, Incarnation: uint64(node.Start())}
	return &server.Cluster{
		Start: node.Start(), Zone: s.cluster.zone,
		Rings: node.Rings(), Members: node.Members(), Changed: node.Changed(), Budget: node.Budget,
		Bus: redis.bus, Store: redis.store(self, s.limits),
		Presence: presence.Options{Self: self, Store: redis.presence, Leases: node.Leases},
		Webhook:  s.cluster.webhook,
		Guard: func() server.RedisGuard {
			g := redis.guard.Status()
			return server.RedisGuard{Foreign: g.Foreign != nil, Refused: g.Refused, Losses: g.Losses}
		},
	}
}

// join is what the node says of itself, and what is asked of its server.
func (s *settings) join(srv *server.Server) member.Join {
	c := &s.cluster
	m := cluster.Member{ID: s.opt.Node, Addr: c.advertise, API: c.advertiseAPI, Zone: c.zone, Capacity: c.capacity, Build: build()}
	if m.Addr == "" {
		m.Addr = "ws://" + srv.Addr().String()
	}
	if m.API == "" {
		m.API = "http://" + srv.APIAddr().String()
	}
	if m.Capacity == 0 {
		m.Capacity = float64(srv.Capacity().Connections)
	}
	return member.Join{Member: m, Cores: s.opt.Loops, MostConnects: s.opt.Connects.Node, Hooks: member.Hooks{
		Load: func() member.Load { return loadOf(srv) }, Redis: srv.Reaches, Trial: srv.Trial,
		Evacuate: srv.Evacuate, Stay: srv.StayHere,
	}}
}

// loadOf is what the node measures of itself.
func loadOf(srv *server.Server) member.Load {
	x := srv.Load()
	load := member.Load{Devices: x.Devices, Accepted: x.Accepted, Latency: -1, Backlog: -1, LoopLag: -1}
	if x.Latency >= 0 {
		load.Latency = float64(x.Latency) / float64(time.Millisecond)
	}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		load.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return load
}

// build names the version of the binary.
func build() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// late hands on what comes before the server that it is for is there.
type late struct{ to atomic.Pointer[server.Server] }

func (l *late) took(stage cluster.Stage, d time.Duration) {
	if srv := l.to.Load(); srv != nil {
		srv.Stage(stage, d)
	}
}

// warnOfInbox says that what a node by itself has kept is not used.
func (s *settings) warnOfInbox() {
	if s.dataDir == "" {
		return
	}
	if _, err := os.Stat(s.inboxDir()); err == nil {
		s.opt.Log.Warn("the data directory has an inbox of a node by itself: it stays as it is, and in a cluster nobody gets what is in it", "dir", s.inboxDir())
	}
}
