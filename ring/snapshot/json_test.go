package snapshot

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"roost/ring"
)

// goodJSON returns the JSON form that tests break, of a ring with odd names and
// numbers.
func goodJSON(t *testing.T) string {
	s := &Snapshot{
		Definition: ring.Definition{Version: math.MaxUint64, PointsPerUnit: 40, TableBits: 10, Nodes: []ring.Member{
			{Node: ring.Node{ID: "a\ufffd", Weight: 1}, Points: 3},
			{Node: ring.Node{ID: "b", Addr: "h:1", Zone: "z", Weight: 0.5, Capacity: 20}, Points: 20},
			{Node: ring.Node{ID: `c\ud800`}}, // a backslash and letters, written c\\ud800
		}},
		Sections: []Section{{Tag: 3, Data: []byte("x")}, {Tag: 4, Data: []byte{}}},
	}
	b, err := s.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := DecodeJSON(b); err != nil || !again.Equal(s) {
		t.Fatalf("%s: read as %+v, %v", b, again, err)
	}
	return string(b)
}

// TestJSONLayouts: order of keys, space, escapes and spellings of a number are
// free.
func TestJSONLayouts(t *testing.T) {
	good := goodJSON(t)
	want, _ := DecodeJSON([]byte(good))
	version := `"version":18446744073709551615,`
	for name, text := range map[string]string{
		"another order":   strings.Replace(strings.Replace(good, version, "", 1), `"hash"`, version+`"hash"`, 1),
		"order in a node": strings.Replace(good, `"id":"b","addr":"h:1"`, `"addr":"h:1","id":"b"`, 1),
		"space":           " \t\r\n" + strings.ReplaceAll(strings.ReplaceAll(good, ",", " ,\t"), ":", "\r\n: ") + "\r\n \t",
		"exponent":        strings.Replace(good, "0.5", "5.0000e-1", 1),
		"escape":          strings.Replace(good, `"id":"b"`, `"\u0069d":"\u0062"`, 1),
		"a character":     strings.Replace(good, "\ufffd", `\ufffd`, 1),
	} {
		if name == "space" {
			text = strings.Replace(text, "h\r\n: 1", "h:1", 1)
		}
		if s, err := DecodeJSON([]byte(text)); text == good || err != nil || !s.Equal(want) {
			t.Errorf("%s: %s: %v", name, text, err)
		}
	}
	pair := strings.Replace(good, "a\ufffd", `a\ud83d\ude00`, 1)
	if _, err := DecodeJSON([]byte(pair)); !isCode(err, BadHash) { // read, but another ring
		t.Errorf("a whole surrogate pair: %v", err)
	}
}

func isCode(err error, code Code) bool {
	bad := (*Error)(nil)
	return errors.As(err, &bad) && bad.Code == code
}

// TestJSONRefused: the code, and that nothing is read otherwise than others would.
func TestJSONRefused(t *testing.T) {
	good := goodJSON(t)
	for name, test := range jsonFaults(good, func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}) {
		if s, err := DecodeJSON([]byte(test.text)); !isCode(err, test.code) || s != nil {
			t.Errorf("%s: %v, want %v", name, err, test.code)
		}
	}
}

type badJSON struct {
	text string
	code Code
}

func jsonFaults(good string, edit func(old, new string) string) map[string]badJSON {
	return map[string]badJSON{
		"empty":                {"", Short},
		"cut":                  {good[:len(good)/2], Short},
		"no JSON":              {"ROOSTRNG", Magic},
		"a list":               {"[]", Magic},
		"null":                 {"null", Magic},
		"byte order mark":      {"\ufeff" + good, Magic},
		"unknown key":          {edit(`"version"`, `"more":1,"version"`), Magic},
		"unknown key, node":    {edit(`"addr"`, `"more":1,"addr"`), Magic},
		"unknown key, section": {edit(`"tag"`, `"more":1,"tag"`), Magic},
		"unknown in a format":  {edit(`"format":1,`, `"format":2,"more":1,`), BadFormat},
		"upper case":           {edit(`"version"`, `"VERSION"`), Magic},
		"upper case, node":     {edit(`"id"`, `"Id"`), Magic},
		"long s":               {edit(`"hash"`, `"haſh"`), Magic},
		"not UTF-8":            {edit("\ufffd", "\xff"), Magic},
		"surrogate":            {edit("\ufffd", `\ud800`), Magic},
		"second surrogate":     {edit("\ufffd", `\udc00`), Magic},
		"surrogates reversed":  {edit("\ufffd", `\udc00\ud800`), Magic},
		"surrogate and more":   {edit("\ufffd", `\ud800\u0041`), Magic},
		"surrogate, backslash": {edit("\ufffd", `\\\ud800`), Magic},
		"more":                 {good + "{}", Length},
		"more space":           {good + "\u00a0", Length},
		"more, no character":   {good + `\ud800`, Length},
		"zero byte":            {good + "\x00", Length},
		"comma":                {edit(`}`, `},`), Magic},
		"format":               {edit(`"format":1`, `"format":2`), BadFormat},
		"placement":            {edit(`"placement":1`, `"placement":2`), Placement},
		"hash":                 {edit(`"hash":"`, `"hash":"0`), BadHash},
		"changed":              {edit(`"weight":0.5`, `"weight":0.75`), BadHash},
		"bits":                 {edit(`"tableBits":10`, `"tableBits":30`), Table},
		"bits high":            {edit(`"tableBits":10`, `"tableBits":300`), Length},
		"negative":             {edit(`"weight":0.5`, `"weight":-0.5`), Weight},
		"minus 0":              {edit(`"weight":0,`, `"weight":-0,`), Weight},
		"order":                {edit(`"id":"b"`, `"id":"d"`), BadNode},
		"points":               {edit(`"weight":0.5`, `"weight":0`), Points},
		"version too high":     {edit("615,", "616,"), Magic},
		"no whole number":      {edit(`"format":1`, `"format":1e0`), Magic},
		"weight too high":      {edit("0.5", "1e999"), Magic},
		"text for a number":    {edit("0.5", `"0.5"`), Magic},
		"number for a text":    {edit(`"b"`, "1"), Magic},
		"tag high":             {edit(`"tag":3`, `"tag":65539`), Magic},
		"tag must be known":    {edit(`"tag":3`, `"tag":32771`), BadSection},
		"data no base64":       {edit(`"eA=="`, `"eA"`), Magic},
		"data's second form":   {edit(`"eA=="`, `"eB=="`), Magic},
		"data in lines":        {edit(`"eA=="`, `"eA\n=="`), Magic},
		"deep":                 {`{"format":` + strings.Repeat("[", 1<<16), Magic},
	}
}

