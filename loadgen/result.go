package loadgen

import (
	"time"

	"roost/loadgen/usage"
)

// Schema is the version of Result's JSON form. It changes when a field changes
// its meaning or goes.
const Schema = 1

// Result is everything a run has found out.
type Result struct {
	Schema  int       `json:"schema"`
	Mode    string    `json:"mode"`
	Client  string    `json:"client"` // sleeping or spinning
	Started time.Time `json:"started"`
	Command []string  `json:"command"`
	Env     usage.Env `json:"environment"`
	Server  *Server   `json:"server,omitempty"`

	Connect   *Connect   `json:"connect,omitempty"`
	Idle      *Idle      `json:"idle,omitempty"`
	Echo      *Echo      `json:"echo,omitempty"`
	Broadcast *Broadcast `json:"broadcast,omitempty"`
	Kept      *Kept      `json:"kept,omitempty"`

	// Closed counts, by reason, connections that ended while they should not.
	Closed map[string]int `json:"closed,omitempty"`
	// SlowCut counts the connections that never read and were ended by the
	// server, which is its good right.
	SlowCut int `json:"slow_cut,omitempty"`
	// ClientBound says why the generator was the limit; then the run is no
	// result.
	ClientBound []string `json:"client_bound,omitempty"`
	// Failures say what the server did wrong: messages missing, doubled, wrong.
	Failures    []string `json:"failures,omitempty"`
	Interrupted bool     `json:"interrupted,omitempty"`
}

// Server is what the server says about itself.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Echo    bool   `json:"echo"`
	Hello   int    `json:"hello"` // frames that a client gets unasked
	Threads int    `json:"threads,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Latency is a distribution, in nanoseconds.
type Latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P90   int64 `json:"p90"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	Max   int64 `json:"max"`
	// Over counts values beyond the histogram's 60 s; they are in it as 60 s.
	Over int64 `json:"over,omitempty"`
	// HDR is the whole histogram, V2 compressed, base64.
	HDR string `json:"hdr,omitempty"`
}

// Connect is the handshakes.
type Connect struct {
	Asked       int            `json:"asked"`
	Established int            `json:"established"`
	Slow        int            `json:"slow,omitempty"` // of them, those that never read
	Failed      map[string]int `json:"failed,omitempty"`
	Sources     int            `json:"source_addresses"`
	Latency     Latency        `json:"latency"` // from dial to the checked 101
	Work        Work           `json:"work"`
	// Derived.
	PerSecond       float64 `json:"handshakes_per_second"`
	ServerMicros    float64 `json:"server_us_per_handshake,omitempty"`
	ServerSumMicros float64 `json:"server_and_ksoftirqd_us_per_handshake,omitempty"`
}

// Idle is memory per connection.
type Idle struct {
	Base  Sample   `json:"base"` // before the first connection, settled
	Steps []Sample `json:"steps"`
	// SlopeSettled is the linear fit of settled RSS over counts, bytes per
	// connection; with one step that of base and step.
	SlopeSettled float64 `json:"settled_bytes_per_connection_slope"`
	Raw          float64 `json:"raw_bytes_per_connection"`     // last step less base
	Settled      float64 `json:"settled_bytes_per_connection"` // last step less base
	KernelPair   float64 `json:"kernel_bytes_per_connection_both_ends"`
	Client       float64 `json:"generator_bytes_per_connection"`
	Hold         Work    `json:"hold"`
	Heartbeats   uint64  `json:"heartbeats"`
}

// Sample is memory at one number of connections, in bytes.
type Sample struct {
	Connections int           `json:"connections"`
	Raw         usage.Memory  `json:"raw"`     // at once
	Settled     usage.Memory  `json:"settled"` // after two collections and the pause
	Client      usage.Memory  `json:"generator"`
	Slab        usage.Slab    `json:"slab"` // both ends, whole machine
	Files       int           `json:"server_files"`
	Goroutines  int           `json:"server_goroutines,omitempty"`
	Settle      time.Duration `json:"settle"`
}

// Echo is messages that came back.
type Echo struct {
	Open       bool    `json:"open_loop"`
	Rate       float64 `json:"rate,omitempty"` // planned messages a second
	Size       int     `json:"size"`
	Inflight   int     `json:"inflight"`
	Sent       uint64  `json:"sent"`     // in the measured time
	Received   uint64  `json:"received"` // in the measured time
	Planned    int     `json:"planned,omitempty"`
	TotalSent  uint64  `json:"total_sent"` // with warm-up and what came later
	Lost       uint64  `json:"lost"`
	Wrong      uint64  `json:"wrong"`       // not the message that was due back
	WindowFull uint64  `json:"window_full"` // sends put off because a connection had Inflight under way
	FromDue    Latency `json:"latency_from_due"`
	FromSent   Latency `json:"latency_from_sent"`
	Late       Latency `json:"send_lateness"`
	Work       Work    `json:"work"`
	// Derived.
	PerSecond       float64 `json:"messages_per_second"`
	ServerMicros    float64 `json:"server_us_per_message,omitempty"`
	ServerSumMicros float64 `json:"server_and_ksoftirqd_us_per_message,omitempty"`
	ClientMicros    float64 `json:"generator_us_per_message"`
}

