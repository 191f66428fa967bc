package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// benchNode answers at once, without memory of its own.
type benchNode struct {
	Node
	results []Result
}

func (n *benchNode) Publish(_ context.Context, ps []*Publication) ([]Result, error) {
	for i, p := range ps {
		n.results[i] = Result{Device: p.Devices[0], Status: StatusWritten, Seq: 1_000_000}
	}
	return n.results[:len(ps)], nil
}

func (*benchNode) RingMark() *RingMark { return nil }

// benchLine is a kept push as the measured loads have it: 200 bytes.
func benchLine(i int) string {
	return fmt.Sprintf(`{"device":"meter-%08d","id":"0196f2c4-7d1e-7c3a-%012d","ttl":3600,"payload":{"cmd":"set","key":"interval","value":%d,"at":"2026-11-22T08:00:00Z","text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}`, i, i, i)
}

func benchLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(benchLine(i) + "\n")
	}
	return b.Bytes()
}

// discard is a ResponseWriter for which nothing is done.
type discard struct{ head http.Header }

func (d discard) Header() http.Header         { return d.head }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// publisher returns a function that publishes a body of n messages, without
// net/http's share.
func publisher(typ string, n int) func() {
	h := NewHandler(&benchNode{results: make([]Result, n)}, nil)
	body := benchLines(n)
	r := httptest.NewRequest(http.MethodPost, "/v1/publish", nil)
	r.Header.Set("Content-Type", typ)
	r.ContentLength = int64(len(body))
	in, w := bytes.NewReader(nil), discard{http.Header{}}
	r.Body = io.NopCloser(in)
	return func() {
		in.Reset(body)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkPublishSingle(b *testing.B)   { benchPublish(b, "application/json", 1) }
func BenchmarkPublishBatch100(b *testing.B) { benchPublish(b, "application/x-ndjson", 100) }

func benchPublish(b *testing.B, typ string, n int) {
	f := publisher(typ, n)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
}

// BenchmarkPublishSocket has net/http's share too: a client and the server on
// loopback, one connection.
func BenchmarkPublishSocket(b *testing.B) {
	for name, n := range map[string]int{"single": 1, "batch100": 100} {
		b.Run(name, func(b *testing.B) {
			srv := httptest.NewServer(NewHandler(&benchNode{results: make([]Result, n)}, nil))
			defer srv.Close()
			body := benchLines(n)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := srv.Client().Post(srv.URL+"/v1/publish", "application/x-ndjson", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
		})
	}
}

// BenchmarkRequest is one request read by our scanner and by encoding/json.
func BenchmarkRequest(b *testing.B) {
	body := []byte(benchLine(1))
	b.Run("scanner", func(b *testing.B) {
		b.ReportAllocs()
		var q request
		for b.Loop() {
			if bad := q.parse(body); bad != nil {
				b.Fatal(bad)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var q struct {
				Device  *string         `json:"device"`
				ID      string          `json:"id"`
				TTL     *float64        `json:"ttl"`
				Payload json.RawMessage `json:"payload"`
			}
			dec := json.NewDecoder(bytes.NewReader(body))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
