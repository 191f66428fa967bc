package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"roost/server/client"
	"roost/server/wire"
)

// device is one, with what it has lived through.
type device struct {
	fleet *Fleet
	index int
	id    string
	end   context.CancelFunc
	ended chan struct{}

	mu        sync.Mutex
	connected bool
	node      string        // that it is connected to, or was last
	since     time.Duration // when that, or its end, began
	welcomes  int
	gaps      []Gap
	fault     error // why the client ended by itself
}

// Gap is a time without a connection.
type Gap struct {
	Device   int
	From, To time.Duration
	Node     string // that it was connected to before
	Then     string // and afterwards
}

// mostGaps bounds what is kept of a device.
const mostGaps = 256

// name returns the id of a device. Ids of one length, as real ones are.
func name(prefix string, index int) string { return fmt.Sprintf("%s-%06d", prefix, index) }

// source returns where a device comes from: 200 addresses of loopback, so that
// neither ports nor limits per address run out.
func source(index int) net.IP { return net.IPv4(127, 0, 1, byte(1+index%200)) }

// run is the device's life.
func (d *device) run(ctx context.Context) {
	defer close(d.ended)
	b := d.fleet.o.Balancer
	c, err := client.New(client.Options{
		URL: "ws://" + Home, Device: d.id, Protocol: wire.Format(d.index % int(wire.Formats)), Heartbeat: d.fleet.o.Heartbeat,
		OnMessage: d.message, OnState: d.state,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := b.Dial(ctx, source(d.index), addr)
			if errors.Is(err, ErrNoNode) {
				err = fmt.Errorf("%w: %w", syscall.ECONNREFUSED, err) // a balancer without nodes refuses
			}
			return nc, err
		},
	})
	if err == nil {
		err = c.Run(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() == nil {
		d.fault = err
	}
	if d.connected {
		d.connected, d.since = false, d.fleet.now()
	}
}

// message takes one of the cluster.
func (d *device) message(m client.Message) {
	if m.Seq == 0 {
		d.fleet.live.Add(1)
		return
	}
	var body struct{ N int }
	number, ok := Number(m.ID)
	if err := json.Unmarshal(m.Payload, &body); err != nil || !ok || body.N != number {
		d.fleet.o.Ledger.Damaged(d.index, m.ID, m.Payload)
		return
	}
	d.fleet.o.Ledger.Handled(d.index, number, m.Seq, d.fleet.now())
}

// state takes how the client does.
func (d *device) state(s client.State) {
	now := d.fleet.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case s.Phase == client.Connected:
		if !d.connected && d.welcomes > 0 && len(d.gaps) < mostGaps {
			d.gaps = append(d.gaps, Gap{d.index, d.since, now, d.node, s.Node})
		}
		if d.welcomes > 0 && !s.Resumed {
			d.fleet.o.Ledger.NewStream(d.index, now)
		}
		d.connected, d.node, d.since = true, s.Node, now
		d.welcomes++
	case d.connected:
		d.connected, d.since = false, now
	}
}

// ID returns the id of the message with a number.
func ID(number int) string { return "m" + strconv.Itoa(number) }

// Number is the inverse of ID.
func Number(id string) (number int, ok bool) {
	digits, ok := strings.CutPrefix(id, "m")
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil && number >= 0 && ID(number) == id
}
