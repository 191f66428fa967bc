package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// subscribeBatch is how many channels one command names.
const subscribeBatch = 256

// unheard is at how many looks in a row, a probe's interval apart, a line has to be silent to be given up. They
// are the line's own turns, so a process that stood still does not blame Redis.
const unheard = 3

// Reasons for a line to be made anew.
var (
	errSilent = errors.New("probes to the node's own channel were not heard")
	errMoved  = errors.New("a subscription was ended by Redis: the slot has moved")
	errLost   = errors.New("the connection was closed")
)

// line is one subscriber's connection and the channels on it. The library would subscribe again
// by itself (Client.Receive), but then nobody could say since when messages were
// missing, and leaving a channel would end the others: a dedicated connection with
// hooks is made anew here.
type line struct {
	// Static after newLine.
	r       *Redis
	client  rueidis.Client
	cluster bool
	probes  bool          // the node's own channel is on it
	change  chan struct{} // 1: what is wanted has changed, or moved was set
	ended   chan struct{}

	mu      sync.Mutex         // covers the following; taken with Redis.mu held
	want    map[string]*wanted // by name of channel
	session uint64             // counts connections: what an old one still says is not heard
	live    map[string]bool    // confirmed by Redis, on the connection of now
	moved   bool
	up      bool
	told    bool // up was told before
	scope   Scope
}

// wanted is a channel that should be listened to.
type wanted struct {
	kind    channelKind
	waiting []func(error) // of Join
}

func newLine(r *Redis, l *link, probes bool) *line {
	return &line{
		r: r, client: l.client, cluster: l.cluster, probes: probes,
		change: make(chan struct{}, 1), ended: make(chan struct{}), want: map[string]*wanted{}, live: map[string]bool{},
	}
}

func (l *line) signal() {
	select {
	case l.change <- struct{}{}:
	default:
	}
}

// add wants a channel. The returned call, if any, is to be made without locks.
func (l *line) add(name string, kind channelKind, joined func(error)) (call func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.want[name]
	if w == nil {
		w = &wanted{kind: kind}
		l.want[name] = w
		switch kind {
		case toNode:
			l.scope.Inbox = true
		case toAll:
			l.scope.All = true
		default:
			l.scope.Topics = true
		}
		l.signal()
	}
	switch {
	case joined == nil:
		return nil
	case l.live[name]:
		return func() { joined(nil) }
	}
	w.waiting = append(w.waiting, joined)
	return nil
}

// remove no longer wants a channel. The returned calls, of those who have joined and left in the
// meantime, are to be made without locks.
func (l *line) remove(name string) (calls []func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.want[name]; w != nil {
		calls = w.waiting
		delete(l.want, name)
		l.signal()
	}
	return calls
}

// run keeps the line up until the bus is closed.
func (l *line) run() {
	defer close(l.ended)
	var wait backoff
	for l.r.ctx.Err() == nil {
		began := time.Now()
		err := l.connection()
		l.setDown(err)
		if time.Since(began) > stable {
			wait = backoff{}
		}
		wait.sleep(l.r.ctx)
	}
	l.answer(nil, ErrClosed)
}

// connection is the life of one. It returns why it ended.
func (l *line) connection() error {
	d, _ := l.client.Dedicate()
	// Not the release that comes with it: that unsubscribes first, which waits for
	// ever on a server that hangs.
	defer d.Close()
	l.mu.Lock()
	clear(l.live)
	l.moved = false
	l.session++
	session := l.session
	l.mu.Unlock()
	broken := d.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { l.message(session, m) },
		OnSubscription: func(s rueidis.PubSubSubscription) { l.confirmed(session, s) },
	})
	if err := l.reconcile(d); err != nil {
		return err
	}
	l.setUp()
	tick := time.NewTicker(l.r.o.Probe)
	defer tick.Stop()
	l.hello()
	missed := 0
	for {
		select {
		case <-l.r.ctx.Done():
			return ErrClosed
		case err := <-broken:
			if err == nil {
				err = errLost
			}
			return err
		case <-l.change:
			if err := l.reconcile(d); err != nil {
				return err
			}
		case <-tick.C:
			if missed++; !l.probes || !l.r.probes.silent() {
				missed = 0
			}
			if missed >= unheard {
				return errSilent
			}
			l.hello()
		}
	}
}

