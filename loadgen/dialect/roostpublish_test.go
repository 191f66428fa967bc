package dialect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRoostReceipts: what a node answers of each message of a request.
func TestRoostReceipts(t *testing.T) {
	d := mustNew(t, "roost", Config{API: "http://127.0.0.1:1"}).(Batcher)
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // of each: acknowledged/unacknowledged, or the reason
		fails  string
	}{
		"devices":             {200, `{"results":[{"device":"a","status":"acknowledged","seq":1},{"device":"b","status":"queued","seq":7,"duplicate":true},{"device":"c","status":"offline"}]}`, "1/0 0/1 0/1", ""},
		"one is full":         {200, `{"results":[{"device":"a","status":"written"},{"device":"b","status":"refused","reason":"inbox_full"}]}`, "0/1 refused_inbox_full", ""},
		"never seen":          {200, `{"results":[{"device":"a","status":"unknown"}]}`, "unknown_device", ""},
		"all, waited for":     {200, `{"results":[{"all":true,"status":"queued","receivers":10,"counts":{"written":8,"acknowledged":7,"queued":2}}]}`, "7/3", ""},
		"all of them":         {200, `{"results":[{"all":true,"status":"acknowledged","receivers":10,"counts":{"written":10,"acknowledged":10,"queued":0}}]}`, "10/0", ""},
		"all, not waited":     {200, `{"results":[{"all":true,"status":"queued","receivers":10}]}`, "0/10", ""},
		"nobody is there":     {200, `{"results":[{"all":true,"status":"offline"}]}`, "0/1", ""},
		"more than there are": {200, `{"results":[{"all":true,"status":"acknowledged","receivers":2,"counts":{"acknowledged":99}}]}`, "2/0", ""},
		"busy":                {503, `{"title":"the store is full"}`, "", "HTTP 503: the store is full"},
		"nothing":             {200, `{"results":[]}`, "", "make no sense"},
		"cut":                 {200, `{"results":[{"device":"a","status":"queued"},{"dev`, "0/1", "make no sense"},
		"something else":      {200, `<html>`, "", "is it a roost?"},
		"no status":           {200, `{"results":[{"device":"a"},7]}`, "_ _", ""},
	} {
		var got []string
		err := d.Receipts(c.status, []byte(c.body), func(i int, r Receipt) {
			if i != len(got) {
				t.Errorf("%s: message %d is told of behind %d", name, i, len(got))
			}
			var refused *RefusedError
			if errors.As(r.Err, &refused) {
				got = append(got, strings.ReplaceAll(refused.Reason, " ", "_"))
				return
			}
			got = append(got, fmt.Sprintf("%d/%d", r.Acknowledged, r.Unacknowledged))
		})
		if strings.Join(got, " ") != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestRoostBatch: a request of several messages is a line for each.
func TestRoostBatch(t *testing.T) {
	d := mustNew(t, "roost", Config{API: "http://127.0.0.1:1/x"}).(Batcher)
	var q HTTPRequest
	b := d.AppendBatch(nil, &Message{To: "device", Name: "a", ID: []byte("1"), Class: "kept", TTL: time.Minute, Wait: 1500 * time.Millisecond, Payload: []byte("one")}, &q)
	b = d.AppendBatch(b, &Message{To: "all", Class: "live", Payload: []byte("two")}, &q)
	const want = `{"device":"a","class":"kept","id":"1","ttl":60,"wait":1.5,"payload":"one"}` + "\n" + `{"all":true,"class":"live","payload":"two"}` + "\n"
	if string(b) != want || string(q.Body) != want || q.ContentType != "application/x-ndjson" || q.Path != "/x/v1/publish" {
		t.Errorf("%s\n%+v", b, q)
	}
}
