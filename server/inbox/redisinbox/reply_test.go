package redisinbox

import (
	"bytes"
	"testing"

	"roost/server/inbox"
)

func TestItems(t *testing.T) {
	m := inbox.Message{TTL: 60, ID: []byte("a"), Channel: []byte("fw"), Payload: []byte(`{"x":1}`)}
	b := appendItem(nil, 7, 9, &m)
	it, err := parseItem(string(b))
	if err != nil || it.body != "" {
		t.Fatalf("%+v %v", it, err)
	}
	var got inbox.Message
	if err := got.ParseContent([]byte(it.content)); err != nil || !bytes.Equal(got.Payload, m.Payload) || got.TTL != 60 || string(got.Channel) != "fw" {
		t.Errorf("%+v %v", got, err)
	}
	if len(b) != 9+m.ContentSize() {
		t.Errorf("%d bytes, the scripts take it for %d", len(b), 9+m.ContentSize())
	}
	if it, err := parseItem(string(appendShared(nil, 7, 9, 100, "n1"))); err != nil || it.body != "n1" || it.content != "" {
		t.Errorf("%+v %v", it, err)
	}
	for _, bad := range []string{"", "m", "mxxxxyyyy", "sxxxxyyyyzzzz", "?xxxxyyyyzzzz123"} {
		if it, err := parseItem(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, it)
		}
	}
}

// FuzzItem: whatever lies in a list, reading it is an error or an item.
func FuzzItem(f *testing.F) {
	f.Add(string(appendItem(nil, 7, 9, &inbox.Message{TTL: 1, Payload: []byte("x")})))
	f.Add(string(appendShared(nil, 7, 9, 100, "n1")))
	f.Fuzz(func(t *testing.T, b string) {
		it, err := parseItem(b)
		if err != nil {
			return
		}
		if (it.content == "") == (it.body == "") {
			t.Fatalf("%q is %+v", b, it)
		}
		var m inbox.Message
		_ = m.ParseContent([]byte(it.content))
	})
}

// FuzzReplies: whatever a script answers, no parser panics, and what is short is an error.
func FuzzReplies(f *testing.F) {
	f.Add("duplicate", []byte{1, 8, 0, 1, 2, 3, 1})
	f.Add("\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01\x041z.1", []byte{0, 0, 0, 0, 1, 1, 'n', '1'})
	f.Add("open", []byte{1, 0, 1, 1, 1, 1, 2, 1, 1, 3, 4, 4})
	f.Add("is", []byte{1, 2, 1, 1, 4})
	f.Add("acked", []byte{1, 1, 4})
	f.Fuzz(func(t *testing.T, word string, shape []byte) {
		if len(shape) > 64 {
			return
		}
		list := []any{word}
		for _, b := range shape {
			var v any
			switch b % 7 {
			case 0:
				v = "1z.1"
			case 1:
				v = int64(b)
			case 2:
				v = "abcd"
			case 3:
				v = "1"
			case 4:
				v = []any{"x", "y"}
			case 5:
				v = int64(-1)
			case 6:
				v = nil
			}
			list = append(list, v)
		}
		for _, v := range []any{list, word, nil, []any{}, []any{list}, []any{list, "", []any{}}, []any{word, string(shape), []any{int64(1)}}, []any{string(shape), word, []any{nil}}} {
			_, _ = parsePuts(v, 1)
			_, _ = parseOpen(v)
			_, _ = parseAck(v)
			_, _ = parseFetch(v, true)
			_, _ = parseFetch(v, false)
			_, _ = parseInfo(v)
		}
		var p putReply
		if p.parse(list[:1]); p.err == nil && (p.verdict == inbox.Stored || p.verdict == inbox.Duplicate) {
			t.Fatalf("nothing behind %q is %+v", word, p)
		}
	})
}

// TestPutReply: what is said of a message that is stored, and who has taken its notice; what is cut is an error.
func TestPutReply(t *testing.T) {
	numbers, rest := "\x01\x02\x03\x04\x05\x06\xff\x00\x00\x01\x0a\x0b\x0c\x0d\x041z.1", "\x00\x00\x00\x09\x01\x02n1:7"
	for _, row := range []struct {
		took any
		told int
	}{{[]any{int64(5), int64(3)}, 4}, {[]any{int64(5), int64(0)}, 1}, {[]any{int64(5), int64(-1)}, 0}, {[]any{int64(5)}, 0}} {
		all, err := parsePuts([]any{numbers, rest, row.took}, 1)
		if err != nil || all[0].err != nil {
			t.Fatal(err, all)
		}
		p := all[0]
		if p.verdict != inbox.Stored || p.seq != 0x010203040506 || p.fence != 0xff000001 || p.before != 0x0a0b0c0d || p.epoch.String() != "1z.1" || p.gone != 9 || !p.indexed || p.owner != "n1:7" || p.told != row.told {
			t.Errorf("%v: %+v, want %d told", row.took, p, row.told)
		}
	}
	for i := range numbers {
		if all, err := parsePuts([]any{numbers[:i], rest, []any{}}, 1); err != nil || all[0].err == nil {
			t.Errorf("%d bytes of numbers: %+v %v", i, all, err)
		}
	}
	if all, err := parsePuts([]any{numbers, rest[:5], []any{}}, 1); err != nil || all[0].err == nil {
		t.Errorf("five bytes behind: %+v %v", all, err)
	}
	for _, bad := range []any{nil, []any{}, []any{numbers, rest}, []any{numbers, rest, "x"}} {
		if _, err := parsePuts(bad, 1); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