// reconcile subscribes to what is wanted and ends what is not. It returns when Redis has
// confirmed both.
func (l *line) reconcile(d rueidis.DedicatedClient) error {
	var join, leave []string
	l.mu.Lock()
	if l.moved {
		l.mu.Unlock()
		return errMoved
	}
	for name := range l.want {
		if !l.live[name] {
			join = append(join, name)
		}
	}
	for name := range l.live {
		if l.want[name] == nil {
			leave = append(leave, name)
			delete(l.live, name) // so that the confirmation is expected
		}
	}
	l.mu.Unlock()
	for begin := 0; begin < len(leave); begin += subscribeBatch {
		if err := l.do(d, l.unsubscribe(d.B(), leave[begin:min(begin+subscribeBatch, len(leave))])); err != nil {
			return fmt.Errorf("unsubscribing: %w", err)
		}
	}
	for begin := 0; begin < len(join); begin += subscribeBatch {
		if err := l.do(d, l.subscribe(d.B(), join[begin:min(begin+subscribeBatch, len(join))])); err != nil {
			return fmt.Errorf("subscribing: %w", err)
		}
	}
	if len(join) == 0 {
		return nil
	}
	// The library returns at the first confirmation. What Redis says next comes after all of
	// them.
	if err := l.do(d, d.B().Ping().Build()); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	l.answer(join, nil)
	return nil
}

// do sends one command within the deadline.
func (l *line) do(d rueidis.DedicatedClient, cmd rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(l.r.ctx, l.r.o.Timeout)
	defer cancel()
	return d.Do(ctx, cmd).Error()
}

func (l *line) subscribe(b rueidis.Builder, names []string) rueidis.Completed {
	if l.cluster {
		return b.Ssubscribe().Channel(names...).Build()
	}
	return b.Subscribe().Channel(names...).Build()
}

func (l *line) unsubscribe(b rueidis.Builder, names []string) rueidis.Completed {
	if l.cluster {
		return b.Sunsubscribe().Channel(names...).Build()
	}
	return b.Unsubscribe().Channel(names...).Build()
}

// answer tells those who wait for channels; nil names are all of them.
func (l *line) answer(names []string, err error) {
	var calls []func(error)
	l.mu.Lock()
	take := func(name string) {
		if w := l.want[name]; w != nil && (err != nil || l.live[name]) {
			calls = append(calls, w.waiting...)
			w.waiting = nil
		}
	}
	if names == nil {
		for name := range l.want {
			take(name)
		}
	}
	for _, name := range names {
		take(name)
	}
	l.mu.Unlock()
	for _, joined := range calls {
		joined(err)
	}
}

// confirmed is called on the connection's reader, for every channel on its own.
func (l *line) confirmed(session uint64, s rueidis.PubSubSubscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session != l.session {
		return
	}
	switch s.Kind {
	case "subscribe", "ssubscribe":
		l.live[s.Channel] = true
	case "unsubscribe", "sunsubscribe":
		if l.live[s.Channel] { // nobody here has asked for it
			delete(l.live, s.Channel)
			l.moved = true
			l.signal()
		}
	}
}

// message is called on the connection's reader: it only queues.
func (l *line) message(session uint64, m rueidis.PubSubMessage) {
	l.mu.Lock()
	w, now := l.want[m.Channel], session == l.session
	l.mu.Unlock()
	if w != nil && now {
		if l.probes {
			l.r.probes.arrival.Store(true)
		}
		l.r.in.arrive(w.kind, m.Message)
	}
}
