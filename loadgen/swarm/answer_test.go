package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/scenario"
)

// TestDropEndsWhereTheBodyDoes, however it is cut.
func TestDropEndsWhereTheBodyDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body bytes.Buffer
		d := drop{chunked: rapid.Bool().Draw(t, "chunked")}
		if d.chunked {
			for _, n := range rapid.SliceOfN(rapid.IntRange(1, 3000), 1, 5).Draw(t, "chunks") {
				fmt.Fprintf(&body, "%x;x=y\r\n%s\r\n", n, strings.Repeat("z", n))
			}
			body.WriteString("0\r\n" + rapid.SampledFrom([]string{"", "A: b\r\n"}).Draw(t, "trailer") + "\r\n")
		} else {
			d.left = rapid.IntRange(1, 9000).Draw(t, "length")
			body.WriteString(strings.Repeat("z", d.left))
		}
		all := append(body.Bytes(), "HTTP/1.1"...) // the next answer
		taken, done := 0, false
		for end := 0; !done; {
			if end == len(all) {
				t.Fatalf("no end after %d of %d", taken, body.Len())
			}
			end = min(end+rapid.IntRange(1, 4000).Draw(t, "read"), len(all))
			n, is, err := d.take(all[taken:end])
			if err != nil {
				t.Fatal(err)
			}
			taken, done = taken+n, is
		}
		if taken != body.Len() {
			t.Fatalf("%d taken of %d", taken, body.Len())
		}
	})
	if _, _, err := (&drop{chunked: true}).take([]byte("no size\r\n")); !errors.Is(err, errAnswer) {
		t.Errorf("%v", err)
	}
}

// before puts a handler before that of a fake: what it returns is the whole answer.
func (f *fake) before(t *testing.T, answer func(w http.ResponseWriter, accepted bool)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := http.Post(f.api.URL+r.URL.Path, "text/plain", r.Body)
		if err == nil {
			_, _ = io.Copy(io.Discard, got.Body)
			got.Body.Close()
		}
		answer(w, err == nil && got.StatusCode == 200)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s.URL
}

// TestLongAnswersAreAccepted by their status, with a length and in chunks.
func TestLongAnswersAreAccepted(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, accepted bool){
		"length": func(w http.ResponseWriter, _ bool) {
			w.Header().Set("Content-Length", "300000")
			_, _ = w.Write(bytes.Repeat([]byte("x"), 300_000))
		},
		"chunks": func(w http.ResponseWriter, _ bool) {
			for range 10 {
				_, _ = w.Write(bytes.Repeat([]byte("x"), 30_000))
				w.(http.Flusher).Flush()
			}
		},
		"refusal": func(w http.ResponseWriter, _ bool) {
			w.WriteHeader(500)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 300_000))
		},
	} {
		f := newFake(t, &fake{})
		s := f.plain(3, ramp(3), publish(scenario.ToAll, 100, 200*time.Millisecond))
		s.Target.APIs = []string{f.before(t, answer)}
		r := newRig(t, s, 1)
		r.run(0)
		c := r.run(1)
		if name == "refusal" {
			if c.Refused != 20 || c.Unknown != 0 {
				t.Errorf("%s: %+v", name, c)
			}
		} else if c.Refused+c.Unknown != 0 || c.Delivered != 60 {
			t.Errorf("%s: %+v\n%v", name, c, r.sum.Errors)
		}
	}
}

// TestAPIThatClosesAfterEachAnswer, without a word of it in the answer: nothing is
// sent on a connection that it has closed.
func TestAPIThatClosesAfterEachAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if n, err := c.Read(make([]byte, 64<<10)); n > 0 && err == nil {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	f := newFake(t, &fake{})
	s := f.plain(1, ramp(1), publish(scenario.ToAll, 100, 300*time.Millisecond))
	s.Target.APIs = []string{"http://" + ln.Addr().String()}
	r := newRig(t, s, 1)
	r.run(0)
	if c := r.run(1); c.Sent != 30 || c.Refused != 0 || c.Unknown != 0 {
		t.Errorf("%+v\n%v", c, r.sum.Errors)
	}
}
