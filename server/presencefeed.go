package server

import (
	"context"
	"fmt"
	"time"

	"roost/server/api"
	"roost/server/presence"
)

// observe starts what tells of changes of presence: the event streams, and the webhook
// if there is one.
func (s *Server) observe() {
	k := s.cluster
	ctx, cancel := context.WithCancel(context.Background())
	if k.webhook != nil {
		s.helpers.Go(func() { k.webhook.Run(ctx, k.keeper.Feed()) })
	}
	s.helpers.Go(func() {
		defer cancel()
		s.runFeed(k.keeper.Feed().Listen(0))
	})
}

// newWebhook makes the webhook of the options, nil if they have none.
func (o *Cluster) newWebhook() (*presence.Webhook, error) {
	if o.Webhook.URL == "" {
		return nil, nil
	}
	w, err := presence.NewWebhook(o.Presence.Self, o.Webhook)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return w, nil
}

// runFeed passes changes on to those who listen, until the node ends. In a cluster these
// are the events online and offline: what happens to connections of this node alone is
// nobody's business who looks at devices.
func (s *Server) runFeed(l *presence.Listener) {
	defer l.Close()
	for {
		select {
		case c := <-l.C:
			if n := l.Missed(); n > 0 && s.events.wanted() {
				s.events.send(api.Event{Kind: api.EventMissed, Missed: int(n)})
			}
			if s.events.wanted() {
				s.events.send(eventOf(&c))
			}
		case <-s.stopTick:
			return
		}
	}
}

// eventKinds are the kinds of changes, as events are called.
var eventKinds = map[presence.Kind]string{
	presence.DeviceOnline: api.EventOnline, presence.DeviceOffline: api.EventOffline,
	presence.NodeSuspect: api.EventNodeSuspect, presence.NodeGone: api.EventNodeLost, presence.NodeBack: api.EventNodeBack,
}

// eventOf is a change as an event. Its time is that of the node that saw it.
func eventOf(c *presence.Change) api.Event {
	e := api.Event{Kind: eventKinds[c.Kind], Device: c.Device, At: time.UnixMilli(c.At).UTC(), Node: c.Node.Node, Fence: c.Fence,
		Devices: c.Devices, Back: c.Back, Lost: c.Lost, Singles: c.Singles}
	if c.Reason >= firstCloseCode {
		e.Code = int(c.Reason)
	} else {
		e.Reason = c.Reason.String()
	}
	return e
}

// firstCloseCode is the first of presence's reasons that is a close code.
const firstCloseCode = 1000
