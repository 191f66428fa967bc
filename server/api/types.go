package api

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors that a Node may return, beside those of the context. Each becomes a
// problem detail.
var (
	// ErrOverloaded asks the publisher to come back a little later (503).
	ErrOverloaded = errors.New("too much is under way on this node")
	// ErrUnknownDevice says that nothing is known about the device (404).
	ErrUnknownDevice = errors.New("unknown device")
	// ErrUnknownTopic says that the topic has neither subscribers nor a latest
	// value (404).
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrNotConnected says that the device is away (409).
	ErrNotConnected = errors.New("the device is not connected")
	// ErrStoreFull says that the disk is full: nothing was stored (507).
	ErrStoreFull = errors.New("the store is full: nothing was accepted")
	// ErrStore says that the store cannot write: nothing was stored (503).
	ErrStore = errors.New("the store does not work: nothing was accepted")
	// ErrLimit says that a bound of the node or device is reached (409).
	ErrLimit = errors.New("limit reached")

	// ErrAlone says that there is no cluster to ask about (404).
	ErrAlone = errors.New("this node is not part of a cluster")
	// ErrNoRing says that no ring is in force yet (503).
	ErrNoRing = errors.New("no ring is in force yet: none was ever activated, or etcd has not been reached and there is no file of the last one")
	// ErrUnknownRing says that the node does not hold that version (404).
	ErrUnknownRing = errors.New("this version is not in force here: ask for stable or canary of /v1/ring")
	// ErrUnknownNode says that presence does not know the node (404).
	ErrUnknownNode = errors.New("unknown node: /v1/cluster has those that there are")
)

// Node is what the API needs of the server. Every method may be called from any
// goroutine.
type Node interface {
	// Publish sends messages and says what became of each: results has the
	// length and order of ps. Kept messages of one call are stored in one
	// commit. err is for the call as a whole; when it is ErrStoreFull or
	// ErrStore results says which were done all the same (the live ones), the
	// others are refused with ReasonStore. ps, its strings and payloads belong to
	// the node from here on; see Publication for what they share.
	Publish(ctx context.Context, ps []*Publication) (results []Result, err error)
	// What is not found while the store cannot be asked is an ErrStore, for all that
	// follow, and no empty list.
	//
	// Device describes a device, or returns ErrUnknownDevice.
	Device(ctx context.Context, id string) (Device, error)
	// Devices returns known devices in order of id, beginning after p.After; next is
	// the After of the next page, empty if there is none. With p.Node they are those
	// connected to that node, in no order; next is opaque then, and the errors are
	// ErrAlone, ErrUnknownNode and ErrStore.
	Devices(ctx context.Context, p Page) (devices []DeviceSummary, next string, err error)
	// RemoveDevice forgets a device with all that waits for it and closes its
	// connection, or returns ErrUnknownDevice.
	RemoveDevice(ctx context.Context, id string) error
	// Disconnect closes a device's connection so that it comes back, or returns
	// ErrNotConnected or ErrUnknownDevice.
	Disconnect(ctx context.Context, id string) error
	// Topics returns topics in order of name, beginning after p.After.
	Topics(ctx context.Context, p Page) (topics []Topic, more bool, err error)
	// Topic describes one topic, or returns ErrUnknownTopic.
	Topic(ctx context.Context, name string) (Topic, error)
	// ClearTopic removes a topic's latest value; without one it returns
	// ErrUnknownTopic.
	ClearTopic(ctx context.Context, name string) error
	// Subscribe puts a device into a topic or takes it out; it returns
	// ErrUnknownDevice, ErrLimit or ErrStore.
	Subscribe(ctx context.Context, device, topic string, on bool) error
	// Events calls f for every event from now on until ctx is over, f returns an
	// error, or the node goes down (then it returns nil). The first call is
	// f(nil), as soon as it listens: the client sees the head of the answer then.
	// It returns ErrOverloaded when there are too many listeners, without having
	// called f, or when this one was too slow; f is called from one goroutine,
	// and by nobody once Events has returned.
	Events(ctx context.Context, filter EventFilter, f func(*Event) error) error
	// Route says where a device connects, leaving out the nodes that it could not
	// reach. It returns ErrAlone or ErrNoRing.
	Route(ctx context.Context, device string, failed []string) (Route, error)
	// Ring says which rings are in force and who is there; ErrAlone, ErrNoRing.
	Ring(ctx context.Context) (Ring, error)
	// RingSnapshot returns a ring that is in force, in the binary form or as JSON;
	// ErrAlone, ErrUnknownRing.
	RingSnapshot(ctx context.Context, version uint64, binary bool) (Snapshot, error)
	// RingMark returns what every answer to a publish says of the rings, nil for
	// nothing. It is not changed once it is returned.
	RingMark() *RingMark
	// Cluster says what the node knows of its cluster, or returns ErrAlone.
	Cluster(ctx context.Context) (Cluster, error)
	// Consistency checks the node's own books.
	Consistency(ctx context.Context) (Consistency, error)
	// Ready returns nil when devices can connect, or why they cannot.
	Ready() error
	// WriteMetrics writes all metrics in the Prometheus text format.
	WriteMetrics(w io.Writer)
}

