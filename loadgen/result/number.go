package result

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// number is a float64 whose JSON form may be infinite: a quantile that is a
// miss is "+Inf". Other numbers are written as such.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(data []byte) error {
	var text string
	if len(data) == 0 || data[0] != '"' {
		return json.Unmarshal(data, (*float64)(n))
	}
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	switch text {
	case "+Inf":
		*n = number(math.Inf(1))
	case "-Inf":
		*n = number(math.Inf(-1))
	case "NaN":
		*n = number(math.NaN())
	default:
		return fmt.Errorf("%q is no number", text)
	}
	return nil
}

// MarshalJSON writes the check; values may be infinite.
func (c Check) MarshalJSON() ([]byte, error) {
	type plain Check // without methods
	return json.Marshal(struct {
		plain
		Value number `json:"value"`
		Limit number `json:"limit"`
	}{plain(c), number(c.Value), number(c.Limit)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Check) UnmarshalJSON(data []byte) error {
	type plain Check
	var form struct {
		plain
		Value number `json:"value"`
		Limit number `json:"limit"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	*c = Check(form.plain)
	c.Value, c.Limit = float64(form.Value), float64(form.Limit)
	return nil
}

// MarshalJSON writes the threshold; the value may be infinite.
func (t Threshold) MarshalJSON() ([]byte, error) {
	type plain Threshold
	return json.Marshal(struct {
		plain
		Value number `json:"value"`
	}{plain(t), number(t.Value)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Threshold) UnmarshalJSON(data []byte) error {
	type plain Threshold
	var form struct {
		plain
		Value number `json:"value"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	*t = Threshold(form.plain)
	t.Value = float64(form.Value)
	return nil
}
