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
	Want   uint32         `json:"want"` // subscribers on this worker when it was due
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
