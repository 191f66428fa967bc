package api

import (
	"encoding/json"
	"time"
)

// Route is where a device connects, by the ring that is in force at the node that
// answers.
type Route struct {
	Node       string      `json:"node"`
	URL        string      `json:"url"` // for devices; empty if the node has not said
	API        string      `json:"api,omitempty"`
	Zone       string      `json:"zone,omitempty"`
	Ring       uint64      `json:"ring"`       // version of the ring that answers for the device
	Hash       string      `json:"rh"`         // its content hash, 16 hex digits
	Activation int64       `json:"activation"` // goes up with every change of rings
	Canary     bool        `json:"canary"`     // the ring is on trial
	Mine       bool        `json:"mine"`       // the node is the one that answers
	In         int         `json:"in"`         // ms: connect after a random part of that
	Candidates []Candidate `json:"candidates"` // who is next, if the node cannot be reached
}

// Candidate is a node to try.
type Candidate struct {
	Node string `json:"node"`
	URL  string `json:"url"`
	API  string `json:"api,omitempty"`
}

// Ring is what is in force at a node, and who is there: what a publisher needs that
// routes by itself. Weights change all the time; nothing else does without reason.
type Ring struct {
	Node       string `json:"node"`       // that answers
	Activation int64  `json:"activation"` // goes up with every change, within one history
	// History names etcd's data, in which Activation counts: another one once etcd has lost
	// them. Missing: not known, or what is in force is not what etcd says now.
	History    string     `json:"history,omitempty"`
	From       string     `json:"from"` // etcd, or file: the last one that the node knew, before etcd is there
	Stable     uint64     `json:"stable"`
	StableHash string     `json:"stable_hash"` // 16 hex digits
	Canary     uint64     `json:"canary,omitempty"`
	CanaryHash string     `json:"canary_hash,omitempty"`
	Share      int        `json:"share,omitempty"` // of the canary, in 1/10,000
	Trial      uint64     `json:"trial,omitempty"`
	By         string     `json:"by,omitempty"`
	Why        string     `json:"why,omitempty"`
	At         time.Time  `json:"at,omitzero"`
	Nodes      []RingNode `json:"nodes"` // those that are there, in order of id
}

// RingNode is a node that is there.
type RingNode struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"` // for devices
	API      string   `json:"api,omitempty"`
	Zone     string   `json:"zone,omitempty"`
	Weight   *float64 `json:"weight,omitempty"` // in devices; missing: it has published none
	Draining bool     `json:"draining,omitempty"`
}

// Snapshot is a ring written down.
type Snapshot struct {
	Body []byte
	Hash string // content hash of the binary form, 16 hex digits
}

// Cluster is what a node knows of its cluster.
type Cluster struct {
	Node        string          `json:"node"` // that answers
	Incarnation uint64          `json:"incarnation"`
	Revision    int64           `json:"revision"`             // of etcd, up to which this is complete; 0: never heard of
	StaleSince  time.Time       `json:"stale_since,omitzero"` // etcd was heard last; missing: it is heard
	Ring        HeldRing        `json:"ring"`
	Members     []ClusterMember `json:"members"` // in order of id
	Drains      []Drain         `json:"drains,omitempty"`
	Presence    PresenceState   `json:"presence"`
	Bus         BusState        `json:"bus"`
	Problems    []string        `json:"problems,omitempty"` // keys of etcd that cannot be read
}

// HeldRing is which rings a node has in force.
type HeldRing struct {
	Activation int64  `json:"activation"`
	Stable     uint64 `json:"stable"`
	StableHash string `json:"stable_hash"`
	Canary     uint64 `json:"canary,omitempty"`
	CanaryHash string `json:"canary_hash,omitempty"`
	Share      int    `json:"share,omitempty"`
}

// ClusterMember is a node of the cluster.
type ClusterMember struct {
	ID        string          `json:"id"`
	URL       string          `json:"url"`
	API       string          `json:"api,omitempty"`
	Zone      string          `json:"zone,omitempty"`
	Capacity  float64         `json:"capacity,omitempty"`
	Build     string          `json:"build,omitempty"`
	Start     int64           `json:"start,omitempty"`     // incarnation in presence
	HeldSince time.Time       `json:"held_since,omitzero"` // its key is gone since, and that is looked at twice
	Weight    *float64        `json:"weight,omitempty"`    // in devices; missing: it has published none
	Inputs    json.RawMessage `json:"inputs,omitempty"`    // how that came about, ring and drain of the node
	OtherRing bool            `json:"other_ring,omitempty"`
}

// Drain is an operator's wish that a node be emptied.
type Drain struct {
	Node   string    `json:"node"`
	OverMS int64     `json:"over_ms"`
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by,omitempty"`
	Why    string    `json:"why,omitempty"`
}

// PresenceState is what presence knows of nodes, and how it is.
type PresenceState struct {
	Up          bool           `json:"up"`                  // it answers, and has heard of this node
	AsOf        time.Time      `json:"as_of"`               // when the others were looked at
	Devices     int            `json:"devices"`             // connected to this node
	Provisional int            `json:"provisional"`         // of those, it has not heard of
	Pending     int            `json:"pending"`             // ends of connections that it has not heard of
	Nodes       []PresenceNode `json:"nodes"`               // starts of nodes, in order
	DownSince   time.Time      `json:"down_since,omitzero"` // it does not answer since; missing: it does
}

// PresenceNode is one start of a node.
type PresenceNode struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Alive       bool   `json:"alive"`
	Dead        bool   `json:"dead"` // by all evidence there is
	Marked      bool   `json:"marked"`
}

// BusState is how the bus between nodes is.
type BusState struct {
	Up          bool      `json:"up"`
	Since       time.Time `json:"since"`
	Reason      string    `json:"reason,omitempty"` // why it is not up
	RoundTripMS float64   `json:"round_trip_ms"`
	Listeners   int       `json:"listeners"` // on this node's channel: more than 1 is a twin
	Topics      int       `json:"topics"`    // listened to
	Waiting     int       `json:"waiting_bytes"`
}

// Presence is where a device is, by what all nodes know.
type Presence struct {
	Status      string    `json:"status"`         // online, suspect or offline
	Node        string    `json:"node,omitempty"` // that has it or had it last
	Incarnation uint64    `json:"incarnation,omitempty"`
	Fence       uint32    `json:"fence,omitempty"` // number of its session
	Since       time.Time `json:"since,omitzero"`
	LastInbound time.Time `json:"last_inbound,omitzero"`
	Reason      string    `json:"reason,omitempty"` // why it went
	AsOf        time.Time `json:"as_of,omitzero"`   // age of the evidence
}

// RingMark is what publishers are told of the rings with every answer, as values of
// headers that all answers share.
type RingMark struct {
	Activation []string // Roost-Ring
	Hashes     []string // Roost-Ring-Hash: the stable one, and behind a comma the canary's
}
