package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Errors that a Node may return, beside those of the context.
var (
	// ErrOverloaded asks the publisher to come back a little later.
	ErrOverloaded = errors.New("too much is under way on this node")
	// ErrUnknownDevice says that nothing is known about the device.
	ErrUnknownDevice = errors.New("unknown device")
)

// Node is what the API needs of the server.
type Node interface {
	// Publish sends a message and says what became of it.
	Publish(ctx context.Context, p *Publication) (Result, error)
	// Device describes a device, or returns ErrUnknownDevice.
	Device(ctx context.Context, id string) (Device, error)
	// Ready returns nil when devices can connect, or why they cannot.
	Ready() error
	// WriteMetrics writes all metrics in the Prometheus text format.
	WriteMetrics(w io.Writer)
}

// Publication is a checked publish request. Exactly one of Device, Topic and
// All is set.
type Publication struct {
	Device  string
	Topic   string
	All     bool
	ID      string
	Payload []byte
	Raw     bool          // Payload is bytes, not JSON
	Wait    time.Duration // how long to wait for the end of a broadcast, 0 not to
}

// Status is what became of a message to one addressee.
type Status string

// The statuses of a live message.
const (
	StatusWritten Status = "written" // the kernel took the whole frame
	StatusQueued  Status = "queued"  // will be sent: the socket is busy, or the broadcast under way
	StatusOffline Status = "offline" // nobody is there
	StatusRefused Status = "refused" // not sent, see Reason
)

// ReasonTooBig refuses a message larger than a device's queue may hold.
const ReasonTooBig = "too_big"

// Result is the answer for one addressee.
type Result struct {
	Device    string  `json:"device,omitempty"`
	Topic     string  `json:"topic,omitempty"`
	All       bool    `json:"all,omitempty"`
	Status    Status  `json:"status"`
	Reason    string  `json:"reason,omitempty"`
	Receivers int     `json:"receivers,omitempty"` // of a broadcast: those addressed
	Counts    *Counts `json:"counts,omitempty"`    // of a broadcast that was waited for
}

// Counts are the receivers of a finished broadcast.
type Counts struct {
	Written int `json:"written"`
	Queued  int `json:"queued"`
	Dropped int `json:"dropped"`
}

// Device is what GET /v1/devices/{id} answers.
type Device struct {
	Device           string    `json:"device"`
	Online           bool      `json:"online"`
	Node             string    `json:"node"`
	Address          string    `json:"address"`
	Protocol         string    `json:"protocol"`
	Deflate          bool      `json:"deflate"`
	HeartbeatSeconds int       `json:"heartbeat_seconds"`
	Since            time.Time `json:"since"`
	LastInbound      time.Time `json:"last_inbound"`
	QueuedBytes      int       `json:"queued_bytes"`
	Topics           []string  `json:"topics,omitempty"`
}

// publishRequest is the body of POST /v1/publish.
type publishRequest struct {
	Device  *string         `json:"device"`
	Topic   *string         `json:"topic"`
	All     *bool           `json:"all"`
	Class   *string         `json:"class"`
	ID      string          `json:"id"`
	Payload json.RawMessage `json:"payload"`
	// Bytes is a payload that is not JSON, in base64.
	Bytes *[]byte `json:"payload_base64"`
	// Wait is how many seconds to wait for the end of a broadcast.
	Wait *float64 `json:"wait"`
}

// publishResponse is the answer to it.
type publishResponse struct {
	Results []Result `json:"results"`
}
