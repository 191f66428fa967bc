package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPublication(t *testing.T) {
	for body, want := range map[string]Publication{
		`{"device":"d1","payload": {"a" : [1, " x\" \\"], "b":"\u00e9é"} }`: {Devices: []string{"d1"}, Class: ClassKept,
			Payload: []byte(`{"a":[1," x\" \\"],"b":"\u00e9é"}`)},
		`{"topic":"fw/eu","class":"live","id":"m1","payload":1}`: {Topic: "fw/eu", Class: ClassLive, ID: "m1", Payload: []byte("1")},
		`{"all":true,"payload_base64":"AP8=","wait":2.5}`:        {All: true, Class: ClassLive, Payload: []byte{0, 255}, Raw: true, Wait: 2500 * time.Millisecond},
		` {"all":true,"payload":null} `:                          {All: true, Class: ClassLive, Payload: []byte("null")},
		`{"devices":["d1","d2"],"payload":"","ttl":60,"wait":0}`: {Devices: []string{"d1", "d2"}, Class: ClassKept, Payload: []byte(`""`), TTL: time.Minute},
		`{"topic":"t","class":"latest","ttl":8.64e4,"payload":1,"pace":1000000}`: {Topic: "t", Class: ClassLatest, TTL: 24 * time.Hour,
			Payload: []byte("1"), Pace: 1_000_000},
		`{"all":true,"class":"kept","ttl":1,"payload":-0.5e-7}`:          {All: true, Class: ClassKept, TTL: time.Second, Payload: []byte("-0.5e-7")},
		`{"\u0064evice":"d\u0031","all":false,"payload_base64":""}`:      {Devices: []string{"d1"}, Class: ClassKept, Payload: []byte{}, Raw: true},
		`{"device":"d1","class":"live","payload":[ ]}`:                   {Devices: []string{"d1"}, Class: ClassLive, Payload: []byte("[]")},
		`{"device":"d1","payload":` + nested(maxDepth-1) + `,"wait":30}`: {Devices: []string{"d1"}, Class: ClassKept, Payload: []byte(nested(maxDepth - 1)), Wait: maxWait},
	} {
		n := &fakeNode{}
		rec := publish(t, n, body)
		if rec.Code != 200 || len(n.got) != 1 || !reflect.DeepEqual(*n.got[0], want) {
			t.Errorf("%s: %d %s\ngot  %+v\nwant %+v", body, rec.Code, rec.Body, n.got, want)
		}
		if err := theSpec().validJSON("/components/schemas/Publish", []byte(body)); err != nil {
			t.Errorf("%s: is taken, but not by the file's schema: %v", body, err)
		}
	}
}

