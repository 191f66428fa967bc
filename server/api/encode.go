package api

import (
	"encoding/json"
	"strconv"
)

// appendResults appends the answer to a publish request. It is written by hand
// because every publish ends here; in the tests encoding/json is its oracle.
func appendResults(dst []byte, rs []Result) []byte {
	dst = append(dst, `{"results":[`...)
	first := true
	for i := range rs {
		some := rs[i].Devices
		if some == nil {
			some = rs[i : i+1]
		}
		for j := range some {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendResult(dst, &some[j])
		}
	}
	return append(dst, "]}\n"...)
}

// appendResult appends one result.
func appendResult(dst []byte, r *Result) []byte {
	dst = append(dst, '{')
	if r.Device != "" {
		dst = append(appendQuoted(append(dst, `"device":`...), r.Device), ',')
	}
	if r.Topic != "" {
		dst = append(appendQuoted(append(dst, `"topic":`...), r.Topic), ',')
	}
	if r.All {
		dst = append(dst, `"all":true,`...)
	}
	dst = appendQuoted(append(dst, `"status":`...), string(r.Status))
	if r.Reason != "" {
		dst = appendQuoted(append(dst, `,"reason":`...), r.Reason)
	}
	if r.Detail != "" {
		dst = appendQuoted(append(dst, `,"detail":`...), r.Detail)
	}
	if r.Field != "" {
		dst = appendQuoted(append(dst, `,"field":`...), r.Field)
	}
	if r.Seq != 0 {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), r.Seq, 10)
	}
	if r.Duplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	if r.Receivers != 0 {
		dst = strconv.AppendInt(append(dst, `,"receivers":`...), int64(r.Receivers), 10)
	}
	if r.Counts != nil {
		dst = appendCounts(append(dst, `,"counts":`...), r.Counts)
	}
	return append(dst, '}')
}

// appendCounts appends the counts of a broadcast.
func appendCounts(dst []byte, c *Counts) []byte {
	dst = strconv.AppendInt(append(dst, `{"written":`...), int64(c.Written), 10)
	if c.Acknowledged != 0 {
		dst = strconv.AppendInt(append(dst, `,"acknowledged":`...), int64(c.Acknowledged), 10)
	}
	dst = strconv.AppendInt(append(dst, `,"queued":`...), int64(c.Queued), 10)
	if c.Offline != 0 {
		dst = strconv.AppendInt(append(dst, `,"offline":`...), int64(c.Offline), 10)
	}
	if c.Refused != 0 {
		dst = strconv.AppendInt(append(dst, `,"refused":`...), int64(c.Refused), 10)
	}
	if c.Dropped != 0 {
		dst = strconv.AppendInt(append(dst, `,"dropped":`...), int64(c.Dropped), 10)
	}
	if c.NodesSilent != 0 {
		dst = strconv.AppendInt(append(dst, `,"nodes_silent":`...), int64(c.NodesSilent), 10)
	}
	return append(dst, '}')
}

// appendQuoted appends s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}

// flatten puts the results of devices in the place of their publication's.
func flatten(rs []Result) []Result {
	var out []Result
	for i := range rs {
		if rs[i].Devices != nil {
			out = append(out, rs[i].Devices...)
		} else {
			out = append(out, rs[i])
		}
	}
	return out
}
