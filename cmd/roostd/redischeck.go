package main

import (
	"context"
	"errors"
	"time"

	"roost/server/presence"
	"roost/server/ringmirror"
)

// presence opens it twice: for the node, and for looking at other nodes in Redis, which must
// go on while guard lets nobody through.
func (c *clusterSettings) presence(guard *ringmirror.Guard) (looks, node *presence.Redis, err error) {
	o := presence.RedisOptions{URL: c.redis.URL(), TLS: c.redis.TLS, SentinelUsername: c.redis.SentinelUser, SentinelPassword: c.redis.SentinelPassword}
	if looks, err = presence.NewRedis(o); err != nil {
		return nil, nil, err
	}
	o.Dial = guard.Dial
	if node, err = presence.NewRedis(o); err != nil {
		return nil, nil, errors.Join(err, looks.Close())
	}
	return looks, node, nil
}

// agree has etcd and Redis compared by the mark that both have. Where etcd does not answer it
// is done later; until then only names were compared.
func (p *redisParts) agree(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	err := p.guard.Agree(ctx, p.marks)
	if p.agreed = err == nil; p.agreed || errors.Is(err, ringmirror.ErrWrongRedis) {
		return err
	}
	p.log.Warn("etcd does not say yet which data in Redis are the cluster's: going on by its name, and trying", "err", err)
	return nil
}

// check asks a Redis that was not reached again until it is, and returns what makes it
// impossible to use. One that is known is watched: a guard each second, whether it is that of the
// others every other second, and each minute whether it is still set up as it has to be. What
// is found then is said, and nothing ended: devices are served.
func (p *redisParts) check(ctx context.Context) error {
	looked := time.Now()
	for {
		again := redisSides
		if !p.known {
			again = redisAgain
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
		p.sides(ctx)
		if p.known && p.agreed && time.Since(looked) < redisLook {
			continue
		}
		looked = time.Now()
		was := p.known && p.agreed
		err := p.take(ctx)
		switch {
		case !errors.Is(err, ringmirror.ErrWrongRedis) || ctx.Err() != nil:
		case !was:
			return err
		case !errors.Is(err, ringmirror.ErrForeign): // of that the guard speaks
			p.log.Error("Redis is not set up as it has to be any more", "err", err)
		}
	}
}

// sides compares this node's Redis with that of the others, and shuts it where it is this node
// that has another, until it is seen to have that of the others.
func (p *redisParts) sides(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	n, err := p.looks.Nodes(ctx)
	if err != nil {
		return // it is away: what was known stays
	}
	losses := p.guard.Status().Losses
	switch s, why := sideOf(p.etcd.View(), &n, p.self); s {
	case sideUnclear:
	case sideRight:
		p.split, p.losses = time.Time{}, losses
		p.guard.Doubt(nil)
	case sideWrong:
		within := companyWithin
		if losses != p.losses {
			within = companyLost
		}
		if p.split.IsZero() {
			p.split = time.Now()
		}
		if time.Since(p.split) >= within {
			p.guard.Doubt(wrongRedis(p.c.redis.String(), within, why))
		}
	}
}