// nested is an array so many levels deep.
func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// ids is a JSON array of n ids.
func ids(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"d%d"`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// refused are bodies with the field that is named and a part of the detail.
// Those that begin with ! the file's schema cannot tell from good ones.
var refused = map[string]struct{ field, detail string }{
	`!`:                            {"", "empty"},
	`! `:                           {"", "empty"},
	`[]`:                           {"", "array: want an object"},
	`7`:                            {"", "number: want an object"},
	`!{"device":"d1",}`:            {"", "byte 15"},
	`!{"device" "d1"}`:             {"", "want ':'"},
	`!{"device":"d1"`:              {"", "the end"},
	`!nul`:                         {"", "a value"},
	`!{"payload":tru}`:             {"payload", "byte 11"},
	`!{"wait":-}`:                  {"", "a number"},
	`!{"wait":`:                    {"", "a number, got the end"},
	"!{\"id\":\"a\nb\"}":           {"", "control"},
	`!{"id":"\x"}`:                 {"", "an escape"},
	`!{"id":"\u00g0"}`:             {"", "hex"},
	`!{"all":true}{}`:              {"", "more behind the JSON object, at byte 12"},
	`{"device":7}`:                 {"device", "is a JSON number: want a JSON string"},
	`{"devices":"d1"}`:             {"devices", "string: want a JSON array"},
	`{"devices":["a",1]}`:          {"devices", "devices[1] is a JSON number"},
	`{"all":"yes"}`:                {"all", "want a JSON boolean"},
	`{"wait":true}`:                {"wait", "want a JSON number"},
	`{"Device":"d1"}`:              {"Device", "unknown"},
	`{"colour":{"a":[]}}`:          {"colour", "unknown"},
	`!{"id":"1","id":"1"}`:         {"id", "twice"},
	`!{"id":null,"\u0069d":"1"}`:   {"id", "twice"},
	`{"payload":1}`:                {"device", "no addressee"},
	`{"all":false,"payload":1}`:    {"device", "no addressee"},
	`!{"device":null,"payload":1}`: {"device", "no addressee"},
	`{"device":"d1","topic":"t","payload":1}`:                  {"device", "more than one"},
	`{"devices":["d1"],"all":true,"payload":1}`:                {"device", "more than one"},
	`{"device":"","payload":1}`:                                {"device", "1 to 128"},
	`{"device":"a b","payload":1}`:                             {"device", "1 to 128"},
	`{"topic":"é","payload":1}`:                                {"topic", "1 to 128"},
	`{"topic":"` + strings.Repeat("t", 129) + `","payload":1}`: {"topic", "1 to 128"},
	`{"devices":[],"payload":1}`:                               {"devices", "empty"},
	`{"devices":["a","b\u0000"],"payload":1}`:                  {"devices", "devices[1] must be"},
	`{"devices":["a","b","\u0061"],"payload":1}`:               {"devices", `devices[2] is "a"`},
	`{"device":"d1","class":"best","payload":1}`:               {"class", `"best"`},
	`{"device":"d1","class":"latest","payload":1}`:             {"class", "needs"},
	`{"all":true,"class":"latest","payload":1}`:                {"class", "needs"},
	`{"device":"d1","id":"","payload":1}`:                      {"id", "1 to 128"},
	`{"device":"d1","ttl":0,"payload":1}`:                      {"ttl", "1 to 86400"},
	`{"device":"d1","ttl":1.5,"payload":1}`:                    {"ttl", "whole"},
	`{"device":"d1","ttl":86401,"payload":1}`:                  {"ttl", "86401"},
	`{"device":"d1","class":"live","ttl":1,"payload":1}`:       {"ttl", "live"},
	`{"topic":"t","ttl":1,"payload":1}`:                        {"ttl", "live"},
	`{"device":"d1","wait":-1,"payload":1}`:                    {"wait", "0 to 30"},
	`{"device":"d1","wait":30.1,"payload":1}`:                  {"wait", "0 to 30"},
	`{"device":"d1","wait":1e999,"payload":1}`:                 {"wait", "0 to 30"},
	`{"topic":"t","pace":0,"payload":1}`:                       {"pace", "1 to 1000000"},
	`{"topic":"t","pace":1.5,"payload":1}`:                     {"pace", "whole"},
	`{"device":"d1","pace":5,"payload":1}`:                     {"pace", "broadcasts"},
	`{"device":"d1"}`:                                          {"payload", "missing"},
	`{"device":"d1","payload":1,"payload_base64":"AA=="}`:      {"payload_base64", "both"},
	`{"device":"d1","payload_base64":"AA==","payload":null}`:   {"payload_base64", "both"},
	`{"device":"d1","payload_base64":"A"}`:                     {"payload_base64", "base64"},
	"!{\"device\":\"d1\",\"payload\":\"\xff\"}":                {"payload", "UTF-8"},
	`!{"device":"d1","payload":` + nested(maxDepth+1) + `}`:    {"payload", "at most 60 levels"},
	`!{"device":"d1","payload":[1 2]}`:                         {"payload", "want ',' or ']'"},
	`!{"device":"d1","payload":01}`:                            {"payload", "a number"},
	`!{"device":"d1","payload":1.}`:                            {"payload", "a digit"},
	`!{"device":"d1","payload":1e+}`:                           {"payload", "a digit"},
}

func TestRefused(t *testing.T) {
	for body, want := range refused {
		text, blind := strings.CutPrefix(body, "!")
		n := &fakeNode{}
		rec := publish(t, n, text)
		var p problem
		must(json.Unmarshal(rec.Body.Bytes(), &p))
		if rec.Code != 400 || p.Field != want.field || !strings.Contains(p.Detail, want.detail) || n.got != nil {
			t.Errorf("%s: %d %+v, want field %q and %q", text, rec.Code, p, want.field, want.detail)
		}
		if err := theSpec().validJSON("/components/schemas/Publish", []byte(text)); err == nil && !blind {
			t.Errorf("%s: is refused, but not by the file's schema", text)
		}
	}
}

// TestSizes: what is too big is a 413, and what just fits is not.
func TestSizes(t *testing.T) {
	payload := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	room := maxMessage - maxEnvelope
	for _, tt := range []struct {
		body  string
		code  int
		field string
	}{
		{`{"device":"d1","payload":` + payload(room) + `}`, 200, ""},
		{`{"device":"d1","payload":` + payload(room+1) + `}`, 413, "payload"},
		{`{"topic":"tt","id":"<\"","payload":` + payload(room-2-7) + `}`, 413, "payload"},
		{`{"topic":"tt","id":"<\"","payload":` + payload(room-2-8) + `}`, 200, ""},
		{`{"device":"d1","payload_base64":"` + strings.Repeat("AAAA", room/4) + `"}`, 200, ""},
		{`{"device":"d1","payload_base64":"` + strings.Repeat("AAAA", room/4+1) + `"}`, 413, "payload"},
		{`{"device":"d1","payload":` + strings.Repeat(" ", maxBody-27) + `1}`, 200, ""},
		{`{"device":"d1","payload":` + strings.Repeat(" ", maxBody-26) + `1}`, 413, ""},
		{`{"devices":` + ids(maxDevices) + `,"payload":1}`, 200, ""},
		{`{"devices":` + ids(maxDevices+1) + `,"payload":1}`, 413, "devices"},
	} {
		var p problem
		rec := publish(t, &fakeNode{}, tt.body)
		if json.Unmarshal(rec.Body.Bytes(), &p); rec.Code != tt.code || p.Field != tt.field {
			t.Errorf("%.60s… (%d bytes): %d %+v, want %d", tt.body, len(tt.body), rec.Code, p, tt.code)
		}
	}
}

// TestContentTypes: curl's default goes as JSON, lines as lines, and what cannot
// be either is refused.
func TestContentTypes(t *testing.T) {
	two := `{"all":true,"payload":1}` + "\n" + `{"all":true,"payload":2}`
	for _, tt := range []struct {
		typ, coding string
		one, lines  int
	}{
		{"", "", 200, 400},
		{"application/json", "", 200, 400},
		{"application/json; charset=utf-8", "identity", 200, 400},
		{"application/x-www-form-urlencoded", "", 200, 400},
		{"text/plain", "", 200, 400},
		{"; what?", "", 200, 400},
		{"application/x-ndjson", "", 200, 200},
		{"Application/X-NDJSON; charset=utf-8", "", 200, 200},
		{"application/jsonl", "", 200, 200},
		{"multipart/form-data; boundary=b", "", 415, 415},
		{"image/png", "", 415, 415},
		{"application/xml", "", 415, 415},
		{"application/json", "gzip", 415, 415},
	} {
		header := []string{"Content-Type", tt.typ, "Content-Encoding", tt.coding}
		one, lines := publish(t, &fakeNode{}, two[:24], header...), publish(t, &fakeNode{}, two, header...)
		if one.Code != tt.one || lines.Code != tt.lines {
			t.Errorf("%q %q: %d and %d, want %d and %d", tt.typ, tt.coding, one.Code, lines.Code, tt.one, tt.lines)
		}
	}
}

// TestFailures: errors of the node become problems with a status that says what
// to do, and with what was done all the same.
func TestFailures(t *testing.T) {
	done := []Result{{Devices: []Result{{Device: "d1", Status: StatusRefused, Reason: ReasonStore}, {Device: "d2", Status: StatusUnknown}}}}
	for _, tt := range []struct {
		err        error
		results    []Result
		status     int
		retryAfter string
		want       int // results in the problem
	}{
		{ErrOverloaded, nil, 503, "1", 0},
		{ErrStore, done, 503, "5", 2},
		{ErrStore, nil, 503, "5", 0},
		{fmt.Errorf("bucket 7: %w", ErrStoreFull), done, 507, "", 2},
		{nil, []Result{{Status: StatusWritten}, {Status: StatusWritten}}, 500, "", 0}, // one too many
		{errors.New("broken"), done, 500, "", 0},
		{context.DeadlineExceeded, nil, 504, "", 0},
		{context.Canceled, nil, statusClientGone, "", 0},
	} {
		rec := publish(t, &fakeNode{results: tt.results, err: tt.err}, `{"devices":["d1","d2"],"payload":1}`)
		var p problem
		must(json.Unmarshal(rec.Body.Bytes(), &p))
		if rec.Code != tt.status || p.Status != tt.status || rec.Header().Get("Retry-After") != tt.retryAfter || len(p.Results) != tt.want {
			t.Errorf("%v: %d %v %s", tt.err, rec.Code, rec.Header(), rec.Body)
		}
	}
}

// TestResults: the hand-written encoder says what encoding/json says.
func TestResults(t *testing.T) {
	rs := []Result{
		{Device: `d"1\`, Status: StatusWritten, Seq: math.MaxUint64},
		{Topic: "fw/<eu>", Status: StatusQueued, Receivers: 3, Counts: &Counts{Written: 1, Acknowledged: 2, Queued: 3, Offline: 4, Refused: 5, Dropped: 6, NodesSilent: 7}},
		{All: true, Status: StatusOffline, Counts: &Counts{}},
		{Status: StatusRefused, Reason: ReasonInvalid, Detail: "line 1: \"é\n\x7f\"", Field: "ttl", Duplicate: true},
		{Status: StatusWritten, Devices: []Result{{Device: "a", Status: StatusUnknown}, {Device: "b", Status: StatusAcknowledged, Seq: 1}}},
		{Status: StatusWritten, Devices: []Result{}},
	}
	for n := range len(rs) + 1 {
		want, err := json.Marshal(struct {
			Results []Result `json:"results"`
		}{append([]Result{}, flatten(rs[:n])...)})
		must(err)
		// What the escapes of a string are is encoding/json's affair.
		var a, b any
		got := appendResults(nil, rs[:n])
		must(json.Unmarshal(want, &a))
		if err := json.Unmarshal(got, &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s, want %s: %v", got, want, err)
		}
	}
	if got := string(appendResults(nil, rs[2:3])); got != `{"results":[{"all":true,"status":"offline","counts":{"written":0,"queued":0}}]}`+"\n" {
		t.Errorf("%s", got)
	}
}

// TestNoPublishWithoutPost also holds the 405.
func TestNoPublishWithoutPost(t *testing.T) {
	rec, counted := call(t, &fakeNode{}, http.MethodGet, "/v1/publish", "")
	if rec.Code != 405 || rec.Header().Get("Allow") != "POST" || counted != "/v1/publish 405" || !strings.Contains(rec.Body.String(), "takes POST") {
		t.Errorf("%d %v %s, counted %q", rec.Code, rec.Header(), rec.Body, counted)
	}
}

// TestTooBigIsHeard: a client that reads only when it has sent all gets the
// answer, and not a reset.
func TestTooBigIsHeard(t *testing.T) {
	srv := httptest.NewServer(NewHandler(&fakeNode{}, nil))
	defer srv.Close()
	for _, head := range []string{"Content-Length: %d\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n%x\r\n"} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		must(err)
		size := maxBody * 3 / 2
		_, err = fmt.Fprintf(conn, "POST /v1/publish HTTP/1.1\r\nHost: node\r\n"+head+"%s\r\n0\r\n\r\n", size, strings.Repeat(" ", size))
		must(err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%q: %+v %v", head, resp, err)
		}
		conn.Close()
	}
}
