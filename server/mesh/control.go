package mesh

import (
	"context"
	"errors"

	"roost/ring"
	"roost/server/fanout"
	"roost/server/presence"
)

// Codes of KindControl below those of WebSocket's close frames. A number is never used for something else.
const (
	codeSubscribed   = 1
	codeUnsubscribed = 2
	firstCloseCode   = 1000
)

// Subscribed tells the node that has a device that this node's API has put it into a topic, or taken it
// out. It does not wait; what is said of one device is said in its order. Where the node cannot be told, that is a
// debt, and logged.
func (m *Mesh) Subscribed(device, topic string, on bool) {
	if !m.seekers.run(ring.Hash(device), func() { m.subscribed(device, topic, on) }) {
		m.untold(device, topic, on, "", fanout.ErrBusy)
	}
}

// untold has the node look, or all where it is not known.
func (m *Mesh) untold(device, topic string, on bool, node string, err error) {
	m.o.Log.Warn("a device at another node could not be told of its subscription: the node is told to look",
		"device", device, "topic", topic, "on", on, "node", node, "err", err)
	if !errors.Is(err, presence.ErrDevice) {
		m.debts.owe(node)
	}
}

func (m *Mesh) subscribed(device, topic string, on bool) {
	ctx, cancel := context.WithTimeout(m.ctx, m.o.Deadline)
	defer cancel()
	node, here, err := m.whereIs(ctx, device)
	switch {
	case here:
		m.o.Local.Subscribed([]byte(device), topic, on)
		return
	case err == nil && (node == "" || node == m.o.Self):
		return // it is not connected: what is stored is what it gets
	case err == nil:
		l := write(fanout.KindControl)
		l.to(device)
		l.about(topic)
		if l.e.Code = codeUnsubscribed; on {
			l.e.Code = codeSubscribed
		}
		_, err = m.send(ctx, node, l)
	}
	if err != nil {
		m.untold(device, topic, on, node, err)
	}
}

// Control closes a device's connection at the node that has it, by presence, with a close code; reason is at most
// 123 bytes. found says that a node was told; the error that presence or the bus does not answer.
func (m *Mesh) Control(ctx context.Context, device string, code uint16, reason string) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.o.Deadline)
	defer cancel()
	m.n.asked.Add(1)
	where, err := m.o.Where.Get(ctx, device)
	if err != nil {
		m.n.unknown.Add(1)
		return false, err
	}
	w := &where[0]
	switch {
	case w.Here:
		m.o.Local.Control([]byte(device), uint64(w.Record.Fence), code, reason)
		return true, nil
	case w.Status == presence.Offline || w.Record.Owner.Node == m.o.Self:
		return false, nil
	}
	l := write(fanout.KindControl)
	l.to(device)
	l.e.Code, l.e.Fence = code, uint64(w.Record.Fence)
	l.e.Payload = append(l.topic[:0], reason...)
	n, err := m.send(ctx, w.Record.Owner.Node, l)
	return n > 0, err
}

// send posts a letter to a node and waits until the bus has it.
func (m *Mesh) send(ctx context.Context, node string, l *letter) (receivers int, err error) {
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	m.post(fanout.ToNode(node), &l.e, func(n int, err error) {
		m.taken(n, err)
		done <- outcome{n, err}
	})
	l.done()
	select {
	case r := <-done:
		return r.n, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
