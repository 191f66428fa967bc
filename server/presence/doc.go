// Package presence knows which device is connected to which node, across nodes, and
// on what evidence.
//
// A device's record says who has it: node, incarnation, fence, session, since when,
// when something was last heard of it, and why it went. What is said of a device,
// online, suspect or offline, is judged when it is read (Judge), from the record and
// from the life of the node that has it: so a node that dies with 200,000 devices
// costs one write, not 200,000. How old the answer can be is a function of the
// settings (Options.Bounds).
//
//	connection         Keeper, one a node                     Store (Memory, Redis)
//	----------         ----------------------------------     ----------------------------
//	connects     ---> Claim: waits, 1 s at most          ---> fence + 1, who had it before
//	                    no answer: provisional fence
//	frames       ---> Touch: a note in the table
//	is closed    ---> Release: a note in the queue
//	                  work, each 100 ms:
//	                    flush      releases              ---> Left, if the fence is current
//	                    reconcile  provisional, lost     ---> Held, if nobody is later
//	                    refresh    the table, by and by  ---> noted, or refused: a zombie
//	closes <-- OnZombie    compare    index against table   ---> what is not here is ended
//	                    sweep      who did not come back ---> Lost
//	                  pulse, each second:
//	                    beat                             ---> this node lives
//	                    look at the others               <--- beats, marks of the dead
//
// No call of the store ever stands between a connection and its end: releases and
// refreshes are taken from tables, in batches, the newest of each device. While the
// store is away they wait there, bounded and counted, and devices that connect are
// served with provisional fences, which are compared when it is back (reconcile.go).
//
// # States
//
// Of a record: types.go (Hold). Of a node's death: death.go. Of a session here:
//
//	        Claim answered                       refused: zombie
//	absent ----------------> known ------------------------------------> absent
//	  |                       |  ^                                        ^
//	  | not answered   absent |  | asserted                               |
//	  v                       v  |                                        |
//	provisional ----------> asserting ---- refused: zombie ---------------+
//	        (both are in Keeper.assert; Release leads from any to absent)
//
// # The index
//
// Every start of a node has an index of the devices that it may have, which outlives
// it. A device is put into it before it is claimed, and taken out after its record
// says that it is elsewhere or gone; claims wait for removals under way. So a device
// that a record calls Held is in the index of its owner at any moment, whoever dies
// when, and an index can hold more than its node has, never less. compare mends the
// rest. Only its own node takes entries out of an index, and who sweeps a dead one.
//
// # Lock order
//
// Keeper.mu, Feed.mu and the stores' mutexes are each taken alone, and nothing is
// called while one is held.
//
// # Costs
//
// go test -run '^$' -bench . ./server/presence, Redis 7.0.15 on loopback, 2 cores that
// others used as well (load 8): times are upper bounds, bytes are exact.
//
//	claim, 64 at a time               34 us of wall clock, 29,000 a second
//	refresh, batches of 512           11 us a device: 100,000 devices in 2 min take 1 % of the time
//	sweep, pages of 512               16 us a device: 200,000 devices take 3 s
//	a frame (Touch)                   131 ns, no allocation
//	a device in a Keeper's table      80 B with an id of 16 bytes, without a pointer
//	a device in Redis, held           152 B its record, 72 B its place in the index; 252 B with
//	                                  all that Redis keeps beside (total.allocated / devices)
//	a device in Redis, gone           168 B its record; 231 B with key and expiry
package presence
