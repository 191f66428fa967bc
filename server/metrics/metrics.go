// Package metrics holds every metric name of roost in one place, and writes
// them in the Prometheus text format. The values come from whoever owns them.
package metrics

import (
	"fmt"
	"io"
	"strconv"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
)

// Kind is the type of a metric.
type Kind string

// The kinds that have one value per series.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
)

// Desc names one metric.
type Desc struct {
	Name string
	Kind Kind
	Help string
}

// The metrics of the node. Connections are TCP connections; devices are
// registered ones.
var (
	Connections   = Desc{"roost_connections", Gauge, "Connections on the device listener, by what they are used for."}
	ConnLimit     = Desc{"roost_connections_limit", Gauge, "Connections that this process may hold."}
	Devices       = Desc{"roost_devices", Gauge, "Devices connected now."}
	Subscribed    = Desc{"roost_subscriptions", Gauge, "Subscriptions of connected devices to topics."}
	Accepted      = Desc{"roost_accepted_total", Counter, "Connections accepted."}
	AcceptErrors  = Desc{"roost_accept_errors_total", Counter, "Failed accepts: descriptors, memory or aborted connections."}
	Refused       = Desc{"roost_refused_total", Counter, "Connections refused, by stage: past a limit at accept, or by the answer to their request."}
	Upgrades      = Desc{"roost_upgrades_total", Counter, "Finished WebSocket upgrades."}
	PutOff        = Desc{"roost_put_off_total", Counter, "Connects refused with a slot to come back in (503, Retry-After): more came at once than the node takes."}
	Budget        = Desc{"roost_connects_budget", Gauge, "Connects a second that the node takes: what it has measured of itself, at most --accept-rate."}
	Limited       = Desc{"roost_connects_limited_total", Counter, "Connects refused with 429, by the limit: address, device, quarantine (the device has connected 15 times in a minute)."}
	Quarantines   = Desc{"roost_quarantines_total", Counter, "Devices kept out for a while, by why: flapping, or takeover (two clients with its id end each other's connections)."}
	UpgradeSlow   = Desc{"roost_upgrade_timeouts_total", Counter, "Connections that did not send a whole request in time."}
	Closed        = Desc{"roost_closed_total", Counter, "Connections closed, by the close code that we sent (none: the peer ended it)."}
	MessagesIn    = Desc{"roost_messages_in_total", Counter, "Whole messages received."}
	PayloadIn     = Desc{"roost_payload_in_bytes_total", Counter, "Payload bytes of received messages."}
	Heartbeats    = Desc{"roost_heartbeats_total", Counter, "Heartbeats of devices."}
	Pings         = Desc{"roost_pings_total", Counter, "WebSocket pings received."}
	LiveResults   = Desc{"roost_live_results_total", Counter, "Live messages to one device, by what became of them."}
	Deliveries    = Desc{"roost_broadcast_deliveries_total", Counter, "Broadcast frames, by what became of them at each receiver."}
	Broadcasts    = Desc{"roost_broadcasts_running", Gauge, "Broadcasts under way."}
	QueueDropped  = Desc{"roost_queue_dropped_total", Counter, "Live messages pushed out of a full queue by newer ones."}
	QueueFull     = Desc{"roost_queue_full_total", Counter, "Writes refused by a full queue."}
	Slow          = Desc{"roost_slow_closed_total", Counter, "Connections closed because their socket took nothing for the write deadline."}
	Reads         = Desc{"roost_reads_total", Counter, "Read system calls on device connections."}
	Sends         = Desc{"roost_sends_total", Counter, "Sends on device connections; several may share a system call."}
	BytesIn       = Desc{"roost_bytes_in_total", Counter, "Bytes read from device connections."}
	BytesOut      = Desc{"roost_bytes_out_total", Counter, "Bytes written to device connections."}
	StaleEvents   = Desc{"roost_stale_events_total", Counter, "Events of connections that were already gone."}
	QueueReplaced = Desc{"roost_queue_replaced_total", Counter, "Latest values in a full queue replaced by newer ones."}
	Ups           = Desc{"roost_ups_total", Counter, "Messages of devices to the backend."}
	Listeners     = Desc{"roost_event_listeners", Gauge, "Streams of events that are open."}

	Known        = Desc{"roost_known_devices", Gauge, "Devices known, those that are away included."}
	KeptMessages = Desc{"roost_kept_messages_total", Counter, "Kept messages, one per receiver, by where they came from: published, or recovered at the start."}
	KeptEnds     = Desc{"roost_kept_ends_total", Counter, "Kept messages that are done with, by how: acknowledged, expired, removed with their device, lost on disk."}
	KeptInFlight = Desc{"roost_kept_in_flight", Gauge, "Kept messages not yet acknowledged: published + recovered - all ends."}
	KeptBytes    = Desc{"roost_kept_bytes", Gauge, "Bytes of kept messages."}
	KeptRefused  = Desc{"roost_kept_refused_total", Counter, "Kept messages refused by a bound."}
	KeptLimited  = Desc{"roost_kept_limited_total", Counter, "Of those, refused because as many idempotency keys are remembered as may be."}
	KeptRepeated = Desc{"roost_kept_duplicates_total", Counter, "Kept messages published again with the same id."}
	KeptSent     = Desc{"roost_kept_sends_total", Counter, "Kept messages given to sockets, repeats included."}
	Skips        = Desc{"roost_skips_total", Counter, "Holes that devices were told about."}
	Flows        = Desc{"roost_flows", Gauge, "Connections with kept messages under way."}
	StoreCommits = Desc{"roost_store_commits_total", Counter, "Publishes stored, by result."}
	StoreKeys    = Desc{"roost_store_keys", Gauge, "Idempotency keys remembered."}
	StoreDisk    = Desc{"roost_store_disk_bytes", Gauge, "Bytes that the store takes on disk."}
	StoreDamages = Desc{"roost_store_damages", Gauge, "Damaged places that the store found at the start."}

	IOUring = Desc{"roost_io_uring", Gauge, "1 if broadcasts go through io_uring."}
)

