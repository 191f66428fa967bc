package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"roost/server/api"
	"roost/server/inbox"
	"roost/server/presence"
)

// presenceError words an error of presence or the bus for publishers. That ctx, the request, is over stays what it is; a
// deadline that passed below it is a store that does not answer.
func presenceError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(api.ErrStore, err)
}

// errAway is that nothing can be said of what is not found: it may be there.
var errAway = fmt.Errorf("%w: this node does not reach it now, and cannot say what is there", api.ErrStore)

// notFound is what is said where the store has found nothing: err, or that it cannot be asked.
func (s *Server) notFound(err error) error {
	if !s.Reaches() {
		return errAway
	}
	return err
}

// whereIs says where a device is, by presence. A device that is connected here is known
// also while presence does not answer.
func (s *Server) whereIs(ctx context.Context, d *api.Device) error {
	where, err := s.cluster.keeper.Get(ctx, d.Device)
	if err != nil {
		return presenceError(ctx, err)
	}
	w := &where[0]
	d.Presence = presenceOf(w)
	if d.Online = w.Status == presence.Online; w.Status != presence.Offline {
		d.Node = w.Record.Owner.Node
	}
	return nil
}

// onlineAtOnce is how many devices presence is asked about at once for a list.
const onlineAtOnce = 256

// onlineOf says which of a list of devices are connected. In a cluster presence is asked,
// as far as somebody wants to know.
type onlineOf struct {
	s   *Server
	ids []string

	where []presence.Where // of ids from from on
	from  int
}

// at says it of the device at a place of the list.
func (o *onlineOf) at(ctx context.Context, i int) (bool, error) {
	if o.s.cluster == nil {
		_, online := o.s.connOf([]byte(o.ids[i]))
		return online, nil
	}
	if i < o.from || i >= o.from+len(o.where) {
		where, err := o.s.cluster.keeper.Get(ctx, o.ids[i:min(i+onlineAtOnce, len(o.ids))]...)
		if err != nil {
			return false, presenceError(ctx, err)
		}
		o.where, o.from = where, i
	}
	return o.where[i-o.from].Status == presence.Online, nil
}

// devicesOf lists the devices that are connected to a node, by presence. Its pages are
// those of the node's index, whose cursor, with a place in the page, is what next has.
func (s *Server) devicesOf(ctx context.Context, p api.Page) (devices []api.DeviceSummary, next string, err error) {
	if s.cluster == nil {
		return nil, "", api.ErrAlone
	}
	owner, ok := s.startOf(p.Node)
	if !ok {
		return nil, "", api.ErrUnknownNode
	}
	cursor, skip := parseCursor(p.After)
	for len(devices) < p.Limit {
		ids, following, err := s.cluster.keeper.Page(ctx, owner, cursor, presence.MaxBatch)
		if err != nil {
			return nil, "", presenceError(ctx, err)
		}
		for at := min(skip, len(ids)); at < len(ids); {
			part := ids[at:min(at+presence.MaxBatch, len(ids))]
			where, err := s.cluster.keeper.Get(ctx, part...)
			if err != nil {
				return nil, "", presenceError(ctx, err)
			}
			for i := range where {
				if len(devices) == p.Limit {
					return devices, fmt.Sprintf("%d.%d", cursor, at+i), nil
				}
				w := &where[i]
				if w.Record.Hold != presence.Held || w.Record.Owner != owner || p.Online && w.Status != presence.Online {
					continue
				}
				if d, ok := s.summary(part[i], w.Status == presence.Online); ok {
					devices = append(devices, d)
				}
			}
			at += len(part)
		}
		if cursor, skip = following, 0; cursor == 0 {
			return devices, "", nil
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
	}
	return devices, fmt.Sprintf("%d.0", cursor), nil
}

// parseCursor is the inverse of what devicesOf writes; what it cannot read begins anew.
func parseCursor(s string) (cursor uint64, skip int) {
	a, b, _ := strings.Cut(s, ".")
	cursor, err1 := strconv.ParseUint(a, 10, 64)
	skip, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || skip < 0 {
		return 0, 0
	}
	return cursor, skip
}

// startOf returns the latest start of a node that presence knows, of those that live if
// one does.
func (s *Server) startOf(node string) (o presence.Owner, ok bool) {
	if node == s.opt.Node {
		return s.cluster.keeper.Self(), true
	}
	nodes, _ := s.cluster.keeper.Nodes()
	lives := false
	for _, n := range nodes {
		alive := n.Evidence.Alive()
		if n.Owner.Node != node || lives && !alive {
			continue
		}
		if alive && !lives || n.Owner.Incarnation > o.Incarnation {
			o, ok = n.Owner, true
		}
		lives = lives || alive
	}
	return o, ok
}

// subscribedAway tells the node that has a device of a subscription, if it is not this
// one.
func (s *Server) subscribedAway(sub *inbox.Subscription) {
	if s.cluster == nil {
		return
	}
	if _, here := s.registry.Lookup(uint32(sub.Ref)); !here {
		s.cluster.mesh.Subscribed(sub.Device, sub.Topic, sub.On)
	}
}
