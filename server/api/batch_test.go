package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// batch posts lines.
func batch(t testing.TB, n *fakeNode, body string) (code int, results []Result, p problem) {
	t.Helper()
	rec := publish(t, n, body, "Content-Type", "application/x-ndjson")
	var answer struct{ Results []Result }
	if rec.Code == 200 {
		must(json.Unmarshal(rec.Body.Bytes(), &answer))
	} else {
		must(json.Unmarshal(rec.Body.Bytes(), &p))
	}
	return rec.Code, answer.Results, p
}

// TestBatch: one call of the node, results in the order of the lines, refused
// lines in their places.
func TestBatch(t *testing.T) {
	n := &fakeNode{}
	code, results, _ := batch(t, n, strings.Join([]string{
		`{"device":"d1","payload":{"a": 1}}`,
		``,
		`{"device":"d2","class":"x","payload":1}`,
		` {"devices":["d3","d4"],"id":"m","payload":[2]} ` + "\r",
		`{"payload":`,
		`{"topic":"t","payload":3}`,
		`{"device":"d5","payload":"` + strings.Repeat("x", maxMessage) + `"}`,
		`{"device":"d5","payload":` + strings.Repeat(" ", maxBody) + `1}`,
		"\t",
		`{"device":"d6","payload":4}`,
		``,
	}, "\n"))
	got := ""
	for _, r := range results {
		got += fmt.Sprintf("%s%s %s %s %s %.8s\n", r.Device, r.Topic, r.Status, r.Reason, r.Field, r.Detail)
	}
	want := `d1 written   
 refused invalid class line 3: 
d3 written   
d4 written   
 refused invalid payload line 5: 
t written   
 refused too_big payload line 7: 
 refused too_big  line 8: 
d6 written   
`
	if code != 200 || got != want {
		t.Errorf("%d\n%swant\n%s", code, got, want)
	}
	var sent []string
	for _, p := range n.got {
		sent = append(sent, fmt.Sprintf("%v%s %s %s %s", p.Devices, p.Topic, p.Class, p.ID, p.Payload))
	}
	if want := []string{`[d1] kept  {"a":1}`, `[d3 d4] kept m [2]`, `[]t live  3`, `[d6] kept  4`}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// TestBatchBounds: what is beyond a bound does nothing and says so.
func TestBatchBounds(t *testing.T) {
	line := `{"all":true,"payload":1}` + "\n"
	devices := `{"devices":` + ids(maxDevices) + `,"payload":1}` + "\n"
	for name, tt := range map[string]struct {
		body   string
		code   int
		detail string
	}{
		"empty":             {"", 400, "empty"},
		"blank":             {"\n \r\n", 400, "empty"},
		"most lines":        {strings.Repeat(line, maxLines), 200, ""},
		"a line too many":   {strings.Repeat(line+"\n", maxLines) + line, 413, "more than 1000 lines: nothing was done"},
		"most devices":      {strings.Repeat(devices, maxAddressees/maxDevices), 200, ""},
		"a device too many": {strings.Repeat(devices, maxAddressees/maxDevices) + line, 413, "up to 11 name more than 10000 devices"},
		"too long":          {strings.Repeat(" ", maxBatchBody+1), 413, "16777216 bytes"},
		"only nonsense":     {"{}\n{}", 200, ""},
	} {
		n := &fakeNode{}
		code, results, p := batch(t, n, tt.body)
		if code != tt.code || !strings.Contains(p.Detail, tt.detail) {
			t.Errorf("%s: %d %+v", name, code, p)
		}
		if code != 200 && n.got != nil {
			t.Errorf("%s: reached the node", name)
		}
		if name == "only nonsense" && (n.got != nil || len(results) != 2) {
			t.Errorf("%s: %v, to the node %v", name, results, n.got)
		}
	}
}

// TestBatchFailure: with a store that does not work the answer has all lines.
func TestBatchFailure(t *testing.T) {
	n := &fakeNode{err: ErrStore, results: []Result{{Device: "d1", Status: StatusRefused, Reason: ReasonStore}, {All: true, Status: StatusQueued}}}
	code, _, p := batch(t, n, `{"device":"d1","payload":1}`+"\n{}\n"+`{"all":true,"payload":1}`)
	if code != http.StatusServiceUnavailable || len(p.Results) != 3 || p.Results[1].Reason != ReasonInvalid || !p.Results[2].All {
		t.Errorf("%d %+v", code, p)
	}
}

// TestBodiesAreBounded: what all requests hold together has a bound, and is given
// back.
func TestBodiesAreBounded(t *testing.T) {
	h := NewHandler(&fakeNode{}, nil).(*handler)
	post := func(body string) int {
		r, _ := http.NewRequest(http.MethodPost, "http://node/v1/publish", strings.NewReader(body))
		_, held, bad := h.bodies.read(r, maxBatchBody)
		h.bodies.release(held)
		if bad != nil {
			return bad.Status
		}
		return 200
	}
	if code := post(strings.Repeat(" ", maxBatchBody)); code != 200 || h.bodies.large.Load() != 0 {
		t.Errorf("%d, %d bytes held", code, h.bodies.large.Load())
	}
	h.bodies.large.Store(maxBodies - 1<<20)
	if code := post(strings.Repeat(" ", 2<<20)); code != 503 || h.bodies.large.Load() != maxBodies-1<<20 {
		t.Errorf("%d, %d bytes held", code, h.bodies.large.Load())
	}
	if code := post(strings.Repeat(" ", trustedLength-1)); code != 200 {
		t.Errorf("a small one: %d", code)
	}
}

// TestWorkIsForgotten: what is pooled between requests holds nothing of them.
func TestWorkIsForgotten(t *testing.T) {
	for i := range 50 {
		n := &fakeNode{}
		id := strconv.Itoa(i)
		batch(t, n, `{"devices":["`+id+`a","`+id+`b"],"payload":1}`+"\nx\n"+`{"device":"`+id+`","id":"m`+id+`","payload":1}`)
		publish(t, &fakeNode{}, `{"device":"other","payload":"other"}`)
		got := fmt.Sprintf("%v %v %s %s", n.got[0].Devices, n.got[1].Devices, n.got[1].ID, n.got[1].Payload)
		if want := fmt.Sprintf("[%sa %sb] [%s] m%s 1", id, id, id, id); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}
