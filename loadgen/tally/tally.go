// Package tally is what a worker counts: numbers, histograms, errors and the
// course of fan-outs. Everything in it adds up: a worker sends what has been
// counted since it last did, each second, and the sum over workers and seconds
// is the result, without loss. Nothing is ever averaged.
package tally

// Tally is what was counted in one phase, or in one second of it. The zero
// value is nothing counted. It belongs to one goroutine.
type Tally struct {
	Groups []Group `json:"groups"` // by index in scenario.Groups
	// Hists are those that no group has; nil where nothing was recorded.
	Hists  Hists   `json:"hists"`
	Errors Errors  `json:"errors,omitempty"`
	Rounds []Round `json:"rounds,omitempty"` // fan-outs that are complete or overdue on this worker
	Waits  []Wait  `json:"waits,omitempty"`  // by index in target.apis; those behind the last that waited are left out
}

// Wait is what had to wait for an API since as many requests to it were under way
// as a worker may have.
type Wait struct {
	Messages uint64 `json:"messages"`
	Requests uint32 `json:"requests"` // that a worker may have, the most of any
}

// Group is what was counted of one group of clients.
type Group struct {
	Counts Counts     `json:"counts"`
	Hists  GroupHists `json:"hists"`
}

// Counts are of events. Those of connections:
//
//	Dials = Established + Failed + under way;  Established = Ready + Failed after the upgrade + under way
//	Ready = Lost + Cut + Ended + connected now
//
// Those of messages, per (message x subscriber); what has no place in Expected
// is never in Delivered. Each is in one of the three, whatever else it counts
// as: a late one and a damaged one are Missing.
//
//	Expected = Delivered + Missing + Gap
type Counts struct {
	// Connections.
	Dials        uint64 `json:"dials"`
	Established  uint64 `json:"established"`     // upgraded, answer checked
	Ready        uint64 `json:"ready"`           // greeted and subscribed
	Failed       uint64 `json:"failed"`          // dials that came to nothing; by reason in Errors
	Lost         uint64 `json:"lost"`            // ready ones that ended though nobody here meant them to
	Cut          uint64 `json:"cut"`             // slow and silent ones that the server has ended, as it may
	Ended        uint64 `json:"ended"`           // by us, as planned
	HeldDials    uint64 `json:"held_dials"`      // due and never begun: clients.window was full of handshakes that the server had not answered, or churn found nobody connected
	Redials      uint64 `json:"redials"`         // of Dials, those of clients that were connected before
	Restored     uint64 `json:"restored"`        // of Ready, as above
	Resumed      uint64 `json:"resumed"`         // of Restored, with their session
	StormRedials uint64 `json:"stormed_redials"` // of Redials, those of clients that the phase's storm has cut
	StormResumed uint64 `json:"stormed_resumed"` // of Resumed, the same
	Beats        uint64 `json:"beats"`           // heartbeats sent

	// Publishing, counted where the message is sent.
	Planned  uint64 `json:"planned"`  // due
	Sent     uint64 `json:"sent"`     // or tried: Planned = Sent + Unsent, whatever comes of it
	Unsent   uint64 `json:"unsent"`   // due and not sent by the end of the phase: the generator's fault
	Refused  uint64 `json:"refused"`  // answered with no; by reason in Errors
	Unknown  uint64 `json:"unknown"`  // never answered: may come, and is expected
	Repeated uint64 `json:"repeated"` // sent again for want of an answer, each time
	// Of accepted messages whose answer waited, per (message x addressee): who had
	// acknowledged when it was given, and who had not.
	Acknowledged   uint64 `json:"acknowledged"`
	Unacknowledged uint64 `json:"unacknowledged"`

	// Deliveries, counted where the message arrives.
	Expected  uint64 `json:"expected"`
	Delivered uint64 `json:"delivered"`
	Missing   uint64 `json:"missing"`      // did not come within the deadline, or not as it was sent
	Gap       uint64 `json:"gap"`          // published while the subscriber was away, and never came
	Late      uint64 `json:"late"`         // came after the deadline: Missing too, in its own phase
	Duplicate uint64 `json:"duplicate"`    // came again
	Reordered uint64 `json:"reordered"`    // came behind a later one of its stream
	Wrong     uint64 `json:"wrong"`        // other bytes than were sent: Missing too
	Stray     uint64 `json:"stray"`        // nobody expected it: refused, or not this client's
	Foreign   uint64 `json:"foreign"`      // without a stamp: the server's own, such as a greeting; no fault
	Joining   uint64 `json:"joining"`      // sent before the subscriber was ready, delivered nevertheless
	ClockErrs uint64 `json:"clock_errors"` // arrived before it was sent: the clocks are wrong
	BytesIn   uint64 `json:"bytes_in"`     // payloads with a stamp of ours
	BytesOut  uint64 `json:"bytes_out"`
}

// HistID names a histogram that no group has. Values are ns.
type HistID int

// Histograms of a phase.
const (
	Connect    HistID = iota // from the planned dial to the checked upgrade
	Greeting                 // from the planned dial to ready
	DialLag                  // from the planned dial to the actual one
	SendLag                  // from due to sent
	PublishAck               // from due to the server's answer to the publisher
	RxLag                    // stamped sockets: from the kernel's arrival to us, at least: see DeliveryKernel
	Restore                  // from the loss of a connection to ready again
	RestoreAt                // from the begin of the storm to ready again
	Silence                  // half-open: from falling silent to the server's end of it
	FanFirst                 // of each message to many, from due: the first subscriber (Rounds, merged)
	FanMedian                // the median one
	FanLast                  // the last one
	FanSpread                // from first to last
	Hiccup                   // oversleep of the worker's idle thread
	NumHists
)

// GroupHistID names a histogram that each group has. Values are ns.
type GroupHistID int

// Histograms of a group.
const (
	Delivery     GroupHistID = iota // from due: the latency; misses are above everything that came
	DeliverySent                    // from the actual send
	// DeliveryKernel, of stamped sockets, is from due to the kernel's arrival, at
	// most: the kernel says when the last bytes came that one read has taken. Where
	// that are several messages, those before the last had come earlier, and had
	// waited longer for us. Reads of one message alone would be exact, and tell
	// nothing of the times in which we are late.
	DeliveryKernel
	NumGroupHists
)