// Broadcast is messages to all.
type Broadcast struct {
	Open     bool    `json:"open_loop"`
	Rate     float64 `json:"rate,omitempty"` // planned due times a second
	Burst    int     `json:"burst"`
	Size     int     `json:"size"`    // payload of a frame on the wire
	Wrapper  int     `json:"wrapper"` // bytes of it that the server adds
	Readers  int     `json:"readers"`
	Planned  int     `json:"planned,omitempty"` // broadcasts
	Rounds   int     `json:"rounds"`            // published
	Refused  int     `json:"refused"`           // the API said no
	Expected int     `json:"expected"`          // deliveries
	// Deliveries that happened, did not, or should not have.
	Delivered int     `json:"delivered"`
	Missing   int     `json:"missing"`
	Duplicate uint64  `json:"duplicate"`
	Wrong     uint64  `json:"wrong"` // other bytes than were published
	Spread    Latency `json:"spread"`
	Last      Latency `json:"last_delivery_from_due"`
	FromDue   Latency `json:"delivery_from_due"`
	API       Latency `json:"api_latency"`
	Late      Latency `json:"publish_lateness"`
	Work      Work    `json:"work"` // from the first due time to the last delivery
	// Derived.
	PerSecond       float64 `json:"deliveries_per_second"`
	ServerMicros    float64 `json:"server_us_per_delivery,omitempty"`
	ServerSumMicros float64 `json:"server_and_ksoftirqd_us_per_delivery,omitempty"`
	ClientMicros    float64 `json:"generator_us_per_delivery"`
}

// Kept is messages that are stored until their devices acknowledge them. With
// All each is for all devices, and Delivered, Expected and Missing count
// deliveries.
type Kept struct {
	Open       bool    `json:"open_loop"`
	Rate       float64 `json:"rate,omitempty"` // planned messages a second
	Publishers int     `json:"publishers"`
	Batch      int     `json:"batch"` // messages a request
	All        bool    `json:"all,omitempty"`
	Size       int     `json:"size"` // payload as published
	Devices    int     `json:"devices"`
	Planned    int     `json:"planned,omitempty"`
	Warmup     int     `json:"warmup"` // messages before anything was measured

	Requests int            `json:"requests"`
	Accepted int            `json:"accepted"`
	Refused  map[string]int `json:"refused,omitempty"` // by why; Unknown is in it
	Unknown  int            `json:"unknown,omitempty"` // never answered
	Repeats  int            `json:"requests_again"`    // requests that had to be made again
	Known    int            `json:"known_already"`     // accepted messages that an earlier try had stored
	// Receivers is what the node said of the last broadcast; Unacknowledged how
	// many it gave up waiting for.
	Receivers      int `json:"receivers,omitempty"`
	Unacknowledged int `json:"unacknowledged,omitempty"`

	Expected  int    `json:"expected"`
	Delivered int    `json:"delivered"`
	Missing   int    `json:"missing"`      // accepted, and never came; with those of the warm-up
	Duplicate uint64 `json:"duplicate"`    // delivered twice
	Disorder  uint64 `json:"out_of_order"` // behind a later one
	Wrong     uint64 `json:"wrong"`        // other bytes, or another's
	Stray     int    `json:"stray"`        // refused, and came
	Skipped   uint64 `json:"skipped"`      // holes that the node told of
	AgainSent uint64 `json:"again_sent"`   // repeats, which the protocol allows
	Returned  uint64 `json:"returned"`     // devices that lost their connection and came back
	Acks      uint64 `json:"acks"`         // messages that say no more than that

	FromDue  Latency `json:"delivery_from_due"`
	API      Latency `json:"api_latency"`
	Answered Latency `json:"answer_from_due"`
	Late     Latency `json:"publish_lateness"` // what the generator is to blame for
	// Of All: from due until the last device had it, until the acknowledgement
	// of each was sent, and that of the last one.
	Last         Latency `json:"last_delivery_from_due"`
	FromDueToAck Latency `json:"ack_from_due"`
	LastAck      Latency `json:"last_ack_from_due"`
	Work         Work    `json:"work"` // from the first due time to the last acknowledgement
	// Derived; per delivery.
	PerSecond       float64 `json:"accepted_per_second"`
	ServerMicros    float64 `json:"server_us_per_delivery,omitempty"`
	UserMicros      float64 `json:"server_user_us_per_delivery,omitempty"`
	SystemMicros    float64 `json:"server_system_us_per_delivery,omitempty"`
	ServerSumMicros float64 `json:"server_and_ksoftirqd_us_per_delivery,omitempty"`
	ClientMicros    float64 `json:"generator_us_per_delivery"`
}
