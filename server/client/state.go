package client

import "time"

// Phase is how far a Client is.
type Phase uint8

// The phases.
const (
	Idle       Phase = iota // Run was not called, or has returned
	Connecting              // dialing, or waiting for the welcome
	Connected               // had the welcome; also while its successor is being dialed
	Waiting                 // until the next dial
	Stopped                 // the node does not want this device: Run returns a *StopError
)

// String names the phase.
func (p Phase) String() string {
	switch p {
	case Idle:
		return "idle"
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	case Stopped:
		return "stopped"
	}
	return "unknown"
}

// State is how a Client does. An application that is busy misses states in
// between.
type State struct {
	Phase   Phase
	Node    string        // Connected: its name
	Resumed bool          // Connected: the device goes on where it was
	Missed  uint64        // Connected: kept messages below this number are gone unseen; 0: none
	After   time.Duration // Waiting: until the next dial, from when it was said
	Err     error         // Waiting, Stopped: why
}
