// Package coord makes a run of workers: it drives them through the phases of a
// scenario, puts together what they count, and says what the run is worth.
//
//	gather -> plan -> ready -> phase -> ... -> phase -> result
//
// A phase, for all workers at the same time:
//
//	begin      at an instant 200 ms ahead, when all are ready for it
//	under way  until its time is over, its condition true, a threshold broken
//	           that ends the run, or it is interrupted
//	answers    until every publish was answered, or has had its time
//	deliveries until nothing more is to come, or the deadline of the last
//	           message is over
//	accounts   everybody is told what was refused, and closes its accounts
//
// A worker that is lost ends the run, which is no result then, unless losses
// are allowed; a phase that times out ends it, too: what follows would measure
// something else.
//
// # Ownership
//
// One goroutine, that of Run, has the whole state. It waits for events: what a
// worker says, a second that is over, the answer of something that was started
// elsewhere (a hook, a reading of the server). So nothing here is locked.
package coord
