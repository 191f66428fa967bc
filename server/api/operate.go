package api

import (
	"fmt"
	"net/http"
	"strconv"
)

// The number of entries of a list.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// deviceList is what GET /v1/devices answers.
type deviceList struct {
	Devices []DeviceSummary `json:"devices"`
	Next    string          `json:"next,omitempty"` // the value of after for the next page
}

// topicList is what GET /v1/topics answers.
type topicList struct {
	Topics []Topic `json:"topics"`
	Next   string  `json:"next,omitempty"`
}

// answer writes v, or the problem that err is with what was asked for.
func (x *exchange) answer(v any, err error, what string) {
	if err != nil {
		failure(err, what).write(x)
		return
	}
	writeJSON(x, http.StatusOK, v)
}

// done answers that it was done, or the problem that err is.
func (x *exchange) done(err error, what string) {
	if err != nil {
		failure(err, what).write(x)
		return
	}
	x.WriteHeader(http.StatusNoContent)
}

func (n *names) theDevice() string { return fmt.Sprintf("device %q", n.device) }
func (n *names) theTopic() string  { return fmt.Sprintf("topic %q", n.topic) }

// device serves GET /v1/devices/{device}.
func (h *handler) device(x *exchange) {
	d, err := h.node.Device(x.ctx, x.names.device)
	x.answer(d, err, x.names.theDevice())
}

// removeDevice serves DELETE /v1/devices/{device}.
func (h *handler) removeDevice(x *exchange) {
	x.done(h.node.RemoveDevice(x.ctx, x.names.device), x.names.theDevice())
}

// disconnect serves DELETE /v1/devices/{device}/connection.
func (h *handler) disconnect(x *exchange) {
	x.done(h.node.Disconnect(x.ctx, x.names.device), x.names.theDevice())
}

// subscribe serves PUT /v1/devices/{device}/topics/{topic}.
func (h *handler) subscribe(x *exchange) {
	x.done(h.node.Subscribe(x.ctx, x.names.device, x.names.topic, true), x.names.theDevice())
}

// unsubscribe serves DELETE /v1/devices/{device}/topics/{topic}.
func (h *handler) unsubscribe(x *exchange) {
	x.done(h.node.Subscribe(x.ctx, x.names.device, x.names.topic, false), x.names.theDevice())
}

// topic serves GET /v1/topics/{topic}.
func (h *handler) topic(x *exchange) {
	t, err := h.node.Topic(x.ctx, x.names.topic)
	x.answer(t, err, x.names.theTopic())
}

// clearTopic serves DELETE /v1/topics/{topic}/latest.
func (h *handler) clearTopic(x *exchange) {
	x.done(h.node.ClearTopic(x.ctx, x.names.topic), x.names.theTopic())
}

// devices serves GET /v1/devices.
func (h *handler) devices(x *exchange) {
	page, bad := x.page()
	if bad != nil {
		bad.write(x)
		return
	}
	list := deviceList{Devices: []DeviceSummary{}}
	devices, next, err := h.node.Devices(x.ctx, page)
	if list.Next = next; len(devices) > 0 {
		list.Devices = devices
	}
	what := ""
	if page.Node != "" {
		what = fmt.Sprintf("node %q", page.Node)
	}
	x.answer(list, err, what)
}

// topics serves GET /v1/topics.
func (h *handler) topics(x *exchange) {
	page, bad := x.page()
	if bad != nil {
		bad.write(x)
		return
	}
	list := topicList{Topics: []Topic{}}
	topics, more, err := h.node.Topics(x.ctx, page)
	if len(topics) > 0 {
		list.Topics = topics
		if more {
			list.Next = topics[len(topics)-1].Topic
		}
	}
	x.answer(list, err, "")
}

// page reads the parameters of a list.
func (x *exchange) page() (p Page, bad *problem) {
	p = Page{After: x.query.Get("after"), Limit: defaultLimit}
	if p.After != "" && !printable(p.After) {
		return p, invalidParameter("after", "after "+nameRule)
	}
	if x.query.Has("limit") {
		n, err := strconv.Atoi(x.query.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return p, invalidParameter("limit", fmt.Sprintf("limit is %q: want 1 to %d", clip([]byte(x.query.Get("limit"))), maxLimit))
		}
		p.Limit = n
	}
	if x.query.Has("node") {
		if p.Node = x.query.Get("node"); !printable(p.Node) {
			return p, invalidParameter("node", "node "+nameRule)
		}
	}
	if x.query.Has("online") {
		switch online := x.query.Get("online"); online {
		case "true", "false":
			p.Online = online == "true"
		default:
			return p, invalidParameter("online", fmt.Sprintf("online is %q: want true or false", clip([]byte(online))))
		}
	}
	return p, nil
}
