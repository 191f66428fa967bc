package jsonscan

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// encoding/json is the slow twin of everything here. It goes 10,000 levels deep.
const oracleDepth = 10_000

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check compares all that can be done with one text with encoding/json.
func check(t failer, data []byte) {
	t.Helper()
	before := bytes.Clone(data)
	s := Scanner{Data: data, Depth: oracleDepth}
	err := s.Value()
	taken := err == nil && s.Done()
	if valid := json.Valid(data); taken != valid {
		t.Fatalf("%q: taken %v (%v), encoding/json: %v", data, taken, err, valid)
	}
	if err != nil && (err.At < 0 || err.At > len(data) || (err.Got == "the end") != (err.At == len(data)) || err.Deep) {
		t.Fatalf("%q: error %+v", data, err)
	}
	if s.At > len(data) {
		t.Fatalf("%q: at %d", data, s.At)
	}
	checkTyped(t, data)
	if !bytes.Equal(data, before) {
		t.Fatalf("%q was changed to %q", before, data)
	}
	if !taken {
		return
	}
	var want bytes.Buffer
	if err := json.Compact(&want, data); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	got := bytes.Clone(data)
	if s.Spaced {
		got = Compact(got)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%q: compact %q, want %q (spaced %v)", data, got, want.Bytes(), s.Spaced)
	}
}

// checkTyped compares what each type reads. Where our method takes the
// beginning of data alone, that is what encoding/json is asked about.
func checkTyped(t failer, data []byte) {
	t.Helper()
	first := data
	for len(first) > 0 && strings.IndexByte(" \t\r\n", first[0]) >= 0 {
		first = first[1:]
	}
	null := bytes.HasPrefix(first, []byte("null")) // encoding/json reads it as any type
	var (
		s       = Scanner{Data: data}
		wantS   string
		wantN   uint64
		wantF   json.Number
		wantB   bool
		decodes = func(to any) bool { return !null && json.Unmarshal(data, to) == nil }
	)
	text, err := s.Text()
	if got := err == nil && s.Done(); got != decodes(&wantS) {
		t.Fatalf("%q: Text %q, %v", data, text, err)
	} else if got && !sameText(text, wantS, bytes.IndexByte(data, '\\') >= 0) {
		t.Fatalf("%q: Text %q, want %q", data, text, wantS)
	} else if got && !bytes.Equal(Unquote(bytes.Trim(data, " \t\r\n")), text) {
		t.Fatalf("%q: Unquote %q, Text %q", data, Unquote(bytes.Trim(data, " \t\r\n")), text)
	}
	s = Scanner{Data: data}
	n, err := s.Uint()
	if got := err == nil && s.Done(); got != decodes(&wantN) || got && n != wantN {
		t.Fatalf("%q: Uint %d, %v, want %d", data, n, err, wantN)
	}
	s = Scanner{Data: data}
	b, err := s.Bool()
	if got := err == nil && s.Done(); got != decodes(&wantB) || got && b != wantB {
		t.Fatalf("%q: Bool %v, %v, want %v", data, b, err, wantB)
	}
	s = Scanner{Data: data}
	f, err := s.Number()
	isNumber := len(first) > 0 && first[0] != '"' && decodes(&wantF)
	want, _ := strconv.ParseFloat(string(wantF), 64)
	if got := err == nil && s.Done(); got != isNumber || got && f != want || math.IsNaN(f) {
		t.Fatalf("%q: Number %v, %v, want %q", data, f, err, wantF)
	}
}

// sameText: encoding/json makes U+FFFD of each byte that is not UTF-8; without
// escapes it stays as it is here.
func sameText(got []byte, want string, escaped bool) bool {
	if escaped {
		return string(got) == want
	}
	return string([]rune(string(got))) == want
}

// seeds are texts with everything that JSON has, whole and broken.
var seeds = []string{
	``, ` `, `{}`, `[]`, `null`, ` true`, "false\n", `nul`, `"`, `""`, `"\`, `"\u12`, "\x00", "\ufeff1", "\xff",
	`{"t":"hb","seq":1043}`, `{"t":"up","ch":"a","p":[1e5,"\u00e9",{"k":-0.1}]}`,
	`{"device":"d1","payload":{"a":1, "b" : "c d\\\" "}}`, `{"topic":"t","payload":"\ud800\udc00 \ud800"}`,
	`{"devices":["a","b"],"ttl":6e1,"class":"kept","payload":null,"id":null,"pace":1}`,
	"\"a control character\x1f\"", "\"delete \x7f é \xe9\"", `"eight by""te"`, `"1234567"`, `"12345678"`, `"1234567\n12345678\""`,
	`0`, `-0`, `00`, `-`, `1.`, `.5`, `1e`, `1e+`, `-1.5E-07`, `1e999`, `-1e999`, `1_0`, `0x1`, `+1`,
	`18446744073709551615`, `18446744073709551616`, `99999999999999999999999`, `1844674407370955161`, `[[[[[[[[]]]]]]]]`, `[1,]`, `{"a":1,}`, `{"a" 1}`,
}

