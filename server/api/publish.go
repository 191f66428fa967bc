package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxMessage is the largest message as a device gets it, in bytes: what a
	// device's queue holds, and the same as devices may send.
	maxMessage = 64 << 10
	// maxEnvelope bounds what the protocol puts around payload, id and topic.
	maxEnvelope = 128
	// maxBody leaves room for white space and escapes in a JSON payload.
	maxBody = 4 * maxMessage
	// maxWait is the longest wait.
	maxWait = 30 * time.Second
)

func (h *handler) publish(w http.ResponseWriter, r *http.Request) {
	p, bad := readPublication(r)
	if bad != nil {
		bad.write(w)
		return
	}
	results, err := h.node.Publish(r.Context(), []*Publication{p})
	if err != nil {
		failure(err, "").write(w)
		return
	}
	writeJSON(w, publishResponse{Results: flatten(results)})
}

// publishRequest is the body of POST /v1/publish.
type publishRequest struct {
	Device  *string         `json:"device"`
	Topic   *string         `json:"topic"`
	All     *bool           `json:"all"`
	Class   *string         `json:"class"`
	ID      string          `json:"id"`
	Payload json.RawMessage `json:"payload"`
	// Bytes is a payload that is not JSON, in base64.
	Bytes *[]byte `json:"payload_base64"`
	// Wait is how many seconds to wait for the end of a broadcast.
	Wait *float64 `json:"wait"`
}

// publishResponse is the answer to it.
type publishResponse struct {
	Results []Result `json:"results"`
}

// flatten puts the results of devices in the place of their publication's.
func flatten(rs []Result) []Result {
	var out []Result
	for _, r := range rs {
		if r.Devices != nil {
			out = append(out, r.Devices...)
			continue
		}
		out = append(out, r)
	}
	return out
}

// readPublication reads and checks the body of a publish request.
func readPublication(r *http.Request) (*Publication, *problem) {
	// Not http.MaxBytesReader: it cuts the connection, and a client that is still
	// sending sees a reset instead of the answer.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		return nil, &problem{Title: "Too big", Status: http.StatusRequestEntityTooLarge, Field: "payload",
			Detail: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, &problem{Title: "Timed out", Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time"}
		}
		return nil, invalid("", "the body could not be read: "+err.Error())
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var req publishRequest
	if err := dec.Decode(&req); err != nil {
		return nil, decodeProblem(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalid("", "the body holds more than one JSON value")
	}
	return req.check()
}

// decodeProblem names the field that encoding/json could not take.
func decodeProblem(err error) *problem {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var corrupt base64.CorruptInputError
	switch {
	case errors.As(err, &corrupt):
		return invalid("payload_base64", "payload_base64 is not base64: "+err.Error())
	case errors.As(err, &typ):
		if typ.Field == "" {
			return invalid("", "the body is a JSON "+typ.Value+": want an object")
		}
		return invalid(typ.Field, fmt.Sprintf("field %q is a JSON %s: want a %s", typ.Field, typ.Value, jsonName(typ.Type)))
	case errors.As(err, &syntax):
		return invalid("", fmt.Sprintf("the body is not JSON: byte %d: %v", syntax.Offset, err))
	case errors.Is(err, io.EOF):
		return invalid("", "the body is empty: want a JSON object")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return invalid(name, fmt.Sprintf("field %q is unknown", name))
	}
	return invalid("", "the body is not a publish request: "+err.Error())
}

// jsonName is what JSON calls a Go type of publishRequest.
func jsonName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Float64:
		return "number"
	}
	return "string"
}

// check turns the request into a Publication or says which field is wrong.
func (q *publishRequest) check() (*Publication, *problem) {
	p := &Publication{ID: q.ID}
	if bad := q.checkTarget(p); bad != nil {
		return nil, bad
	}
	p.Class = ClassLive
	if p.Devices != nil {
		p.Class = ClassKept
	}
	if q.Class != nil {
		if p.Class = Class(*q.Class); p.Class != ClassLive && p.Class != ClassLatest && p.Class != ClassKept {
			return nil, invalid("class", fmt.Sprintf("class is %q: want live, latest or kept", *q.Class))
		}
	}
	if q.ID != "" && !printable(q.ID) {
		return nil, invalid("id", "id must be at most 128 printable ASCII characters without spaces")
	}
	if q.Wait != nil {
		if math.IsNaN(*q.Wait) || *q.Wait < 0 || *q.Wait > maxWait.Seconds() {
			return nil, invalid("wait", fmt.Sprintf("wait is %v: want 0 to %v seconds", *q.Wait, maxWait.Seconds()))
		}
		p.Wait = time.Duration(*q.Wait * float64(time.Second))
	}
	switch {
	case q.Bytes != nil && q.Payload != nil:
		return nil, invalid("payload_base64", "payload and payload_base64 are both set: want one")
	case q.Bytes != nil:
		p.Payload, p.Raw = *q.Bytes, true
	case q.Payload != nil && !utf8.Valid(q.Payload):
		// Devices get it in a text message, and would have to hang up.
		return nil, invalid("payload", "payload is not UTF-8")
	case q.Payload != nil:
		var compact bytes.Buffer
		if err := json.Compact(&compact, q.Payload); err != nil {
			return nil, invalid("payload", "payload is not JSON: "+err.Error())
		}
		p.Payload = compact.Bytes()
	default:
		return nil, invalid("payload", "payload is missing (any JSON value, or payload_base64)")
	}
	size, room := len(p.Payload), maxMessage-maxEnvelope-len(p.ID)-len(p.Topic)
	if p.Raw {
		size = base64.StdEncoding.EncodedLen(size)
	}
	if size > room {
		return nil, &problem{Title: "Too big", Status: http.StatusRequestEntityTooLarge, Field: "payload",
			Detail: fmt.Sprintf("payload makes %d bytes for a JSON device: with this id and topic at most %d are allowed", size, room)}
	}
	return p, nil
}

// checkTarget takes the one addressee.
func (q *publishRequest) checkTarget(p *Publication) *problem {
	n := 0
	if q.Device != nil {
		n++
		if !printable(*q.Device) {
			return invalid("device", "device must be 1 to 128 printable ASCII characters without spaces")
		}
		p.Devices = []string{*q.Device}
	}
	if q.Topic != nil {
		n++
		if !printable(*q.Topic) {
			return invalid("topic", "topic must be 1 to 128 printable ASCII characters without spaces")
		}
		p.Topic = *q.Topic
	}
	if q.All != nil && *q.All {
		n++
		p.All = true
	}
	switch {
	case n == 0:
		return invalid("device", `no addressee: set "device", "topic" or "all": true`)
	case n > 1:
		return invalid("device", `more than one addressee: set one of "device", "topic" and "all"`)
	}
	return nil
}

// printable is the rule for names of devices and topics and ids of messages.
func printable(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
