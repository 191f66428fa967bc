package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"roost/server"
	"roost/server/access"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/inbox/redisinbox"
	"roost/server/presence"
	"roost/server/ringmirror"
)

const (
	// redisWithin is how long a start waits for Redis to say whose it is.
	redisWithin = 3 * time.Second
	// redisAgain is how often one that was not reached is asked again, redisLook one that
	// was.
	redisAgain = 2 * time.Second
	redisLook  = time.Minute
	// redisSides is how often one that is known is compared with that of the others.
	redisSides = 2 * time.Second
)

// redisParts are what this process has in Redis: rings and identity, presence, inboxes, the bus.
type redisParts struct {
	// Static after openRedis.
	c        *clusterSettings
	log      *slog.Logger
	mirror   *ringmirror.Store
	guard    *ringmirror.Guard // by which all of the node but mirror and looks dial
	presence *presence.Redis
	looks    *presence.Redis                                            // what the nodes in Redis are, also while guard lets nobody through
	self     string                                                     // this node's id
	etcd     *cluster.Watcher                                           // what etcd says; set before the first take
	marks    func(ctx context.Context, proposed string) (string, error) // of etcd; set before the first take
	known    bool                                                       // whose Redis it is was seen
	agreed   bool                                                       // etcd has said the same
	split    time.Time                                                  // since when the others seem to use another; zero: they do not
	losses   uint64                                                     // that guard had counted when they were in it last
}

// openRedis looks whether Redis is one that this cluster can use. One that does not answer
// may come later; check looks then. Nothing is written until take.
func openRedis(ctx context.Context, c *clusterSettings, log *slog.Logger) (*redisParts, error) {
	p := &redisParts{c: c, log: log}
	var err error
	if p.mirror, err = ringmirror.Open(ringmirror.Options{URL: c.redis.URL(), TLS: c.redis.TLS, SentinelUsername: c.redis.SentinelUser, SentinelPassword: c.redis.SentinelPassword,
		Prefix: c.redisPrefix + ":", Replicas: c.replicas}); err != nil {
		return nil, err
	}
	p.guard = ringmirror.NewGuard(p.mirror, c.id, log)
	p.looks, p.presence, err = c.presence(p.guard)
	if err != nil {
		p.mirror.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	switch err := p.look(ctx); {
	case errors.Is(err, ringmirror.ErrWrongRedis):
		return nil, errors.Join(err, p.close())
	case err != nil:
		log.Warn("Redis is not reached: going on with live messages of this node's devices, and trying", "redis", c.redis.String(), "err", err)
	}
	return p, nil
}

// take takes Redis for this cluster, when etcd has said which one that is: a node whose
// cluster's name has a slip must not take a new Redis from all others, nor one that is given
// another Redis than they have.
func (p *redisParts) take(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	if err := p.look(within); err != nil {
		return err
	}
	if !p.known { // afterwards check sees it, which must not wait here
		if err := p.company(ctx); err != nil {
			return err
		}
	}
	within, cancel = context.WithTimeout(ctx, redisWithin)
	defer cancel()
	found, err := p.mirror.Identify(within, p.c.id)
	if err != nil {
		return err
	}
	if !p.agreed {
		if err := p.agree(ctx); err != nil {
			return err
		}
	}
	if p.known {
		return nil
	}
	for _, w := range found.Warnings {
		p.log.Warn("Redis: " + w)
	}
	p.log.Info("Redis", "redis", p.c.redis.String(), "version", found.Version)
	p.known = true
	return nil
}

// look says whether it is what the URL says, and whose.
func (p *redisParts) look(ctx context.Context) error {
	found, err := p.mirror.Look(ctx, p.c.id)
	if err != nil {
		return err
	}
	switch {
	case found.Cluster && p.c.redis.Kind == access.Single:
		return fmt.Errorf("%w: %s is a Redis Cluster: write redis-cluster://", ringmirror.ErrWrongRedis, p.c.redis.String())
	case !found.Cluster && p.c.redis.Kind == access.Cluster:
		return fmt.Errorf("%w: %s is no Redis Cluster: write redis://", ringmirror.ErrWrongRedis, p.c.redis.String())
	}
	return nil
}

// bus makes the bus between nodes.
func (p *redisParts) bus(o fanout.Options) (fanout.Bus, error) {
	r := &p.c.redis
	return fanout.NewRedis(fanout.RedisOptions{Options: o, Addrs: r.Addrs, MasterSet: r.Master,
		Username: r.User, Password: r.Password, SentinelUsername: r.SentinelUser, SentinelPassword: r.SentinelPassword, TLS: r.TLS, Dial: p.guard.Dial, Prefix: p.c.redisPrefix})
}

// store makes the store of kept messages for a start of this node.
func (p *redisParts) store(self presence.Owner, limits inbox.Limits) func(server.StoreHooks) (server.RemoteStore, error) {
	return func(h server.StoreHooks) (server.RemoteStore, error) {
		r := &p.c.redis
		claims := &redisinbox.Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: self.String(), Likely: redisinbox.Likely(server.LikelyOutcomes())}
		var notify *redisinbox.Notify
		if r.Kind != access.Cluster { // there it lies in another slot, and is written before; channels do, too
			claims.Index = presence.IndexKey(self)
			notify = &redisinbox.Notify{Lua: fanout.StoredLua, Channels: fanout.NodeChannels(p.c.redisPrefix), Append: server.Notices(self.Node)}
		}
		return redisinbox.New(redisinbox.Options{Addrs: r.Addrs, Master: r.Master, Username: r.User, Password: r.Password, TLS: r.TLS,
			SentinelUsername: r.SentinelUser, SentinelPassword: r.SentinelPassword, Dial: p.guard.Dial,
			Prefix: p.c.redisPrefix + ":", Replicas: p.c.replicas, Limits: limits, Presence: claims, Notify: notify, Moved: h.Moved, End: h.End, Latest: h.Latest})
	}
}

func (p *redisParts) close() error {
	p.mirror.Close()
	return errors.Join(p.presence.Close(), p.looks.Close())
}
