package dialect

import (
	"bytes"
	"testing"
	"time"

	"roost/server/ws"
)

// FuzzMessage: whatever a server says, a dialect neither panics nor says
// anything behind Fail, and a connection is greeted once at most. Messages are
// separated by byte 0xff; those behind a Fail go to the next connection. The
// first byte chooses the dialect, and whether the client resumes.
func FuzzMessage(f *testing.F) {
	seeds := map[byte][]string{
		0: {`{"id":1,"connect":{"ping":25,"pong":true}}`, `{"id":2,"subscribe":{}}` + "\n" + `{"id":3,"subscribe":{}}` + "\n" +
			`{"id":4,"subscribe":{}}`, `{"push":{"channel":"all","pub":{"data":"x"}}}`, `{}`, `{"id":1000000000,"error":{"code":1,"message":"m"}}`},
		1: {"\x20\x02\x00\x00", "\x90\x05\x00\x01\x01\x01\x01", "\x30\x0a\x00\x03allhello", "\x32\x0a\x00\x01a\x00", "\x07hello", "\xd0\x00", "\x40\x02\x00\x01"},
		2: {"one", "two"},
		3: {`{"t":"welcome","sid":"0123456789abcdef","epoch":"k9","seq":0,"acked":0,"resumed":true,"hb":55000,"win":2}`, `{"t":"res","r":1,"ok":true}`,
			`{"t":"msg","seq":1,"id":"a","p":"x"}`, `{"t":"msg","p64":"eA=="}`, `{"t":"away","code":4001,"in":0}`, `{"t":"skip","to":9,"why":"ttl"}`, `{"t":"hb","spread":1}`},
		4: {`0{"pingInterval":25000,"pingTimeout":20000}`, `40{"sid":"x"}`, `431[]`, `42["msg","x"]`, `427["msg","x",{}]`, `2`, `41`, `44{"message":"m"}`},
	}
	for kind, messages := range seeds {
		for _, flags := range []byte{0, 8} {
			data := []byte{kind | flags}
			for _, m := range messages {
				data = append(append(data, m...), 0xff)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		name := Names()[int(data[0]&7)%len(Names())]
		d := mustNew(t, name, Config{Clients: 1, Name: deviceName, Resume: data[0]&8 != 0, Seed: 1,
			Topics: func(uint32) []string { return []string{"one"} }})
		p := player{t: t, d: d, now: time.Hour}
		p.dial()
		for m := range bytes.SplitSeq(data[1:], []byte{0xff}) {
			p.message(m)
		}
	})
}

// player is an engine for one client.
type player struct {
	t   *testing.T
	d   Dialect
	n   *notes
	c   uint8
	now time.Duration
}

func (p *player) dial() {
	p.c++
	p.n = new(notes)
	var r ws.ClientRequest
	p.d.Request(0, p.c, p.now, &r)
	p.d.Opened(0, p.c, p.now, p.n)
}

// message gives one to the dialect, as text or binary by turns where it is
// either, and lets some time pass.
func (p *player) message(m []byte) {
	op := ws.OpText
	if _, binary := p.d.(*mqtt); binary || len(m)%13 == 12 {
		op = ws.OpBinary
	}
	p.d.Message(0, p.c, p.now, op, bytes.Clone(m), p.n)
	p.now += time.Duration(len(m)) * time.Second
	if at := p.d.Deadline(0); at != 0 && at <= p.now && !p.n.over {
		p.d.Time(0, p.c, p.now, p.n)
		if again := p.d.Deadline(0); again != 0 && again <= p.now && !p.n.over {
			// What is said at once may be two things; it must come to an end.
			p.d.Time(0, p.c, p.now, p.n)
			if again = p.d.Deadline(0); again != 0 && again <= p.now && !p.n.over {
				p.t.Fatalf("Time leaves something to do at %v, now %v: the loop would spin\n%q", again, p.now, p.n.lines)
			}
		}
	}
	if p.n.after > 0 || p.n.ready > 1 {
		p.t.Fatalf("%d calls behind Fail, ready %d times: %q", p.n.after, p.n.ready, p.n.lines)
	}
	if p.n.over {
		if wait := p.d.Closed(0, p.c, p.now, End{Greeted: p.n.ready > 0}); wait < -1 {
			p.t.Fatalf("wait %v", wait)
		}
		if at := p.d.Deadline(0); at != 0 {
			p.t.Fatalf("deadline %v without a connection", at)
		}
		p.dial()
	}
}

// FuzzAnswer: whatever an API answers, it is accepted or refused with words.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"results":[{"device":"d","status":"written"}]}`, `{"results":[{"status":"refused","reason":"rate"}]}`,
		`{"title":"Not valid"}`, `{"result":{}}`, `{"error":{"code":1,"message":"m"}}`, ``} {
		f.Add(200, []byte(body))
		f.Add(503, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, name := range Names() {
			d := mustNew(t, name, Config{API: "http://127.0.0.1:1"})
			if err := d.Answer(status, body); err != nil && len(err.Error()) > 2*maxReason {
				t.Errorf("%s: %d bytes of error", name, len(err.Error()))
			}
		}
	})
}

func TestRoostAnswers(t *testing.T) {
	d := mustNew(t, "roost", Config{API: "http://127.0.0.1:1"})
	for body, want := range map[string]string{
		`{"results":[{"device":"d1","status":"written","seq":7}]}`:                                "",
		`{"results":[{"device":"d1","status":"offline","seq":12}]}` + "\n":                        "",
		`{ "other" : [1] , "results" : [ { "status" : "queued" } , {"status":"acknowledged"} ] }`: "",
		`{"results":[{"topic":"t","status":"offline"}]}`:                                          "",
		`{"results":[{"status":"written"},{"status":"unknown"}]}`:                                 "publish: HTTP 200: unknown device",
		`{"results":[{"status":"refused","reason":"inbox_full"}]}`:                                "publish: HTTP 200: refused inbox_full",
		`{"results":[]}`:                   "publish: HTTP 200: the answer's results make no sense: is it a roost?",
		`{"results":[{"status":"written"}`: "publish: HTTP 200: the answer's results make no sense: is it a roost?",
		`{"sent":3}`:                       "publish: HTTP 200: the answer has no results: is it a roost?",
		``:                                 "publish: HTTP 200: the answer has no results: is it a roost?",
	} {
		got := ""
		if err := d.Answer(200, []byte(body)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if err := d.Answer(503, []byte(`{"title":"Overloaded","status":503}`)); err == nil || err.Error() != "publish: HTTP 503: Overloaded" {
		t.Error(err)
	}
}

func TestCentrifugoAnswers(t *testing.T) {
	d := mustNew(t, "centrifugo", Config{API: "http://127.0.0.1:1"})
	for body, want := range map[string]string{
		`{"result":{"offset":1,"epoch":"x"}}`:            "",
		`{"error":null,"result":{}}`:                     "",
		`{"error":{"code":107,"message":"bad request"}}`: "publish: HTTP 200: 107 bad request",
		`<html>`: "publish: HTTP 200: the answer makes no sense: is it a Centrifugo?",
	} {
		got := ""
		if err := d.Answer(200, []byte(body)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if err := d.Answer(401, nil); err == nil || err.Error() != "publish: HTTP 401" {
		t.Error(err)
	}
}
