package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"roost/ring"
	"roost/ring/verify"
)

// spell is the way back from parseNode.
func spell(n nodeArg) string {
	escape := func(s string) string {
		return strings.NewReplacer("%", "%25", "@", "%40", "=", "%3d", ":", "%3a").Replace(s)
	}
	s := escape(n.ID)
	if n.zone {
		s += "@" + escape(n.Zone)
	}
	if n.addr {
		s += "=" + n.Addr
	}
	s += ":" + plain(n.Weight)
	if n.capacity {
		s += ":" + plain(n.Capacity)
	}
	return s
}

func TestParseNode(t *testing.T) {
	for text, want := range map[string]nodeArg{
		"a:1":                         {Node: ring.Node{ID: "a", Weight: 1}},
		"a:0.25:5e4":                  {Node: ring.Node{ID: "a", Weight: 0.25, Capacity: 50000}, capacity: true},
		"a@z:0":                       {Node: ring.Node{ID: "a", Zone: "z"}, zone: true},
		"a@:2":                        {Node: ring.Node{ID: "a", Weight: 2}, zone: true},
		"a=h:80:2":                    {Node: ring.Node{ID: "a", Addr: "h:80", Weight: 2}, addr: true},
		"a@z=[2001:db8::1]:443:1.5:7": {Node: ring.Node{ID: "a", Zone: "z", Addr: "[2001:db8::1]:443", Weight: 1.5, Capacity: 7}, zone: true, addr: true, capacity: true},
		"h%3a80:1":                    {Node: ring.Node{ID: "h:80", Weight: 1}},
		"zürich 1@süd:1":              {Node: ring.Node{ID: "zürich 1", Zone: "süd", Weight: 1}, zone: true},
	} {
		if got, err := parseNode(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// FuzzNode: what is accepted is a node that a ring takes, and can be spelled again.
func FuzzNode(f *testing.F) {
	for _, s := range []string{"a:1", "a@z=h:80:1:5", "a=[::1]:1:2", "%40%3d:1e-9", "a:0x1p-2", "::::", "a@b@c=d=e:1", "a=h:99999:1", "a:-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseNode(s)
		if err != nil {
			return
		}
		if err := errors.Join(n.CheckTexts(), n.CheckAmounts()); err != nil {
			t.Fatalf("%q is accepted, but %v", s, err)
		}
		if again, err := parseNode(spell(n)); err != nil || again != n {
			t.Fatalf("%q is %+v, spelled %q it is %+v, %v", s, n, spell(n), again, err)
		}
	})
}

// FuzzLine: every line is an id with a count, or is refused.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"a", "a\t5", "a\tb\t7\r", "\t1", "", "\r", "a\t", "a\t99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		id, count, err := parseLine(line)
		text := bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case err != nil:
			if !bytes.ContainsRune(text, '\t') {
				t.Fatalf("%q: %v", line, err)
			}
		case count > verify.MaxCount:
			t.Fatalf("%q: count %d", line, count)
		case !bytes.HasPrefix(text, id) || bytes.ContainsRune(text[len(id):], '\t') != (len(id) < len(text)):
			t.Fatalf("%q: id %q", line, id)
		}
	})
}

// FuzzPattern: a pattern makes different ids, or is refused.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"device-%09d", "%x", "%3Xz", "%", "%%d", "%-3d", "%d%", "a%00012db"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		g, err := newGenerator(20, pattern, 1)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		if err := g.each(context.Background(), func(id []byte, _ uint64) error {
			seen[string(id)] = true
			return nil
		}); err != nil || len(seen) != 20 {
			t.Fatalf("%q makes %d different ids of 20, %v", pattern, len(seen), err)
		}
	})
}

