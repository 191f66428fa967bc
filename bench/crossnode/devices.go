package crossnode

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"roost/loadgen/tally"
)

// devices are the clients, and what they got of the load under way.
type devices struct {
	ids   []string
	begin time.Time // what due times are counted from

	connected atomic.Int64
	lost      atomic.Pointer[lost]
	load      atomic.Pointer[receipt]
}

// receipt is what came of one load.
type receipt struct {
	number int // in the payloads, so that late ones of the load before are not counted

	mu   sync.Mutex
	hist *tally.Hist // from due to received
	got  int         // those before the load's warm-up was over included
	from time.Duration
}

// lookEvery is how often it is looked what devices have to say: acknowledgements, which may wait for 200 ms, and heartbeats.
const lookEvery = 20 * time.Millisecond

// connect connects a client for each id, and waits until all are. They end with the owner.
func connect(ctx context.Context, own *owner, addr string, ids []string) (*devices, error) {
	d := &devices{ids: ids, begin: time.Now()}
	over := make(chan struct{})
	var all []*device
	var running sync.WaitGroup
	own.Cleanup(func() {
		close(over)
		for _, v := range all {
			v.nc.Close()
		}
		running.Wait()
	})
	for _, id := range ids {
		v, rest, err := d.dial(ctx, addr, id)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		running.Go(func() { d.ended(over, id, v.run(rest)) })
		if !pause(ctx, 10*time.Millisecond) { // as many as a node takes of one address
			return nil, ctx.Err()
		}
	}
	running.Go(func() { d.look(over, all) })
	for end := time.Now().Add(30 * time.Second); int(d.connected.Load()) < len(ids); {
		if !pause(ctx, 20*time.Millisecond) || time.Now().After(end) {
			return nil, fmt.Errorf("%d of %d devices are connected", d.connected.Load(), len(ids))
		}
	}
	return d, nil
}

// look has devices say what they have to, until it is over.
func (d *devices) look(over chan struct{}, all []*device) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		for _, v := range all {
			if v.due(d.now()) != nil {
				v.nc.Close() // its reader says so
			}
		}
	}
}

// ended takes why a device's connection is over; the first one that was not wanted is kept.
func (d *devices) ended(over chan struct{}, id string, err error) {
	select {
	case <-over:
	default:
		d.lost.CompareAndSwap(nil, &lost{id, err})
	}
}

// lost is a device that has lost its connection.
type lost struct {
	id  string
	err error
}

// gone is an error if a device has lost its connection.
func (d *devices) gone() error {
	if l := d.lost.Load(); l != nil {
		return fmt.Errorf("device %s has lost its connection: %w", l.id, l.err)
	}
	return nil
}

func (d *devices) now() time.Duration { return time.Since(d.begin) }

// payload is of the message of a load that is due at a time: a JSON array of both.
func payload(load int, due time.Duration) []byte {
	b := strconv.AppendInt([]byte{'['}, int64(load), 10)
	return append(strconv.AppendInt(append(b, ','), int64(due), 10), ']')
}

// message takes the payload of a message that came at a time.
func (d *devices) message(now time.Duration, p []byte) {
	r := d.load.Load()
	text, ok := bytes.CutPrefix(p, []byte{'['})
	number, due, both := bytes.Cut(bytes.TrimSuffix(text, []byte{']'}), []byte{','})
	if n, err := strconv.Atoi(string(number)); r == nil || !ok || !both || err != nil || n != r.number {
		return
	}
	ns, err := strconv.ParseInt(string(due), 10, 64)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got++
	if at := time.Duration(ns); at >= r.from {
		r.hist.Record(int64(now - at))
	}
}

// count returns how many messages came.
func (r *receipt) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}
