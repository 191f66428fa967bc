package window

import (
	"fmt"
	"math"
	"time"
)

// Decay weighs the records of a window by their age: a record t seconds old
// counts e^(-lambda t). The weights are made once; a reading costs three
// exponentials and a multiplication per epoch. It is read-only after NewDecay.
type Decay struct {
	span   Span
	x      float64           // lambda x width
	area   float64           // of e^(-lambda t) over the window, seconds
	ended  float64           // e^(-lambda t), t from the end of the oldest epoch to the start of the present one
	weight [MaxSlots]float64 // of whole epochs by age, 1 and up
}

// MaxLambda is the fastest decay, per second: to 1/e in a nanosecond.
const MaxLambda = 1e9

// NewDecay returns the decay of s by lambda per second, 0 to MaxLambda; 0
// weighs all records alike.
//
// With x = lambda x width, the records of a whole epoch whose end is j epochs
// ago, spread evenly over it, weigh on average
//
//	(1/width) integral from j width to (j+1) width of e^(-lambda t) dt
//	  = e^(-x j) (1 - e^(-x)) / x
//
// At phase p of the present epoch the epoch that is a old ended a-1+p ago, so its
// weight is e^(-x p) times the one for j = a-1, which is in the table. Of the
// oldest epoch, a = n, only the newest part (1-p) lies in the window, and of the
// present one the part p has passed; both are the same integral over their part.
func NewDecay(s Span, lambda float64) (*Decay, error) {
	if !(lambda >= 0 && lambda <= MaxLambda) {
		return nil, fmt.Errorf("window: lambda of %v per second: want 0 to %g", lambda, MaxLambda)
	}
	s = s.orDefault()
	x := lambda * s.width.Seconds()
	d := &Decay{span: s, x: x, ended: math.Exp(-x * float64(s.slots-1))}
	for a := 1; a < s.slots; a++ {
		d.weight[a] = math.Exp(-x*float64(a-1)) * meanDecay(x)
	}
	window := s.width.Seconds() * float64(s.slots)
	d.area = window * meanDecay(lambda*window)
	return d, nil
}

// meanDecay returns the mean of e^(-t) for t from 0 to x: (1 - e^(-x))/x.
func meanDecay(x float64) float64 {
	if x == 0 {
		return 1
	}
	return -math.Expm1(-x) / x
}

// Sum returns the weighted sum of the records of src in the window that ends at
// t: slots x width, of the oldest epoch the part that is still in it.
func (d *Decay) Sum(src Source, t time.Duration) float64 {
	e, p := d.span.split(t)
	older := 0.0
	for a := 1; a < d.span.slots; a++ {
		older += d.weight[a] * float64(src.At(e-Epoch(a)))
	}
	oldest := float64(src.At(e-Epoch(d.span.slots))) * d.ended * (1 - p) * meanDecay(d.x*(1-p))
	return float64(src.At(e))*meanDecay(d.x*p) + math.Exp(-d.x*p)*(older+oldest)
}

// Rate returns the records per second, the new ones weighing more: Sum divided by
// what one record a second would give. Lambda 0 gives [Span.Rate].
func (d *Decay) Rate(src Source, t time.Duration) float64 {
	return d.Sum(src, t) / d.area
}
