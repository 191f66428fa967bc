package api

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode/utf8"

	"roost/server/jsonscan"
)

// maxDepth bounds the nesting of a payload: a device need not understand more
// than 64 levels, and the message around it takes one.
const maxDepth = 60

// field is one field of a publish request.
type field uint

// The fields, in the order of requestFields.
const (
	fieldDevice field = iota
	fieldDevices
	fieldTopic
	fieldAll
	fieldClass
	fieldID
	fieldTTL
	fieldPayload
	fieldBytes
	fieldWait
	fieldPace
)

// requestFields are the names of the fields and the JSON type of each.
var requestFields = [...]struct{ name, typ string }{
	fieldDevice:  {"device", "string"},
	fieldDevices: {"devices", "array"},
	fieldTopic:   {"topic", "string"},
	fieldAll:     {"all", "boolean"},
	fieldClass:   {"class", "string"},
	fieldID:      {"id", "string"},
	fieldTTL:     {"ttl", "number"},
	fieldPayload: {"payload", ""}, // any
	fieldBytes:   {"payload_base64", "string"},
	fieldWait:    {"wait", "number"},
	fieldPace:    {"pace", "number"},
}

// request is one publish request as it was written. Its slices are parts of the
// body.
type request struct {
	set     uint // a bit for each field that is there and not null
	device  []byte
	devices [][]byte
	topic   []byte
	class   []byte
	id      []byte
	all     bool
	ttl     float64
	wait    float64
	pace    float64
	payload []byte // compact JSON, or bytes if fieldBytes is set
}

func (q *request) has(f field) bool { return q.set&(1<<f) != 0 }

// parse reads one request from b, which is nothing else. White space in a
// payload is removed in b. A field that is null counts as missing, but for the
// payload.
func (q *request) parse(b []byte) *problem {
	s := jsonscan.Scanner{Data: b, Depth: maxDepth, Leaves: true}
	devices := q.devices[:0]
	*q = request{devices: devices}
	if c := s.Next(); c != '{' {
		if s.Done() {
			return invalid("", "the body is empty: want a JSON object")
		}
		if err := s.Value(); err != nil {
			return notJSON(err)
		}
		return invalid("", "the body is a JSON "+typeOf(c)+": want an object")
	}
	s.At++
	var seen uint
	for more := !s.Accept('}'); more; {
		if bad := q.member(&s, &seen); bad != nil {
			return bad
		}
		var err *jsonscan.Error
		if more, err = s.More('}'); err != nil {
			return notJSON(err)
		}
	}
	if !s.Done() {
		return invalid("", fmt.Sprintf("there is more behind the JSON object, at byte %d: "+
			"several messages are sent as lines, with the content type application/x-ndjson", s.At))
	}
	return nil
}

// member reads one key and its value. seen has a bit for each key so far.
func (q *request) member(s *jsonscan.Scanner, seen *uint) *problem {
	key, err := s.Text()
	if err != nil {
		return notJSON(err)
	}
	f := fieldOf(key)
	if f == field(len(requestFields)) {
		return invalid(clip(key), fmt.Sprintf("field %q is unknown", clip(key)))
	}
	name, want := requestFields[f].name, requestFields[f].typ
	if *seen&(1<<f) != 0 {
		return invalid(name, fmt.Sprintf("field %q is there twice", name))
	}
	*seen |= 1 << f
	if !s.Accept(':') {
		return notJSON(s.Fail("':'"))
	}
	got := typeOf(s.Next())
	switch {
	case got == "null" && want != "":
		return notJSON(s.Value())
	case got != want && want != "":
		if err := s.Value(); err != nil { // so that what is no JSON at all is called that
			return notJSON(err)
		}
		return invalid(name, fmt.Sprintf("field %q is a JSON %s: want a JSON %s", name, got, want))
	}
	q.set |= 1 << f
	return q.take(s, f)
}

// take reads the value of a field.
func (q *request) take(s *jsonscan.Scanner, f field) *problem {
	var err *jsonscan.Error
	switch f {
	case fieldDevice:
		q.device, err = s.Text()
	case fieldDevices:
		return q.takeDevices(s)
	case fieldTopic:
		q.topic, err = s.Text()
	case fieldAll:
		q.all, err = s.Bool()
	case fieldClass:
		q.class, err = s.Text()
	case fieldID:
		q.id, err = s.Text()
	case fieldTTL:
		q.ttl, err = s.Number()
	case fieldWait:
		q.wait, err = s.Number()
	case fieldPace:
		q.pace, err = s.Number()
	default:
		return q.takePayload(s, f)
	}
	return notJSON(err)
}

// takePayload reads payload or payload_base64.
func (q *request) takePayload(s *jsonscan.Scanner, f field) *problem {
	if q.has(fieldBytes) && q.has(fieldPayload) {
		return invalid("payload_base64", "payload and payload_base64 are both set: want one")
	}
	if f == fieldBytes {
		text, bad := s.Text()
		if bad != nil {
			return notJSON(bad)
		}
		payload, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
		if err != nil {
			return invalid("payload_base64", "payload_base64 is not base64: "+err.Error())
		}
		q.payload = payload
		return nil
	}
	start := s.At
	s.Spaced = false
	if err := s.Value(); err != nil {
		bad := notJSON(err)
		bad.Field = "payload"
		return bad
	}
	q.payload = s.Data[start:s.At:s.At]
	if !utf8.Valid(q.payload) {
		// Devices get it in a text message, and would have to hang up.
		return invalid("payload", "payload is not UTF-8")
	}
	if s.Spaced {
		q.payload = jsonscan.Compact(q.payload)
	}
	return nil
}

// takeDevices reads the array of device ids.
func (q *request) takeDevices(s *jsonscan.Scanner) *problem {
	s.At++
	for more := !s.Accept(']'); more; {
		if got := typeOf(s.Next()); got != "string" {
			if err := s.Value(); err != nil {
				return notJSON(err)
			}
			return invalid("devices", fmt.Sprintf("devices[%d] is a JSON %s: want a JSON string", len(q.devices), got))
		}
		id, err := s.Text()
		if err != nil {
			return notJSON(err)
		}
		if q.devices = append(q.devices, id); len(q.devices) > maxDevices {
			return &problem{Title: titleTooBig, Status: http.StatusRequestEntityTooLarge, Field: "devices",
				Detail: fmt.Sprintf("devices has more than %d entries", maxDevices)}
		}
		if more, err = s.More(']'); err != nil {
			return notJSON(err)
		}
	}
	return nil
}

// fieldOf finds the field of a name, the number of fields if there is none. The
// names are compared as they are: "Device" is not "device".
func fieldOf(name []byte) field {
	for f := range requestFields {
		if requestFields[f].name == string(name) {
			return field(f)
		}
	}
	return field(len(requestFields))
}

// typeOf names the JSON type of a value by its first byte.
func typeOf(c byte) string {
	switch c {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// clip makes a name of the request fit for an answer.
func clip(name []byte) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return strings.ToValidUTF8(string(name), "\uFFFD")
}

// whole says that f is an integer from 1 to most.
func whole(f, most float64) bool { return f >= 1 && f <= most && f == math.Trunc(f) }