// Class is how a message is delivered.
type Class string

// The classes.
const (
	ClassLive   Class = "live"   // to those connected now; default for topic and all
	ClassLatest Class = "latest" // topics only: live, and the last value is kept
	ClassKept   Class = "kept"   // stored until acknowledged; default for devices
)

// Publication is a checked publish request. Exactly one of Devices, Topic and All
// is set. The strings of all publications of one call are parts of one string, and
// the payloads that are JSON parts of one body: whoever keeps one of them for long
// clones it, or it keeps them all (up to 16 MiB).
type Publication struct {
	Devices []string // one (from "device") or up to 1,000 (from "devices"); no duplicates
	Topic   string
	All     bool
	Class   Class
	ID      string
	TTL     time.Duration // 0: the default of 24 h; whole seconds, at most 24 h; ClassKept and ClassLatest only
	Payload []byte
	Raw     bool          // Payload is bytes, not JSON
	Wait    time.Duration // how long to wait for acknowledgements (kept) or the end of a broadcast, 0 not to
	Pace    int           // receivers a second of a broadcast, 0 for as fast as it goes
}

// Status is what became of a message to one addressee.
type Status string

// The statuses.
const (
	StatusWritten      Status = "written"      // the kernel took the whole frame
	StatusAcknowledged Status = "acknowledged" // the device has it; only when it was waited for
	StatusQueued       Status = "queued"       // will be sent: window or socket is busy, or the broadcast under way
	StatusOffline      Status = "offline"      // the device is away: stored if kept; nobody is there, if live
	StatusUnknown      Status = "unknown"      // the device has never been seen: not stored
	StatusRefused      Status = "refused"      // not sent and not stored, see Reason
)

// The reasons of a refusal.
const (
	ReasonInboxFull = "inbox_full" // the device's inbox, or the node's total, is full
	ReasonTooBig    = "too_big"    // larger than a device's queue may hold
	ReasonTTL       = "ttl"        // expired before it could be stored
	ReasonRate      = "rate"       // too many at once
	ReasonLimit     = "limit"      // a table of the node is full
	ReasonStore     = "store"      // the store could not write: see the problem
	ReasonInvalid   = "invalid"    // this line of a batch makes no sense, see Detail
)

// Result is the answer for one addressee: a device, or a topic or all. A
// Publication to several devices has its devices' results in Devices.
type Result struct {
	Device    string   `json:"device,omitempty"`
	Topic     string   `json:"topic,omitempty"`
	All       bool     `json:"all,omitempty"`
	Status    Status   `json:"status"`
	Reason    string   `json:"reason,omitempty"`
	Detail    string   `json:"detail,omitempty"` // in words, for ReasonInvalid
	Field     string   `json:"field,omitempty"`  // at fault, for ReasonInvalid
	Seq       uint64   `json:"seq,omitempty"`    // of a kept message
	Duplicate bool     `json:"duplicate,omitempty"`
	Receivers int      `json:"receivers,omitempty"` // of a broadcast: those addressed
	Counts    *Counts  `json:"counts,omitempty"`    // of a kept broadcast, or one that was waited for
	Devices   []Result `json:"-"`                   // of several devices: flattened in the answer
}

// Counts are the receivers of a broadcast by what became of it at each.
type Counts struct {
	Written      int `json:"written"` // those that have acknowledged since included
	Acknowledged int `json:"acknowledged,omitempty"`
	Queued       int `json:"queued"`
	Offline      int `json:"offline,omitempty"` // stored for devices that are away
	Refused      int `json:"refused,omitempty"` // their inboxes are full
	Dropped      int `json:"dropped,omitempty"` // live: pushed out of a full queue, or the connection ended
	// NodesSilent are nodes that did not say in time what became of it at theirs, whose
	// receivers the others do not have.
	NodesSilent int `json:"nodes_silent,omitempty"`
}

