package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"roost/poller"
	"roost/server/ws"
)

// printer is the role of listen mode: every message is a line.
type printer struct {
	c     *client
	out   io.Writer
	topic string
}

func (p *printer) ready(pc poller.Conn, _ *connState) {
	if p.topic == "" {
		return
	}
	var msg []byte
	if p.c.s.opt.Protocol == "bin" {
		msg = append([]byte{4, 1}, p.topic...) // subscribe, request 1
	} else {
		name, _ := json.Marshal(p.topic) // a string always marshals
		msg = fmt.Appendf(nil, `{"t":"sub","r":1,"ch":%s}`, name)
	}
	p.c.out = ws.AppendMasked(p.c.out[:0], p.c.s.opCode(), p.c.mask(), msg)
	pc.Write(p.c.out, poller.Reliable)
}

func (p *printer) message(_ poller.Conn, _ *connState, ev *ws.Event) bool {
	if bytes.HasPrefix(ev.Payload, []byte(`{"t":"hb"`)) {
		return false // an answer to what nobody saw us send
	}
	p.print(ev)
	return true
}

func (p *printer) turn() {}

// print writes text as it is and bytes so that a terminal survives them.
func (p *printer) print(ev *ws.Event) {
	if ev.Kind == ws.Text {
		fmt.Fprintf(p.out, "%s\n", ev.Payload)
		return
	}
	fmt.Fprintf(p.out, "%q\n", ev.Payload)
}

// listen prints what one connection gets, to out, until ctx ends or the server
// closes.
func listen(ctx context.Context, opt *Options, t target, out, errout io.Writer) error {
	if !t.names && opt.Device == "" && !opt.Peer {
		opt.Device = "listener"
	}
	hello := 1
	if opt.Peer {
		hello = 0
	}
	s, err := newSwarm(opt, t, hello, func(c *client) role { return &printer{c: c, out: out, topic: opt.Topic} })
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.connect(ctx, 1); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	for why := range s.gather(func(c *client) map[string]int { return c.failed }) {
		return fmt.Errorf("%s: %s", opt.URL, explain(map[string]int{why: 1})[0])
	}
	fmt.Fprintf(errout, "connected to %s; ctrl-C ends\n", opt.URL)
	over := func() bool { return s.sum(func(n *counters) uint64 { return n.lost.Load() }) > 0 }
	for ctx.Err() == nil && !over() {
		_ = s.await(ctx, opt.Patience, func() uint64 { return 0 }, over)
	}
	for why := range s.gather(func(c *client) map[string]int { return c.lost }) {
		return fmt.Errorf("%s", why)
	}
	return s.farewell(opt)
}

// farewell closes in order and waits until the server has answered.
func (s *swarm) farewell(opt *Options) error {
	s.each(func(c *client) {
		c.ending = true
		c.l.Each(func(pc poller.Conn) bool {
			c.out = ws.AppendMaskedClose(c.out[:0], c.mask(), ws.StatusNormal, "")
			pc.Write(c.out, poller.Control)
			pc.Finish(errEnd)
			return true
		})
	})
	// The end of a connection pokes too; Finish has a bound of its own (2 s).
	return s.await(context.Background(), opt.Patience, func() uint64 { return 0 }, func() bool { return s.p.Conns() == 0 })
}
