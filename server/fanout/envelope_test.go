package fanout

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// full is an envelope with every field set.
func full() *Envelope {
	return &Envelope{
		Kind: KindForward, Hop: 2, Class: 3, Raw: true, Code: 4002, Part: 7, TTL: 86400, Wait: 30000, Tag: 1<<32 - 2, Before: 1<<32 - 3,
		ID: 1<<63 + 5, Activation: 812, Seq: 1043, Fence: 12, Deadline: 1795795200123,
		Origin: []byte("n1"), Device: []byte("dev-123"), Epoch: []byte("k9"), Channel: []byte("fw/eu"), MessageID: []byte("01J"),
		Trace: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Payload: []byte(`{"on":true}`),
	}
}

func TestEveryFieldIsCarried(t *testing.T) {
	e := full()
	v := reflect.ValueOf(*e)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("full() leaves %s out: give it a value", v.Type().Field(i).Name)
		}
	}
	b, err := e.Append([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	var got Envelope
	if err := got.Decode(b[len("before"):]); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, e) {
		t.Errorf("decoded:\n%+v\nwant\n%+v", got, *e)
	}
}

// TestGolden holds the bytes: another build must read them.
func TestGolden(t *testing.T) {
	const want = "\x01\x01\x02\x03\x02n1\x04\x05\x08\xac\x06\x11\x01d\x12\x09\x7f\x02{}"
	e := Envelope{Kind: KindForward, ID: 5, Activation: 812, Origin: []byte("n1"), Device: []byte("d"), Seq: 9, Payload: []byte("{}")}
	b, err := e.Append(nil)
	if err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
}

