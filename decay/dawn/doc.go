// Package dawn plans maintenance: ahead of a window the weight of the nodes
// concerned falls, so that the hour finds little on them, and afterwards it comes
// back by itself. It is a function of time, state and settings: it has no clock,
// no goroutine and does no I/O. Its caller brings events and carries out actions.
//
//	Spec      a cron spec in a zone                    text, time -> firings
//	Calendar  windows                                  time -> openings, nights
//	Opening   one window, one time, and its curve      time -> weight factor
//	Headroom  may a fall begin?                        loads -> go, postpone, skip
//	Record    the night as the cluster agreed on it    time, node -> weight factor
//	Machine   one node's part in one night             event -> action
//
// # A night
//
// Window db of node n1, 02:00 to 04:00, default curve; ExampleMachine is this
// night. n2 and n3 take part, and n2 dies at the worst time.
//
//	time   weight of n1
//	01:29   1.00   cron fires on every node, Notice ahead of the fall. All read
//	               /config/decay/done/20260314: it is not there. n2 gets the lock,
//	               reads again: still not there.
//	               step 1: n2 makes the record. The others will find it.
//	               step 2: there is headroom: the fall is to begin at 01:30.
//	               n2 gives the lock back. All wait for 02:00.
//	01:30   1.00   no step: weights follow from the record and the time
//	01:45   0.55
//	02:00   0.10   n2 gets the lock and dies. n3 finds it held, and waits.
//	02:05   0.10   the lock is 300 s old: its holder is taken for dead. n3 puts its
//	               own in its place, reads the record, and goes on.
//	               step 3: floor
//	04:00   0.10   step 4: rising
//	04:10   0.70
//	04:15   1.00   step 5: cleared. The night is done; who still comes finds that.
//
// Had n3 died too, n1 would have been back at 04:15 all the same: Record.Factor
// depends on step 2 and the time.
//
// # A day that changes
//
// An opening comes into the record when its fall is to be decided, with all that
// the calendar of the node says of it then: who takes part, how far, how long. From
// there on no edit of a calendar changes it, on any node. So
//
//   - a window at 15:00 that is added at noon is carried out, although the record
//     was made at 01:29: at 14:29 a step adds it. Steps that add are made like all
//     others, and leave what is recorded as it is.
//   - until 14:29 it may be edited, moved or taken out. Calendars should agree by
//     then: openings are told apart by window and start, so of a window that was
//     moved while one node had not heard of it both openings are carried out.
//   - a record holds 512 openings and 1 MiB. What has no room is not carried out,
//     and Stop says so.
//
// An operator ends a night, or one window, by Abort. It is a step too. What has not
// begun is skipped. What has, comes back from where it is: End moves to
//
//	now - (1-x) Recovery, x = the share of the way down that has passed
//
// where the way back meets the way down, so no weight jumps, and it is back after x
// Recovery.
//
// # Cron
//
// The spec names the hour of the maintenance (given: 0 2 * * *); the plan fires
// ahead of it by Lead and Notice. A Spec is a set of wall-clock times; Next maps each to one instant:
//
//	first(w) = the first instant at which the clocks of the zone show w or more
//	Next(t)  = first(w) of the least w in the set with first(w) > t
//
// So a time that the zone skips fires once, at the change; of one that it repeats
// only the first fires; and */30 fires at every wall-clock time once, with an hour
// between two of them when an hour is repeated. (cronie lets specs with * in the
// hour run in both. Here a wall-clock time names an opening, so it is one.) Zones
// that change by half an hour, over midnight or by a day follow from the same
// rule; the tests have them.
//
// Of day of month and day of week either is enough, unless one of the fields
// begins with *: then both must match (Vixie cron). 5 fields, 6 fields and macros
// are told apart by Form, and Describe shows the next three firings.
//
// # The curve
//
// With f the floor, x the share of Lead that has passed since Begin, and the same
// backwards over Recovery after End:
//
//	linear       1 - (1-f) x
//	smooth       1 - (1-f) s(x), s = 2x² up to 1/2, then 1 - 2(1-x)²
//	exponential  f^x = e^(-lambda t), lambda = ln(1/f) / Lead
//
// f = 0.1 is given (10 of 100). All times are instants, so hours that zones skip
// or repeat and leap days change nothing: two hours are two hours. A maintenance
// from 02:00 to 04:00 by the clock takes three in the night of 25 hours and one in
// that of 23: Window.Until is for it. Where openings
// of a node overlap they are not merged, the lowest weight wins; a minimum of
// continuous curves is continuous.
//
// A weight steers, it does not drain. If it only decides where new sessions go
// and sessions live L on the mean, then after a linear fall over Lead the share
//
//	f + (1-f) (L/Lead) (1 - e^(-Lead/L))
//
// of them is still there at the hour: 67 % with Lead = L = 30 min, 32 % with
// Lead = 4 L (TestWhatAWeightDoes). For an hour that finds nodes empty the
// sessions have to be moved, as they are when the ring moves them, or Lead has to
// be many times L. (The given form names no lead and assumes that they are gone.)
//
// # Headroom
//
//	MaxUse · (sum of capacity over the rest - the Spare largest)  >=  sum of load over all
//
// The rest are the nodes that neither are in the group nor fall for another
// opening. Defaults: MaxUse 0.8, Spare 1 (n-1). If it does not hold, the fall is
// postponed by 10 minutes, at most 6 times and never so far that the floor would
// be reached after the maintenance has ended; then the opening is skipped. Begin
// moves, Start and End do not. Each decision keeps its reason in words.
//
// With one node in hand a cluster of two has no node for the load, and no fall ever
// begins: two nodes want Spare 0.
//
// # The double check
//
// Cron fires on every node. Two keys make it one plan:
//
//	/config/decay/lock         a mutex: triggered_by_cron_YYYYMMDD/life/node, TTL 600 s
//	/config/decay/done/<date>  the record of the night, changed by compare-and-swap
//
// A step is made so (State draws it): read the record; if a step is due, take the
// lock; read again; commit the record with the step in it, if the record's
// revision is the one read and the lock is the one taken; give the lock back. The
// lock is held for the milliseconds of a step and not while time passes, so a
// holder that dies between steps holds nothing up, and nights that overlap do not
// wait for each other. To die with the lock costs 300 s.
//
// Why a step takes effect exactly once: a commit moves Record.Step from n to n+1
// and compares the revision at which it was n, so of all commits of one step,
// doubled, late or by two nodes, the store accepts one. Why a holder that lost
// its lease writes nothing: the commit also compares the revision at which the
// lock was put (the fence), and to take a lock over is to put it anew. What
// became of a commit without an answer only the record knows, so it is read
// again. Whether the holder is really dead does not matter for any of this; the
// 300 s only spare the work of two.
//
// The given rule was: go on only if the lock has more than 300 s left. A lock
// that nobody has taken has nothing left, so nobody takes the first one, and the
// plan never starts (TestModelCanFail shows it). Kept are the TTL of 600 s, in
// which 300 s left and 300 s old are the same, and 300 s as the age from which a
// holder is taken for dead.
//
// # Clocks
//
// A night is named by the date on which its maintenance starts, in the zone of
// the calendar, not by the clock of who asks: nodes whose clocks differ by any
// amount mean the same record. A cron spec in another zone than the calendar's may
// have two openings on one date and none on another: 00:30 in London is at 00:30 and
// at 23:30 of 2026-03-29 in UTC, and not on 2026-10-25. What a clock can do:
//
//   - Behind: the node comes late. It finds steps made, or makes the next one.
//   - Ahead by less than Begin is away: the node makes steps early, by as much.
//     Weights still fall and rise at the instants in the record. Only headroom was
//     judged, and stages were marked, before their time.
//   - Ahead by more: the node takes its fall for late, and has it begin by its
//     clock. If that is after Last, the opening is too late for it; but whoever does
//     not know how far its clock is off (Fired.Known) records nothing as too late,
//     and waits for one that does. So a node that is three hours ahead and starts at
//     00:40 does not call off the night.
//   - Off by more than Rules.MaxSkew, and known to be: the node is refused.
//   - Late for the whole night: the first who comes after the latest possible
//     Begin, and knows its clock, records it as skipped, so that nobody does it
//     later. A night that has begun is resumed however late: only stages are missing.
//   - A late fall begins at the clock of who decides it, so it is late by how far
//     that clock is ahead. It never makes a weight jump by more than clocks differ.
//
// # What the caller does
//
// At start and when its timer fires a node takes Calendar.Due and gives a Machine
// of each night Fired; Calendar.Next sets the timer. Life goes up with each start.
// Fired is given again when the skew of the clock is measured anew. When the
// calendar has changed, each Machine is given Reloaded with its night in the new
// one, and then Due and Next are asked again.
//
// The weight of a node is multiplied by the lowest Record.Factor over all records
// under DonePrefix, which it watches: its own calendar may lack what others have
// recorded. A record that is not done and whose date is not due by its calendar it
// may finish by the Machine of a Night without openings. Records may be deleted a
// week after; sooner, a node with an old clock could make them again.
//
// Each action is done and answered, a request within 5 s or by Failed. In etcd:
//
//   - The fence is the mod revision of the lock key. Its lease is kept alive by
//     nobody: a step takes less than Rules.Hold.
//   - Age is granted TTL less TimeToLive of the lease. After a change of etcd's
//     leader a lease is new again, so a dead holder may look alive for longer.
//   - Lock, Commit and Release are one transaction each, Read is linearizable.
//   - The record has no lease. One of a window is some 500 bytes; each group is in
//     it once. Calendar.Validate holds a night to 512 KiB.
//   - What a step does in the store goes into the commit's transaction.
//
// # How this was checked
//
// TestModel goes through all worlds that one to three nodes can get into, with
// late and early clocks, deaths, restarts, leases that expire, and requests and
// answers that are lost, late or doubled, with windows that are added and nights
// that are ended on the way: 6 million worlds, in which every step takes effect
// once, in order, under the lock of who makes it, and changes nothing else of what
// is recorded, and from each of which the night can be finished by whoever is up
// and knows its clock and the calendar.
// TestModelCanFail breaks the rules one by one and wants each to be found out;
// TestModelKeys checks that worlds which the search takes for equal are.
// TestSimulation plays nights of up to nine nodes in virtual seconds, while the
// calendar is edited.
package dawn
