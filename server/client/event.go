package client

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a message of the node was.
type Kind uint8

// The kinds of events. Fields of the message are in the wire.Down that
// OnMessage was given.
const (
	Nothing Kind = iota // for the application: a repeat, an unknown type, a connection that is over
	Deliver             // a message for the application; call Handled when it is done with it
	Skipped             // kept messages From to Down.To will not come
	Welcome             // the connection is the current one now
	Beat                // an answered heartbeat
	Result              // of the request Down.Request
	Refused             // the node did not understand us: Down.Code, Down.Text
	Away                // the connection will end, and its successor has a slot
	Dropped             // the connection is given up: see Next
)

// Event is what a message of the node means.
type Event struct {
	Kind Kind
	Old  Conn   // Welcome: the connection that this one replaces, or 0
	Gone uint64 // Welcome: kept messages below this number are gone unhandled; 0: none
	From uint64 // Skipped: the first number that will not come
	Next Next   // Dropped
}

// Do is what to do about connecting.
type Do uint8

// What there is to do.
const (
	Wait      Do = iota // nothing new
	Reconnect           // dial, After from now; an old connection is left to be replaced
	Stop                // close all, do not dial again by yourself
)

// Next says how to go on. A session remembers when it wants to dial:
// NextDeadline counts it and OnTime says Reconnect with After 0 when it is due,
// until Begin is called. Who keeps timers by other means can use After.
type Next struct {
	Do    Do
	Drop  Conn          // close this one with CloseBack: the session has given it up
	After time.Duration // Reconnect
	URL   string        // Reconnect: the node's, from an away; empty: where it would go anyway
	Err   error         // Stop: a *StopError; with Drop: why
}

// CloseBack is the close code of a client that means to come back, CloseDone
// of one that does not (rule 9).
const (
	CloseBack uint16 = 4000
	CloseDone uint16 = 1000
)

// StopError says why a device must not connect again by itself: 42xx, something
// has to be changed first; 43xx, it is not wanted.
type StopError struct {
	Code   uint16 // close code
	Reason string // the node's words
}

// Error names the code and the reason.
func (e *StopError) Error() string {
	return fmt.Sprintf("client: closed by the node for good: %d %s", e.Code, e.Reason)
}

// Why a session gives a connection up. Messages that break the protocol give
// errors that wrap a *wire.Error.
var (
	ErrHole    = errors.New("client: a number is missing between kept messages")
	ErrSilent  = errors.New("client: nothing was heard for one and a half heartbeat intervals")
	ErrWelcome = errors.New("client: the first message, and no other, must be a welcome with a session and a stream")
	ErrNumber  = errors.New("client: the number of a kept message is above 2^53-1")
)
