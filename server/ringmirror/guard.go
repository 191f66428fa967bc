package ringmirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"roost/server/cluster"
)

// GuardEvery is how often a Guard looks.
const GuardEvery = time.Second

// Guard sees to it that a node uses no Redis but its cluster's. Everything of the node that
// uses Redis dials by it.
//
//	new connection   whose is it? another's: refused, as if nobody were there
//	each second      another's: connections are cut, and none are let through until it is ours again
//	                 it has lost what says whose it is: that is put again, and Lost is told:
//	                 with it went whatever else was there
//
// So a Redis that is exchanged under a running node is, for the node, one that is away:
// nothing is accepted, and all comes back by itself when the right one does.
type Guard struct {
	// Static after NewGuard.
	s   *Store
	id  cluster.Identity
	log *slog.Logger

	looking chan struct{} // holds one value: who has it looks

	mu    sync.Mutex        // covers the following; nothing is called while it is held
	mark  string            // ours; "" until Agree
	lives map[string]string // of the marks, by key
	lost  func()
	began time.Time // when the last look began
	last  error     // what it found
	doubt error     // of Doubt
	conns map[*guarded]struct{}
	n     GuardStatus
}

// GuardStatus is what a guard has to say.
type GuardStatus struct {
	Foreign error  // why nothing is let through; nil: it is
	Refused uint64 // connections that were not let through or were cut
	Losses  uint64 // times that Redis had lost what it had
}

// NewGuard returns a guard over the Redis of s for cluster id. Run has to run.
func NewGuard(s *Store, id cluster.Identity, log *slog.Logger) *Guard {
	g := &Guard{s: s, id: id, log: log, looking: make(chan struct{}, 1), conns: map[*guarded]struct{}{}}
	g.looking <- struct{}{}
	return g
}

// Agree compares the mark of this Redis with that which etcd has, by etcd: it is given what Redis
// has, or a new one, puts it where etcd has none, and returns what etcd has. Afterwards the
// mark is in Redis. The errors are ErrForeign, ErrUnreachable, and etcd's.
func (g *Guard) Agree(ctx context.Context, etcd func(ctx context.Context, proposed string) (string, error)) error {
	proposed, err := g.s.Mark(ctx)
	if err != nil {
		return err
	}
	if proposed == "" {
		proposed = NewMark()
	}
	mark, err := etcd(ctx, proposed)
	if err != nil {
		return err
	}
	_, lives, err := g.mend(ctx, mark)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mark, g.lives = mark, lives
	return nil
}

// mend puts what is missing of what says whose the Redis is, and returns how many keys that were,
// and the lives of all marks.
func (g *Guard) mend(ctx context.Context, mark string) (missing int, lives map[string]string, err error) {
	lost, lives, err := g.s.whose(ctx, g.id, mark)
	if len(lost) == 0 || mark == "" { // before Agree nothing is put
		return 0, lives, err
	}
	if e := g.s.putMarks(ctx, lost); e != nil {
		return 0, nil, e // the next look finds it again
	}
	_, lives, err = g.s.whose(ctx, g.id, mark) // somebody may have been faster
	return len(lost), lives, err
}

// noteLives takes the lives of marks, and reports whether some were another one before. mu is held.
func (g *Guard) noteLives(lives map[string]string) (lost bool) {
	for key, life := range lives {
		if was, known := g.lives[key]; known && was != life {
			lost = true
		}
		if g.lives == nil {
			g.lives = map[string]string{}
		}
		g.lives[key] = life
	}
	return lost
}

// OnLost has f called, by the goroutine of Run or one that dials, after Redis was found to
// have lost what it had. It must not wait.
func (g *Guard) OnLost(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost = f
}

// Status returns what is known now.
func (g *Guard) Status() GuardStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.n
	st.Foreign = g.foreign()
	return st
}

// foreign is called with mu held.
func (g *Guard) foreign() error {
	if g.doubt != nil {
		return g.doubt
	}
	if errors.Is(g.last, ErrForeign) {
		return g.last
	}
	return nil
}

