package compare

import (
	"encoding/json"
	"math"
)

// Number is a float64 that JSON can hold: +Inf is the string "+Inf".
type Number float64

// MarshalJSON writes the number.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(n), 1) {
		return []byte(`"+Inf"`), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == `"+Inf"` {
		*n = Number(math.Inf(1))
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

func numbers(v []float64) []Number {
	n := make([]Number, len(v))
	for i, x := range v {
		n[i] = Number(x)
	}
	return n
}