// Device is what GET /v1/devices/{device} answers. Connection is missing unless the
// device is connected to the node that answers, Presence unless there is a cluster;
// Node is the one that has the device, or the one that answers.
type Device struct {
	Device  string   `json:"device"`
	Online  bool     `json:"online"`
	Node    string   `json:"node"`
	Epoch   string   `json:"epoch"`
	Seq     uint64   `json:"seq"`         // last number given
	Acked   uint64   `json:"acked"`       // last one acknowledged
	Waiting int      `json:"waiting"`     // messages in the inbox
	Bytes   int64    `json:"inbox_bytes"` // their size
	Topics  []string `json:"topics,omitempty"`

	Connection *Connection `json:"connection,omitempty"`
	Presence   *Presence   `json:"presence,omitempty"`
}

// Connection is the connection of a device.
type Connection struct {
	Address          string    `json:"address"`
	Protocol         string    `json:"protocol"`
	Deflate          bool      `json:"deflate"`
	HeartbeatSeconds int       `json:"heartbeat_seconds"`
	Since            time.Time `json:"since"`
	LastInbound      time.Time `json:"last_inbound"`
	Sent             uint64    `json:"sent"` // last number sent on it
	QueuedBytes      int       `json:"queued_bytes"`
}

// DeviceSummary is one line of a list of devices.
type DeviceSummary struct {
	Device  string `json:"device"`
	Online  bool   `json:"online"`
	Seq     uint64 `json:"seq"`
	Acked   uint64 `json:"acked"`
	Waiting int    `json:"waiting"`
}

// Topic is one topic.
type Topic struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"`      // devices, those that are away included
	Latest      bool   `json:"latest,omitempty"` // it has a latest value
}

// Page is a part of a list.
type Page struct {
	After  string // begin behind this id or name; empty: at the first
	Limit  int    // at most so many, 1 to 1,000
	Online bool   // devices: connected ones only
	Node   string // devices: those connected to that node; empty: all
}

// Event kinds.
const (
	EventOnline  = "online"
	EventOffline = "offline"
	EventUp      = "up"     // a device's message to the backend
	EventMissed  = "missed" // the listener was too slow: Missed events were left out

	// In a cluster, by presence: each is told by one node.
	EventNodeSuspect = "node_suspect" // a node shows no sign of life: its devices are suspect
	EventNodeLost    = "node_lost"    // a node is dead: of its Devices, Back have come back and Lost have not
	EventNodeBack    = "node_back"    // a node that was suspect lives
)

// eventKinds are those that may be asked for.
var eventKinds = []string{EventOnline, EventOffline, EventUp, EventNodeSuspect, EventNodeLost, EventNodeBack}

// Event is something that happened to a device.
type Event struct {
	Kind    string
	Device  string
	At      time.Time
	Code    int    // EventOffline: the close code that was sent, 0 for none
	Topic   string // EventUp: the channel
	Payload []byte // EventUp
	Raw     bool   // Payload is bytes, not JSON
	Missed  int    // EventMissed: how many

	// In a cluster, of all kinds but EventUp and EventMissed.
	Node    string // that has the device or had it; that the event is about
	Fence   uint32 // of the device's session: the event with the higher one is the later
	Reason  string // EventOffline: why, where no close code says it
	Devices int    // EventNodeSuspect: at most so many; EventNodeLost: exactly
	Back    int    // EventNodeLost
	Lost    int    // EventNodeLost
	Singles int    // EventNodeLost: of the lost, how many had an EventOffline of their own
}

// EventFilter chooses events; the zero value is all. EventMissed comes whatever was
// chosen.
type EventFilter struct {
	Kinds  []string // of those above but EventMissed; empty: all
	Device string   // empty: all
}

// Consistency is what a check of the books found.
type Consistency struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems,omitempty"`
	// Kept messages: Published = Acknowledged + Expired + Dropped + InFlight.
	Published    uint64            `json:"published"`
	Acknowledged uint64            `json:"acknowledged"`
	Expired      uint64            `json:"expired"`
	Dropped      map[string]uint64 `json:"dropped"`
	InFlight     uint64            `json:"in_flight"`
	Devices      int               `json:"devices"`
	Online       int               `json:"online"`
}
