package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fakeNode answers what a test tells it to.
type fakeNode struct {
	got   *Publication
	res   Result
	err   error
	ready error
}

func (n *fakeNode) Publish(_ context.Context, ps []*Publication) ([]Result, error) {
	n.got = ps[0]
	return []Result{n.res}, n.err
}

func (n *fakeNode) Devices(context.Context, Page) ([]DeviceSummary, bool, error) {
	return nil, false, n.err
}
func (n *fakeNode) RemoveDevice(context.Context, string) error            { return n.err }
func (n *fakeNode) Disconnect(context.Context, string) error              { return n.err }
func (n *fakeNode) Topics(context.Context, Page) ([]Topic, bool, error)   { return nil, false, n.err }
func (n *fakeNode) Topic(context.Context, string) (Topic, error)          { return Topic{}, n.err }
func (n *fakeNode) ClearTopic(context.Context, string) error              { return n.err }
func (n *fakeNode) Subscribe(context.Context, string, string, bool) error { return n.err }
func (n *fakeNode) Events(context.Context, EventFilter, func(*Event) error) error {
	return n.err
}
func (n *fakeNode) Consistency(context.Context) (Consistency, error) { return Consistency{}, n.err }

func (n *fakeNode) Device(_ context.Context, id string) (Device, error) {
	return Device{Device: id, Online: true}, n.err
}

func (n *fakeNode) Ready() error { return n.ready }

func (n *fakeNode) WriteMetrics(w io.Writer) { io.WriteString(w, "roost_devices 7\n") }

// call serves one request and returns the answer, with the route and status
// that were counted.
func call(n *fakeNode, method, path, body string) (rec *httptest.ResponseRecorder, counted string) {
	h := NewHandler(n, func(route string, status int, took time.Duration) {
		counted = fmt.Sprintf("%s %d", route, status)
	})
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	return rec, counted
}

func TestPublication(t *testing.T) {
	for body, want := range map[string]Publication{
		`{"device":"d1","payload": {"a" : [1, 2]} }`:             {Devices: []string{"d1"}, Class: ClassKept, Payload: []byte(`{"a":[1,2]}`)},
		`{"topic":"fw/eu","class":"live","id":"m1","payload":1}`: {Topic: "fw/eu", Class: ClassLive, ID: "m1", Payload: []byte("1")},
		`{"all":true,"payload_base64":"AP8=","wait":2.5}`:        {All: true, Class: ClassLive, Payload: []byte{0, 255}, Raw: true, Wait: 2500 * time.Millisecond},
		`{"all":true,"payload":null}`:                            {All: true, Class: ClassLive, Payload: []byte("null")},
	} {
		n := &fakeNode{res: Result{Device: "d1", Status: StatusWritten}}
		rec, counted := call(n, http.MethodPost, "/v1/publish", body)
		if rec.Code != 200 || rec.Body.String() != `{"results":[{"device":"d1","status":"written"}]}`+"\n" || counted != "/v1/publish 200" {
			t.Errorf("%s: %d %s, counted %q", body, rec.Code, rec.Body, counted)
		}
		if got := fmt.Sprintf("%+v", *n.got); got != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: got %s, want %+v", body, got, want)
		}
	}
}

// TestFailures: errors of the node become problems with a status that says what
// to do.
func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{ErrOverloaded, 503, "1"},
		{ErrUnknownDevice, 404, ""},
		{context.DeadlineExceeded, 504, ""},
		{context.Canceled, 499, ""},
		{errors.New("broken"), 500, ""},
	} {
		rec, counted := call(&fakeNode{err: tt.err}, http.MethodPost, "/v1/publish", `{"all":true,"payload":1}`)
		var p problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != tt.status || rec.Code != tt.status ||
			rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("Retry-After") != tt.retryAfter ||
			counted != fmt.Sprintf("/v1/publish %d", tt.status) {
			t.Errorf("%v: %d %s, counted %q", tt.err, rec.Code, rec.Body, counted)
		}
	}
	if rec, _ := call(&fakeNode{err: ErrUnknownDevice}, http.MethodGet, "/v1/devices/d9", ""); rec.Code != 404 || !strings.Contains(rec.Body.String(), `d9`) {
		t.Errorf("unknown device: %d %s", rec.Code, rec.Body)
	}
}

func TestHealthReadyMetrics(t *testing.T) {
	n := &fakeNode{}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "roost_devices 7\n"} {
		if rec, _ := call(n, http.MethodGet, path, ""); rec.Code != 200 || rec.Body.String() != want {
			t.Errorf("%s: %d %q", path, rec.Code, rec.Body)
		}
	}
	n.ready = errors.New("draining")
	if rec, _ := call(n, http.MethodGet, "/readyz", ""); rec.Code != 503 || !strings.Contains(rec.Body.String(), "draining") {
		t.Errorf("readyz: %d %s", rec.Code, rec.Body)
	}
	if rec, _ := call(n, http.MethodGet, "/debug/pprof/cmdline", ""); rec.Code != 200 {
		t.Errorf("pprof: %d", rec.Code)
	}
}

// FuzzPublication: whatever the body, the answer is a result or a problem, and
// what reaches the node is within the bounds that devices rely on.
func FuzzPublication(f *testing.F) {
	f.Add([]byte(`{"device":"d1","payload":{"a":1}}`))
	f.Add([]byte(`{"all":true,"payload_base64":"AP8=","wait":1}`))
	f.Add([]byte(`{"topic":"t","payload":"\ud800"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := &fakeNode{res: Result{Status: StatusQueued}}
		rec, _ := call(n, http.MethodPost, "/v1/publish", string(body))
		if !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("%q: the answer is not JSON: %q", body, rec.Body)
		}
		if (rec.Code == 200) != (n.got != nil) {
			t.Fatalf("%q: status %d, reached the node: %v", body, rec.Code, n.got != nil)
		}
		if n.got == nil {
			return
		}
		if !n.got.Raw && !json.Valid(n.got.Payload) || len(n.got.Payload) > maxMessage || n.got.Wait < 0 || n.got.Wait > maxWait {
			t.Fatalf("%q: %+v", body, n.got)
		}
	})
}
