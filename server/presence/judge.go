package presence

import "time"

// Lease is what is known of a node's registration.
type Lease uint8

// What can be known of a lease.
const (
	LeaseNone    Lease = iota // there are no registrations: heartbeats decide alone
	LeaseHeld                 // the node is registered
	LeaseGone                 // it was, and is no longer
	LeaseUnknown              // nobody can be asked now
)

var leaseNames = [...]string{"none", "held", "gone", "unknown"}

func (l Lease) String() string { return name(leaseNames[:], int(l)) }

// Beat is what is known of a node's heartbeat in the store.
type Beat uint8

// What can be known of a heartbeat.
const (
	BeatUnknown Beat = iota // the store was away, or it is too early to tell
	BeatHeard               // the node wrote within the beat's TTL
	BeatGone                // it did not
)

var beatNames = [...]string{"unknown", "heard", "gone"}

func (b Beat) String() string { return name(beatNames[:], int(b)) }

// Evidence is what is known of the life of a node. Times are on the clock of who
// asks.
type Evidence struct {
	Beat      Beat
	BeatGone  time.Time // since when, if it is gone; zero: longer than is known
	Lease     Lease
	LeaseGone time.Time // since when, if it is gone
}

// Alive reports that nothing speaks against the node.
func (e Evidence) Alive() bool { return e.Beat != BeatGone && e.Lease != LeaseGone }

// Dead reports that heartbeat and lease are both gone, and since when the later of
// them. One alone is no proof: a node cut off from etcd still serves its devices,
// and so does one cut off from the store.
func (e Evidence) Dead() (since time.Time, dead bool) {
	if e.Beat != BeatGone || e.Lease == LeaseHeld || e.Lease == LeaseUnknown {
		return since, false
	}
	since = e.BeatGone
	if e.Lease == LeaseGone && e.LeaseGone.After(since) {
		since = e.LeaseGone
	}
	return since, true
}

// Judge says what a device is, from what is stored about it and what is known of
// the node that has it:
//
//	not Held                                          offline
//	Held, the node's beat and lease are there          online
//	Held, one of them is gone                          suspect
//	Held, both are gone, for less than grace           suspect
//	Held, both are gone, for grace or longer           offline
//
// What is unknown counts as there. So the death of a node makes all of its
// devices suspect without a write.
func Judge(r *Record, e Evidence, now time.Time, grace time.Duration) Status {
	if r.Hold != Held {
		return Offline
	}
	if e.Alive() {
		return Online
	}
	if since, dead := e.Dead(); dead && !now.Before(since.Add(grace)) {
		return Offline
	}
	return Suspect
}

// Bounds says how old what presence says can be, as long as the store answers.
// While it does not, readers get ErrDown but for the devices of their own node,
// and what happens meanwhile is stored as soon as it answers again.
type Bounds struct {
	Release time.Duration // a node knows that a device is gone -> stored
	Suspect time.Duration // a node dies -> its devices are suspect
	Offline time.Duration // a node dies -> those that have not come back are offline
	Zombie  time.Duration // a device is elsewhere -> its old node has noticed
	Inbound time.Duration // age of Record.Inbound beyond the truth
}

// Bounds returns how old presence can be with these options and with leases of
// that TTL (0: none). Every step adds its interval and the deadline of the call
// at its end. What is missing is what presence cannot know: a socket that died
// without a word is noticed by the server, after 1.5 heartbeats of the device.
func (o Options) Bounds(lease time.Duration) Bounds {
	o = o.withDefaults()
	look := o.BeatEvery + o.Deadline // a reader's knowledge of the nodes
	return Bounds{
		Release: o.FlushEvery + o.Deadline,
		Suspect: o.BeatTTL + look,
		Offline: max(o.BeatTTL, lease) + o.Grace + look,
		Zombie:  o.RefreshEvery + o.FlushEvery + o.Deadline,
		Inbound: o.RefreshEvery + o.FlushEvery + o.Deadline,
	}
}
