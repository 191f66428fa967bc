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
	"roost/server/client"
	"roost/server/wire"
)

// devices are the clients, and what they got of the load under way.
type devices struct {
	ids   []string
	begin time.Time // what due times are counted from

	connected atomic.Int64
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

// connect starts a client for each id, and waits until all are connected. They end with
// the owner.
func connect(ctx context.Context, own *owner, addr string, ids []string) (*devices, error) {
	d := &devices{ids: ids, begin: time.Now()}
	run, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	own.Cleanup(func() { stop(); all.Wait() })
	for _, id := range ids {
		var once sync.Once
		c, err := client.New(client.Options{URL: "ws://" + addr, Device: id, Protocol: wire.Binary, OnMessage: d.message, OnState: func(s client.State) {
			if s.Phase == client.Connected {
				once.Do(func() { d.connected.Add(1) })
			}
		}})
		if err != nil {
			return nil, err
		}
		all.Go(func() { _ = c.Run(run) })
		if !pause(ctx, 10*time.Millisecond) { // as many as a node takes of one address
			return nil, ctx.Err()
		}
	}
	for end := time.Now().Add(30 * time.Second); int(d.connected.Load()) < len(ids); {
		if !pause(ctx, 20*time.Millisecond) || time.Now().After(end) {
			return nil, fmt.Errorf("%d of %d devices are connected", d.connected.Load(), len(ids))
		}
	}
	return d, nil
}

// payload is of the message of a load that is due at a time: a JSON array of both.
func payload(load int, due time.Duration) []byte {
	b := strconv.AppendInt([]byte{'['}, int64(load), 10)
	return append(strconv.AppendInt(append(b, ','), int64(due), 10), ']')
}

// message takes a message.
func (d *devices) message(m client.Message) {
	now := time.Since(d.begin)
	r := d.load.Load()
	text, ok := bytes.CutPrefix(m.Payload, []byte{'['})
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
