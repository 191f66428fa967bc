package faultserver

import "time"

// Truth is what a server did.
type Truth struct {
	Faults string `json:"behaviour"`

	// Of connections.
	Asked      uint64 `json:"asked"`      // for an upgrade
	Refused    uint64 `json:"refused"`    // with 503
	Unanswered uint64 `json:"unanswered"` // never
	Upgraded   uint64 `json:"upgraded"`
	Closed     uint64 `json:"closed"` // by CloseAfter
	Reset      uint64 `json:"reset"`  // by ResetAfter
	Connected  int    `json:"connected"`

	// Of messages.
	Received   uint64 `json:"received"`  // over sockets and by POST
	Due        uint64 `json:"due"`       // deliveries that a server without faults would have made
	Delivered  uint64 `json:"delivered"` // of them, with all that is below but dropped and silent
	Dropped    uint64 `json:"dropped"`
	Duplicated uint64 `json:"duplicated"` // each twice
	Corrupted  uint64 `json:"corrupted"`
	Swapped    uint64 `json:"swapped"` // really went out behind a later one
	Slowed     uint64 `json:"slowed"`
	Silent     uint64 `json:"silent"`     // not made by StopSending
	Overflowed uint64 `json:"overflowed"` // its connection had no room: nobody reads there

	// What the delays were in fact, from a message's arrival until it was given
	// to the kernel, in ns; 0 without Delay. The server is late as well when the
	// machine is busy.
	DelayP50 int64 `json:"delay_p50"`
	DelayP99 int64 `json:"delay_p99"`
	// AcceptP50 is the same of upgrades.
	AcceptP50 int64 `json:"accept_p50"`
	// Froze is how long the freeze was in fact; 0: there was none yet.
	Froze time.Duration `json:"froze"`
}