// TestJSONKeys: every key once, and never null.
func TestJSONKeys(t *testing.T) {
	good := goodJSON(t)
	tidy := strings.NewReplacer("{,", "{", ",}", "}", ",,", ",")
	until := func(from, to string) string {
		i := strings.Index(good, from)
		return good[i : i+strings.Index(good[i:], to)]
	}
	for _, text := range []string{`"format":1`, `"version":18446744073709551615`, `"pointsPerUnit":40`, `"tableBits":10`, `"placement":1`,
		`"id":"b"`, `"addr":"h:1"`, `"zone":"z"`, `"weight":0.5`, `"capacity":20`, `"points":20`, `"tag":3`, `"data":"eA=="`,
		until(`"nodes"`, `,"sections"`), until(`"sections"`, `,"hash"`), until(`"hash"`, "}")} {
		key, _, _ := strings.Cut(text, ":")
		for how, with := range map[string]string{"missing": "", "twice": text + "," + text, "null": key + ":null", "true": key + ":true", "a list with null": key + ":[null]"} {
			code := Magic
			if key == `"sections"` && how == "missing" {
				code = BadHash // it may be, but this is another ring
			}
			bad := tidy.Replace(strings.Replace(good, text, with, 1))
			if s, err := DecodeJSON([]byte(bad)); bad == good || !isCode(err, code) || s != nil {
				t.Errorf("%s %s: %v, want %v", key, how, err, code)
			}
		}
	}
}

// TestJSONTooMany: it stops at the first node too many, and not before.
func TestJSONTooMany(t *testing.T) {
	begin, node := `{"nodes":[`, `{"id":"a","addr":"","zone":"","weight":1,"capacity":0,"points":1},`
	_, err := DecodeJSON([]byte(begin + strings.Repeat(node, ring.MaxNodes+1) + "no JSON"))
	bad := (*Error)(nil)
	if at := len(begin) + ring.MaxNodes*len(node) - len(","); !errors.As(err, &bad) || bad.Code != BadNode || bad.At != at {
		t.Errorf("%d nodes: %v, want NODE at byte %d", ring.MaxNodes+1, err, at)
	}
}

// TestJSONFits: whatever has a binary form is no longer than DecodeJSON reads, for no
// part of it grows more than sixfold.
func TestJSONFits(t *testing.T) {
	long, odd := strings.Repeat("<", ring.MaxName), 1.2345678901234567e-06
	var nodes, short []ring.Member
	var sections, filled []Section
	for i := range 200 {
		nodes = append(nodes, ring.Member{Node: ring.Node{ID: fmt.Sprintf("%03d", i) + long[3:], Addr: long, Zone: long, Weight: odd, Capacity: odd}, Points: 1 << 16})
		short = append(short, ring.Member{Node: ring.Node{ID: string(rune('\u0100' + i)), Weight: 2.2250738585072014e-308, Capacity: odd}, Points: 1 << 16})
		sections = append(sections, Section{Tag: uint16(32000 + i), Data: []byte{}})
		filled = append(filled, Section{Tag: uint16(32000 + i), Data: make([]byte, i)})
	}
	for name, s := range map[string]*Snapshot{
		"nobody": {}, "long names": {Definition: ring.Definition{Nodes: nodes}}, "short names": {Definition: ring.Definition{Nodes: short}},
		"sections": {Sections: sections}, "data": {Sections: filled},
	} {
		s.Version, s.PointsPerUnit, s.TableBits = math.MaxUint64, 65536, 20
		b, err := s.EncodeJSON()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > s.size()*(MaxJSON/MaxBytes) {
			t.Errorf("%s: %d bytes of JSON for %d", name, len(b), s.size())
		}
		if again, err := DecodeJSON(b); err != nil || !again.Equal(s) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