// TestGoldenNotice holds the fields that came later: a reader that does not know them skips them.
func TestGoldenNotice(t *testing.T) {
	const want = "\x01\x01\x06\x03\x02n1\x11\x01d\x12\x09\x26\xac\x02\x81\x04\x00\x00\x01\x2b"
	e := Envelope{Kind: KindNotice, Origin: []byte("n1"), Device: []byte("d"), Seq: 9, Tag: 300, Before: 299}
	b, err := e.Append(nil)
	if err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":               "",
		"no kind":               "\x01\x01\x00",
		"no version":            "\x00\x01\x02",
		"a short traceparent":   "\x01\x01\x02\x1d\x01t",
		"fields out of order":   "\x01\x01\x02\x04\x05\x03\x02n1",
		"a field twice":         "\x01\x01\x02\x04\x05\x04\x05",
		"hop 3":                 "\x01\x01\x02\x0a\x03",
		"a ttl of 33 bits":      "\x01\x01\x02\x18\x80\x80\x80\x80\x10",
		"a tag of 33 bits":      "\x01\x01\x06\x26\x80\x80\x80\x80\x10",
		"a number of 11 bytes":  "\x01\x01\x02\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a payload cut off":     "\x01\x01\x02\x7f\x05{}",
		"a name of 300 bytes":   "\x01\x01\x02\x03\xac\x02" + strings.Repeat("n", 300),
		"a tag without a value": "\x01\x01\x02\x04",
	} {
		var e Envelope
		if err := e.Decode([]byte(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLaterVersions(t *testing.T) {
	b, _ := full().Append(nil)
	b[0] = 9 // written by version 9, readable by this one
	b[2] = 77
	payload := bytes.Index(b, []byte{fieldPayload<<1 | 1})
	later := append([]byte{}, b[:payload]...)
	later = append(later, 40<<1, 0xff, 0x01) // a number that we do not know
	later = append(later, 41<<1|1, 2, 'x', 'y')
	later = append(later, b[payload:]...)
	var e Envelope
	if err := e.Decode(later); err != nil || e.Kind.Known() || string(e.Payload) != `{"on":true}` {
		t.Errorf("fields of later versions: %v, kind %v, payload %q", err, e.Kind, e.Payload)
	}
	b[1] = version + 1
	if err := e.Decode(b); !errors.Is(err, ErrNewer) {
		t.Errorf("an envelope that needs version %d: %v", version+1, err)
	}
}

func TestBounds(t *testing.T) {
	long := bytes.Repeat([]byte("x"), MaxName+1)
	for name, e := range map[string]*Envelope{
		"payload":     {Kind: KindLive, Payload: make([]byte, MaxPayload+1)},
		"device":      {Kind: KindLive, Device: long},
		"channel":     {Kind: KindLive, Channel: long},
		"message id":  {Kind: KindLive, MessageID: long},
		"epoch":       {Kind: KindLive, Epoch: long},
		"origin":      {Kind: KindLive, Origin: long},
		"hop":         {Kind: KindLive, Hop: MaxHop + 1},
		"traceparent": {Kind: KindLive, Trace: []byte("00")},
		"kind":        {},
	} {
		b, err := e.Append([]byte("x"))
		if err == nil || !strings.Contains(err.Error(), name) || string(b) != "x" {
			t.Errorf("%s out of bounds: %v, %d bytes", name, err, len(b))
		}
	}
	large := full()
	large.Payload = make([]byte, MaxPayload)
	for _, f := range []*[]byte{&large.Origin, &large.Device, &large.Epoch, &large.Channel, &large.MessageID} {
		*f = long[:MaxName]
	}
	b, err := large.Append(nil)
	if err != nil || len(b) > MaxEnvelope {
		t.Fatalf("the largest envelope: %d bytes, %v", len(b), err)
	}
	if err := new(Envelope).Decode(b); err != nil {
		t.Error(err)
	}
	if err := new(Envelope).Decode(make([]byte, MaxEnvelope+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
}

// TestCutsAreErrors decodes every beginning of an envelope: none is read as something
// else than a shorter one, and none crashes.
func TestCutsAreErrors(t *testing.T) {
	b, _ := full().Append(nil)
	whole := 0
	for n := range b {
		var e Envelope
		if err := e.Decode(b[:n]); err == nil {
			whole++ // cut between two fields
		} else if !errors.Is(err, ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if whole != 21 {
		t.Errorf("%d beginnings are whole, want one for each of the 21 fields", whole)
	}
}

// anyEnvelope draws one within the bounds.
func anyEnvelope(t *rapid.T) *Envelope {
	text := func(name string) []byte {
		b := []byte(rapid.StringN(0, -1, MaxName).Draw(t, name))
		if len(b) == 0 {
			return nil
		}
		return b
	}
	e := &Envelope{
		Kind: Kind(rapid.IntRange(1, 255).Draw(t, "kind")), Hop: uint8(rapid.IntRange(0, MaxHop).Draw(t, "hop")),
		Class: rapid.Uint8().Draw(t, "class"), Raw: rapid.Bool().Draw(t, "raw"), Code: rapid.Uint16().Draw(t, "code"),
		Part: rapid.Uint32().Draw(t, "part"), TTL: rapid.Uint32().Draw(t, "ttl"), Wait: rapid.Uint32().Draw(t, "wait"),
		Tag: rapid.Uint32().Draw(t, "tag"),
		ID:  rapid.Uint64().Draw(t, "id"), Activation: rapid.Uint64().Draw(t, "activation"), Seq: rapid.Uint64().Draw(t, "seq"),
		Fence: rapid.Uint64().Draw(t, "fence"), Deadline: rapid.Int64().Draw(t, "deadline"),
		Origin: text("origin"), Device: text("device"), Epoch: text("epoch"), Channel: text("channel"), MessageID: text("message id"),
	}
	if rapid.Bool().Draw(t, "traced") {
		e.Trace = full().Trace
	}
	if b := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "payload"); len(b) > 0 {
		e.Payload = b
	}
	return e
}

func TestRoundTripOfAnyEnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEnvelope(t)
		b, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got Envelope
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, e) {
			t.Fatalf("decoded:\n%+v\nwant\n%+v", got, *e)
		}
		if kind, origin := peek(string(b)); kind != e.Kind || origin != string(e.Origin) {
			t.Fatalf("peek: %v of %q, want %v of %q", kind, origin, e.Kind, e.Origin)
		}
	})
}

// FuzzDecode: what decodes is within its bounds, and written anew means the same.
func FuzzDecode(f *testing.F) {
	b, _ := full().Append(nil)
	f.Add(b)
	f.Add([]byte{1, 1, 3})
	f.Add([]byte{1, 1, 3, fieldPayload<<1 | 1, 0xff, 0xff, 0x7f})
	f.Add([]byte{2, 2, 3})
	f.Add([]byte{1, 1, 6, fieldTag << 1, 0x80, 0x80, 0x80, 0x80, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again Envelope
		if e.Decode(b) != nil {
			return
		}
		w, err := e.Append(nil)
		if err != nil {
			t.Fatalf("decoded, but not to be encoded: %v", err)
		}
		if err := again.Decode(w); err != nil {
			t.Fatal(err)
		}
		w2, _ := again.Append(nil)
		if !bytes.Equal(w, w2) {
			t.Fatalf("%x\n%x", w, w2)
		}
		if kind, origin := peek(string(b)); kind != e.Kind || len(e.Origin) > 0 && origin != string(e.Origin) && b[header] == fieldOrigin<<1|1 && minimal(b) {
			t.Fatalf("peek: %v of %q, decoded %v of %q", kind, origin, e.Kind, e.Origin)
		}
	})
}

// minimal reports whether the first length is written in as few bytes as it can be; peek reads no others.
func minimal(b []byte) bool {
	n := b[header+1]
	return n < 0x80 || b[header+2] < 0x80 && b[header+2] != 0
}

func TestResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Result
		var b []byte
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			r := Result{
				ID: rapid.Uint64().Draw(t, "id"), Part: rapid.Uint32().Draw(t, "part"), Status: uint8(rapid.IntRange(1, 255).Draw(t, "status")),
				Reason: rapid.Uint8().Draw(t, "reason"), Seq: rapid.Uint64().Draw(t, "seq"),
			}
			want, b = append(want, r), AppendResult(b, r)
		}
		whole := b
		for _, w := range want {
			var r Result
			var err error
			if r, b, err = NextResult(b); err != nil || r != w {
				t.Fatalf("%+v, %v; want %+v", r, err, w)
			}
		}
		if len(b) != 0 {
			t.Fatalf("%d bytes are left", len(b))
		}
		if len(want) == 1 {
			for n := range whole {
				if _, _, err := NextResult(whole[:n]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("the first %d bytes of %x: %v", n, whole, err)
				}
			}
		}
	})
}

func FuzzNextResult(f *testing.F) {
	f.Add(AppendResult(nil, Result{ID: 1 << 50, Part: 3, Status: 1, Reason: 2, Seq: 9}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			r, rest, err := NextResult(b)
			if err != nil {
				return
			}
			if r.Status == 0 || len(rest) >= len(b) {
				t.Fatalf("%+v of %x", r, b)
			}
			b = rest
		}
	})
}