// TestPatternAgainstFmt: a number is written as fmt would.
func TestPatternAgainstFmt(t *testing.T) {
	for _, pattern := range []string{"device-%09d", "%d", "<%x>", "%04X!", "%7d"} {
		form, err := parsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []uint64{0, 9, 10, 171, 65535, 1 << 40} {
			if got, want := string(form.append(nil, i)), fmt.Sprintf(pattern, i); got != want {
				t.Errorf("%s of %d is %q, want %q", pattern, i, got, want)
			}
		}
	}
}

// TestNamedPatterns have the form that devices have, each id once, and the same
// ones each time.
func TestNamedPatterns(t *testing.T) {
	luhn := func(id string) bool {
		sum := 0
		for i, c := range id {
			d := int(c - '0')
			if i%2 == 1 {
				d = d*2/10 + d*2%10
			}
			sum += d
		}
		return sum%10 == 0
	}
	for pattern, ok := range map[string]func(id string) bool{
		"uuid": regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString,
		"mac":  regexp.MustCompile(`^([0-9a-f]{2}:){5}[0-9a-f]{2}$`).MatchString,
		"imei": func(id string) bool { return regexp.MustCompile(`^[0-9]{15}$`).MatchString(id) && luhn(id) },
	} {
		var all [2]string
		for i := range all {
			g, err := newGenerator(3000, pattern, 5)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			if err := g.each(context.Background(), func(id []byte, _ uint64) error {
				all[i] += string(id)
				if seen[string(id)] || !ok(string(id)) {
					return fmt.Errorf("id %q", id)
				}
				seen[string(id)] = true
				return nil
			}); err != nil {
				t.Errorf("%s: %v", pattern, err)
			}
		}
		if all[0] != all[1] {
			t.Errorf("%s: other ids the second time", pattern)
		}
	}
	if b := string(mac(nil, 1<<24)); !strings.HasPrefix(b, "02:00:00:") {
		t.Errorf("after a vendor's last address comes %s", b)
	}
	if b := string(imei(nil, 1_000_001)); !strings.HasPrefix(b, "01012346000001") {
		t.Errorf("after a model's last number comes %s", b)
	}
}

// TestPicture: it is XML, the same each time, with a bar a node or a line of many.
func TestPicture(t *testing.T) {
	inTemp(t)
	for line, want := range map[string][]string{
		"ring verify --node a@z1:1 --node b@z2:2 --generate 2000":  {"a (z1)", "b (z2)", "ids / target", "2000 ids over 2 nodes, roost"},
		"ring verify --nodes 3 --preset roost,seed --generate 500": {"node-2, roost", "node-2, seed"},
		"ring verify --nodes 100 --generate 5000":                  {"the fullest first", "roost: the ring alone"},
		"ring verify --node a:1 --node b:0 --file ids":             {"load / target", "load over 2 nodes"},
		"ring verify --node a:0 --node b:0 --generate 10":          {"target"},
	} {
		if err := os.WriteFile("ids", []byte("x\t5\ny\t7\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var pictures [2]string
		for i := range pictures {
			if _, err := call(t, line+" --svg x.svg", ""); exitCode(err, io.Discard) == 2 && !strings.Contains(line, "b:0 --gen") {
				t.Fatal(err)
			}
			b, err := os.ReadFile("x.svg")
			if err != nil {
				t.Fatal(err)
			}
			pictures[i] = string(b)
		}
		if pictures[0] != pictures[1] {
			t.Errorf("%s: another picture the second time", line)
		}
		for d := xml.NewDecoder(strings.NewReader(pictures[0])); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		for _, text := range want {
			if !strings.Contains(pictures[0], text) {
				t.Errorf("%s: the picture lacks %q", line, text)
			}
		}
	}
}

func TestFlagsAndArgumentsMix(t *testing.T) {
	f := newFlags("ring x", "", "")
	n := f.Int("n", 0, "")
	rest, err := f.parse([]string{"a", "-n", "3", "b", "--", "-n", "c"}, io.Discard)
	if err != nil || *n != 3 || strings.Join(rest, " ") != "a b -n c" {
		t.Errorf("%v, %d, %v", rest, *n, err)
	}
}
