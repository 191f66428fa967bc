package result

import (
	"fmt"
	"math"
	"reflect"
	"slices"
)

// check says what of a result that was read cannot be.
func (r *Result) check() error {
	switch r.Verdict {
	case Valid, Invalid, Breached, Interrupted:
	default:
		return fmt.Errorf("verdict %q: want valid, INVALID, breached or interrupted", r.Verdict)
	}
	names := map[string]bool{}
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Name == "" || names[p.Name] {
			return fmt.Errorf("phase %d: the name %q is empty or taken", i, p.Name)
		}
		names[p.Name] = true
		if p.Tally == nil {
			return fmt.Errorf("phase %s has no tally", p.Name)
		}
		if n := len(p.Tally.Groups); n > len(r.Scenario.Groups) {
			return fmt.Errorf("phase %s has %d groups, the scenario %d", p.Name, n, len(r.Scenario.Groups))
		}
		if n := len(p.Servers); n > len(r.Servers) {
			return fmt.Errorf("phase %s has %d servers, the run %d", p.Name, n, len(r.Servers))
		}
		if p.Length < 0 || p.Connected < 0 {
			return fmt.Errorf("phase %s: length %v and %d connections: want 0 or more", p.Name, p.Length, p.Connected)
		}
	}
	for i, p := range r.Series {
		if p.Phase < 0 || p.Phase >= len(r.Phases) {
			return fmt.Errorf("point %d of the series is of phase %d of %d", i, p.Phase, len(r.Phases))
		}
	}
	for _, c := range r.Validity {
		if !slices.Contains([]string{"pass", "fail", "unknown", "advice"}, c.State) {
			return fmt.Errorf("check %s: state %q: want pass, fail, unknown or advice", c.Name, c.State)
		}
	}
	for _, t := range r.Thresholds {
		if !slices.Contains([]string{"pass", "fail", "unknown"}, t.State) {
			return fmt.Errorf("threshold %s: state %q: want pass, fail or unknown", t.Text, t.State)
		}
	}
	return nil
}

// maxNotes is how many notes about numbers clean adds.
const maxNotes = 8

// clean sets numbers that are none to 0, and notes it.
func clean(r *Result) {
	var bad []string
	walk(reflect.ValueOf(r).Elem(), "", func(path string, v reflect.Value) {
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			bad = append(bad, fmt.Sprintf("%s was %v and is written as 0", path, f))
			v.SetFloat(0)
		}
	})
	if len(bad) > maxNotes {
		bad = append(bad[:maxNotes], fmt.Sprintf("%d more numbers were none and are written as 0", len(bad)-maxNotes))
	}
	r.Notes = append(r.Notes, bad...)
}

// walk calls f for every float of v that can be set, values of maps included.
func walk(v reflect.Value, path string, f func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Float64:
		if v.CanSet() {
			f(path, v)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), path, f)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Uint8 || k == reflect.String {
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.Float64 {
			return
		}
		for _, k := range v.MapKeys() {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(v.MapIndex(k))
			walk(e, fmt.Sprintf("%s[%v]", path, k), f)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case Check, Threshold: // theirs may be infinite
			return
		}
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				walk(v.Field(i), path+"."+field.Name, f)
			}
		}
	}
}