// FuzzScanner: the same texts are taken as by encoding/json, and mean the same.
func FuzzScanner(f *testing.F) {
	for _, text := range seeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, data) })
}

// drawJSON draws a JSON value with at most so many levels, written by hand: with
// white space and escapes where they may be.
func drawJSON(t *rapid.T, levels int) string {
	space := func() string { return rapid.SampledFrom([]string{"", "", "", " ", "\t\r\n"}).Draw(t, "space") }
	text := func() string {
		pieces := []string{"", "a", "longer than a word ", `\"`, `\\`, `\n`, `\u00e9`, `\ud83d\ude00`, `\ud83d`, "é", "\x7f", ",", "}", "/"}
		return `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, "text"), "") + `"`
	}
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if levels == 0 {
		kind %= 4
	}
	n := rapid.IntRange(0, 3)
	switch kind {
	case 0:
		return space() + text() + space()
	case 1:
		return space() + rapid.SampledFrom([]string{"0", "-0", "7", "18446744073709551615", "-1.50", "2e9", "1E-3", "1e400"}).Draw(t, "number") + space()
	case 2, 3:
		return space() + rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "word") + space()
	}
	var items []string
	for range n.Draw(t, "items") {
		item := drawJSON(t, levels-1)
		if kind == 4 {
			item = space() + text() + space() + ":" + item
		}
		items = append(items, item)
	}
	inside := space()
	if len(items) > 0 {
		inside = strings.Join(items, ",")
	}
	if kind == 4 {
		return space() + "{" + inside + "}" + space()
	}
	return space() + "[" + inside + "]" + space()
}

// TestOracle: JSON, and the same with one byte put elsewhere, left out, or
// changed.
func TestOracle(t *testing.T) {
	for _, text := range seeds {
		check(t, []byte(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(drawJSON(t, 3))
		if !json.Valid(data) {
			t.Fatalf("%q was to be JSON", data)
		}
		check(t, data)
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		odd := rapid.SampledFrom([]byte("{}[],:\"\\ \n\x00\x1f\x7f\xff019-+.eEtfnu")).Draw(t, "odd")
		cut := append(bytes.Clone(data[:at]), data[at+1:]...)
		check(t, cut)
		check(t, data[:at])
		check(t, append(append(bytes.Clone(data[:at]), odd), data[at:]...))
		data[at] = odd
		check(t, data)
	})
}

// TestPlain: each byte at each place of a string, one by one and by eights.
func TestPlain(t *testing.T) {
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				for _, fill := range []byte{'a', 0x80, 0xff, '!', '#', '[', ']', ' '} {
					b := bytes.Repeat([]byte{fill}, size)
					b[at] = byte(c)
					if at+1 < size {
						b[at+1] = byte(c) ^ 1 // what may be wrong behind the first
					}
					want := 0
					for want < size && b[want] >= ' ' && b[want] != '"' && b[want] != '\\' {
						want++
					}
					if got := plain(b); got != want {
						t.Fatalf("%q: %d, want %d", b, got, want)
					}
				}
			}
		}
	}
}

func BenchmarkValue(b *testing.B) {
	for name, text := range map[string]string{
		"heartbeat": `{"t":"hb","seq":1043}`,
		"publish":   `{"device":"meter-00000001","id":"0196f2c4-7d1e-7c3a-000000000001","ttl":3600,"payload":{"cmd":"set","key":"interval","value":1,"at":"2026-11-22T08:00:00Z"}}`,
		"spaced":    "{\n  \"a\": [\n    1,\n    \"b\"\n  ]\n}",
		"long":      `"` + strings.Repeat("text ", 800) + `"`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			data := []byte(text)
			for b.Loop() {
				s := Scanner{Data: data, Depth: 64}
				if err := s.Value(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