// Doubt closes the way to Redis for a reason that the guard does not see; nil takes that
// back.
func (g *Guard) Doubt(why error) { g.set(func() { g.doubt = why }) }

// set changes what decides whether connections are let through, and carries it out.
func (g *Guard) set(change func()) {
	g.mu.Lock()
	was := g.foreign()
	change()
	is := g.foreign()
	var cut []*guarded
	if is != nil {
		for c := range g.conns {
			cut = append(cut, c)
		}
		g.n.Refused += uint64(len(cut))
	}
	g.mu.Unlock()
	for _, c := range cut {
		_ = c.Close()
	}
	switch {
	case was == nil && is != nil:
		g.log.Error("this is not the cluster's Redis: it is treated as if it were away, and nothing is accepted that would be stored there", "err", is)
	case was != nil && is == nil:
		g.log.Info("the cluster's Redis is back")
	}
}

// Run looks each second, until ctx is over.
func (g *Guard) Run(ctx context.Context) {
	t := time.NewTicker(GuardEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		_ = g.look(ctx)
	}
}

// lookWithin bounds one look.
const lookWithin = time.Second

// look looks, or takes what a look has found that began after the call. The error is
// ErrForeign or ErrUnreachable.
func (g *Guard) look(ctx context.Context) error {
	called := time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	select {
	case <-g.looking:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	defer func() { g.looking <- struct{}{} }()
	g.mu.Lock()
	mark, began, last, lost := g.mark, g.began, g.last, g.lost
	g.mu.Unlock()
	if began.After(called) {
		return last
	}
	began = time.Now()
	missing, lives, err := g.mend(ctx, mark)
	found := false
	g.set(func() {
		if found = missing > 0; found {
			g.lives = nil // they are others now, also those that were not read since
		}
		found = g.noteLives(lives) || found
		g.began = began
		// One that does not answer may be either: what was known stays.
		if err == nil || errors.Is(err, ErrForeign) || !errors.Is(g.last, ErrForeign) {
			g.last = err
		}
		if found {
			g.n.Losses++
		}
	})
	if found {
		g.log.Error("Redis has not what it had: it has lost it, or is another one than before; devices get new streams where theirs are gone", "redis", g.s.where(), "keys", missing)
		if lost != nil {
			lost()
		}
	}
	return err
}

// Dial connects as rueidis does, and lets no connection through to a Redis that is not the
// cluster's. One server is looked at with each connection: it may be another than a moment
// ago. Of many, where one that is away must not hold up the others, what the last look has found counts.
func (g *Guard) Dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	if err := g.Status().Foreign; err != nil {
		if _ = g.look(ctx); g.Status().Foreign != nil {
			g.refused()
			return nil, err
		}
	}
	c, err := dial(ctx, addr, d, t)
	if err != nil {
		return nil, err
	}
	if g.s.alone() {
		if err := g.look(ctx); err != nil {
			_ = c.Close()
			g.refused()
			return nil, err
		}
	}
	return g.keep(c)
}

// alone reports whether all keys are at one address, as far as is known.
func (s *Store) alone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.option.InitAddress) == 1 && s.option.Sentinel.MasterSet == "" &&
		(s.client == nil || s.client.Mode() != rueidis.ClientModeCluster)
}

func dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	if t != nil {
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	}
	return d.DialContext(ctx, "tcp", addr)
}

func (g *Guard) refused() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n.Refused++
}

// keep notes a connection, to be able to cut it.
func (g *Guard) keep(c net.Conn) (net.Conn, error) {
	x := &guarded{Conn: c, g: g}
	g.mu.Lock()
	why := g.foreign()
	if why == nil {
		g.conns[x] = struct{}{}
	}
	g.mu.Unlock()
	if why != nil {
		_ = c.Close()
		return nil, why
	}
	return x, nil
}

// guarded is a connection that a guard can cut.
type guarded struct {
	net.Conn
	g *Guard
}

// Close implements net.Conn.
func (c *guarded) Close() error {
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.mu.Unlock()
	return c.Conn.Close()
}