// Set is the metrics of one node that are not read from their owners: how long
// things took, and those of the process.
type Set struct {
	api     histogram
	publish stages
	ring    stages
	fds     fdCount
}

// NewSet returns a set in which nothing has been counted.
func NewSet() *Set {
	return &Set{api: newHistogram(apiSeconds, apiBuckets), publish: newStages(publishSeconds, PublishStages[:]),
		ring: newStages(ringSeconds, RingStages[:])}
}

// APIRequest counts one request. route and status are from fixed lists, so the
// number of series is bounded.
func (s *Set) APIRequest(route string, status int, took time.Duration) {
	s.api.of(`route="` + route + `",status="` + strconv.Itoa(status) + `"`).Update(took.Seconds())
}

// PublishStage counts how long a part of a publish took: an index of PublishStages.
func (s *Set) PublishStage(stage int, took time.Duration) { s.publish.took(stage, took) }

// RingStage counts how long a part of a change of rings took: an index of RingStages.
// Others are not counted.
func (s *Set) RingStage(stage int, took time.Duration) {
	if stage >= 0 && stage < len(RingStages) {
		s.ring.took(stage, took)
	}
}

// Write writes the set's own metrics and those of the process. Stages of which
// nothing was counted are left out.
func (s *Set) Write(w io.Writer) {
	s.api.write(w)
	s.publish.write(w)
	s.ring.write(w)
	s.fds.writeFDs(NewWriter(w))
	vm.WriteProcessMetrics(w)
}

// Writer writes samples, with help and type before the first of each metric.
type Writer struct {
	w    io.Writer
	last string
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Sample writes one value. labels are name, value pairs; series of one metric
// must follow each other.
func (w *Writer) Sample(d Desc, value float64, labels ...string) {
	if w.last != d.Name {
		w.last = d.Name
		fmt.Fprintf(w.w, "# HELP %s %s\n# TYPE %s %s\n", d.Name, d.Help, d.Name, d.Kind)
	}
	io.WriteString(w.w, d.Name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(w.w, "%s%s=%q", sep, labels[i], labels[i+1])
	}
	if len(labels) > 0 {
		io.WriteString(w.w, "}")
	}
	io.WriteString(w.w, " "+strconv.FormatFloat(value, 'g', -1, 64)+"\n")
}
