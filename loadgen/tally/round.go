package tally

// Octiles is how many marks a Round keeps: the first delivery and every eighth
// part of them.
const Octiles = 9

// Round is the course of one message to many on one worker. Times are ns on
// the run's clock.
type Round struct {
	Stream uint16         `json:"s"` // publish of the phase
	Seq    uint32         `json:"n"` // message of it
	Due    int64          `json:"due"`
	Want   uint32         `json:"want"` // subscribers on this worker when it was due, without those that left as planned before they had it
	Got    uint32         `json:"got"`
	Marks  [Octiles]int64 `json:"marks"` // mark k: when k/8 of Want had it (0: the first); 0: never
}

// Deliver takes note of a delivery at time now.
func (r *Round) Deliver(now int64) {
	r.Got++
	if r.Got == 1 {
		r.Marks[0] = now
	}
	for k := 1; k < Octiles; k++ {
		if r.Got == (r.Want*uint32(k)+7)/8 {
			r.Marks[k] = now
		}
	}
}

// Leave takes out a subscriber that has not got it and will not; last is when
// the last of the others did. Marks that are reached by that were reached then,
// or before.
func (r *Round) Leave(last int64) {
	r.Want--
	for k := 1; k < Octiles; k++ {
		if r.Marks[k] == 0 && r.Got > 0 && r.Got >= (r.Want*uint32(k)+7)/8 {
			r.Marks[k] = last
		}
	}
}
