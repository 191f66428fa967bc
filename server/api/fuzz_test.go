package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPublication: whatever the body, the answer is a result or a problem, and
// what reaches the node is within the bounds that devices rely on.
func FuzzPublication(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		n := &fakeNode{}
		rec := publish(t, n, string(body))
		if (rec.Code == 200) != (n.got != nil) {
			t.Fatalf("%q: status %d, reached the node: %v", body, rec.Code, n.got != nil)
		}
		if n.got == nil {
			return
		}
		p := n.got[0]
		if !p.Raw && (!json.Valid(p.Payload) || !utf8.Valid(p.Payload)) || len(p.Payload) > maxMessage || p.Wait < 0 || p.Wait > maxWait ||
			p.TTL < 0 || p.TTL > maxTTL || p.TTL > 0 && p.Class == ClassLive || p.Pace < 0 || p.Pace > maxPace {
			t.Fatalf("%q: %+v", body, p)
		}
	})
}

// FuzzRequest: the scanner takes what encoding/json takes, and reads the same.
func FuzzRequest(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		want, ok := slowRequest(body)
		var got request
		bad := got.parse(bytes.Clone(body))
		if bad != nil && strings.Contains(bad.Detail, "nested too deeply") {
			return // encoding/json goes on to 10,000 levels
		}
		if !utf8.Valid(body) {
			// encoding/json puts U+FFFD into names, which we leave for check to refuse.
			if bad == nil && !json.Valid(body) {
				t.Fatalf("%q is taken", body)
			}
			return
		}
		if (bad == nil) != ok {
			t.Fatalf("%q: %+v, encoding/json takes it: %v", body, bad, ok)
		}
		if bad != nil {
			return
		}
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("%q:\n%s, want\n%s", body, a, b)
		}
	})
}

// FuzzBatch: a line of a batch comes to the same as if it were alone.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"device":"d1","payload":1}` + "\n{}\n\n" + `{"devices":["d1","d2"],"payload": 1}`))
	f.Add([]byte("\r\n{\"all\":true,\"payload\":\"\n\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if bytes.Count(body, []byte("\n")) > 20 {
			return
		}
		n := &fakeNode{}
		code, results, _ := batch(t, n, string(body))
		if code != 200 {
			if len(bytes.Trim(body, " \t\r\n")) > 0 {
				t.Fatalf("%q: %d", body, code)
			}
			return
		}
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if len(bytes.Trim(line, " \t\r")) == 0 {
				continue
			}
			alone := &fakeNode{}
			rec := publish(t, alone, string(line))
			if rec.Code != 200 {
				if results[0].Status != StatusRefused || !strings.Contains(results[0].Detail, "line ") {
					t.Fatalf("%q: %+v, alone %d", line, results[0], rec.Code)
				}
				results = results[1:]
				continue
			}
			if a, b := fmt.Sprintf("%+v", *n.got[0]), fmt.Sprintf("%+v", *alone.got[0]); a != b {
				t.Fatalf("%q: %s, alone %s", line, a, b)
			}
			n.got, results = n.got[1:], results[max(1, len(n.got[0].Devices)):]
		}
		if len(results) > 0 || len(n.got) > 0 {
			t.Fatalf("%q: left over: %v %v", body, results, n.got)
		}
	})
}

// seeds are the bodies of the tables.
func seeds(f *testing.F) {
	f.Add([]byte(`{"device":"d1","payload":{"a":1, "b" : "c d\\\" "}}`))
	f.Add([]byte(`{"all":true,"payload_base64":"AP8=","wait":1}`))
	f.Add([]byte(`{"topic":"t","payload":"\ud800"}`))
	f.Add([]byte(`{"devices":["a","b"],"ttl":6e1,"class":"kept","payload":null,"id":null,"pace":1}`))
	for body := range refused {
		f.Add([]byte(strings.TrimPrefix(body, "!")))
	}
}

// slowRequest reads a request with encoding/json.
func slowRequest(body []byte) (q request, ok bool) {
	if !json.Valid(body) {
		return q, false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if first, _ := dec.Token(); first != json.Delim('{') {
		return q, false
	}
	var seen []string
	for dec.More() {
		key, _ := dec.Token()
		i := slices.IndexFunc(requestFields[:], func(f struct{ name, typ string }) bool { return f.name == key })
		if i < 0 || slices.Contains(seen, key.(string)) {
			return q, false
		}
		seen = append(seen, key.(string))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			panic(err)
		}
		if field(i) == fieldPayload || string(raw) != "null" {
			if q.set |= 1 << i; !q.slowField(field(i), raw) {
				return q, false
			}
		}
	}
	_, err := dec.Token()
	_, end := dec.Token()
	return q, err == nil && end == io.EOF && !(q.has(fieldPayload) && q.has(fieldBytes))
}

// slowField reads one field with encoding/json.
func (q *request) slowField(f field, raw []byte) bool {
	text := func(to *[]byte) bool {
		var s string
		err := json.Unmarshal(raw, &s)
		*to = []byte(s)
		return err == nil
	}
	number := func(to *float64) bool {
		var n json.Number
		err := json.Unmarshal(raw, &n)
		*to, _ = strconv.ParseFloat(string(n), 64)
		return err == nil && raw[0] != '"' && !math.IsNaN(*to)
	}
	switch f {
	case fieldDevice:
		return text(&q.device)
	case fieldTopic:
		return text(&q.topic)
	case fieldClass:
		return text(&q.class)
	case fieldID:
		return text(&q.id)
	case fieldAll:
		return json.Unmarshal(raw, &q.all) == nil
	case fieldTTL:
		return number(&q.ttl)
	case fieldWait:
		return number(&q.wait)
	case fieldPace:
		return number(&q.pace)
	case fieldBytes:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return false
		}
		payload, err := base64.StdEncoding.DecodeString(s)
		if !q.has(fieldPayload) {
			q.payload = payload
		}
		return err == nil
	case fieldPayload:
		var out bytes.Buffer
		json.Compact(&out, raw)
		if !q.has(fieldBytes) {
			q.payload = out.Bytes()
		}
		return true
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil {
		return false
	}
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return false
		}
		q.devices = append(q.devices, []byte(s))
	}
	return len(list) <= maxDevices
}
