package presence

import (
	"slices"
	"strings"
	"testing"
)

// FuzzRecord: what is stored may be anything. What is taken for a record is one that
// can be written again and means the same.
func FuzzRecord(f *testing.F) {
	for _, r := range []Record{
		{Hold: Held, Owner: n1, Fence: 1, SID: 1<<63 + 9, Since: 1_800_000_000_000, Connected: 1_800_000_000_000, Inbound: 5},
		{Hold: Left, Owner: Owner{"a:b", 1<<64 - 1}, Fence: 1<<32 - 1, Since: -1, Connected: 7, Reason: 4103},
		{Hold: Lost, Owner: n2, Fence: 3, Reason: NodeLost},
		{},
	} {
		f.Add(strings.Join(encodeRecord(&r), "\n"))
	}
	f.Add("1\nn1:1\n0\n0\n0\n\n0\n0")
	f.Add("1\nn1\n1\n0\n0\n\n0\n0")
	f.Add("9\nn1:1\n1\n0\n0\n\n0\n0")
	f.Fuzz(func(t *testing.T, text string) {
		fields := strings.Split(text, "\n")
		r, err := decodeRecord(fields)
		if err != nil {
			if r != (Record{}) {
				t.Fatalf("%q: %v, and yet %+v", text, err, r)
			}
			return
		}
		if r.Hold != Nobody && (r.Fence == 0 || r.Owner.Check() != nil || r.Hold > Lost) {
			t.Fatalf("%q is taken for %+v", text, r)
		}
		again, err := decodeRecord(encodeRecord(&r))
		if err != nil || again != r {
			t.Fatalf("%q is %+v, and written again %+v, %v", text, r, again, err)
		}
	})
}

// FuzzReplies: no reply of a script brings down who reads it.
func FuzzReplies(f *testing.F) {
	r := Record{Hold: Held, Owner: n1, Fence: 1, SID: 2, Since: 3, Connected: 3, Inbound: 4}
	fields := strings.Join(encodeRecord(&r), "\n")
	f.Add("2\n" + fields)
	f.Add("1\n7\n" + fields)
	f.Add("1800000000000\nn1:1\n1799999999000\nn2:2\n1.8e+12")
	f.Add("1\n3")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		parts := strings.Split(text, "\n")
		if c, err := DecodeClaim(parts); err == nil && c.Fence == 0 {
			t.Fatalf("%q is a claim without a fence", text)
		}
		if x, err := decodeRefreshed(parts); err == nil && (x.Outcome == Failed || x.Outcome > Absent) {
			t.Fatalf("%q is taken for %+v", text, x)
		}
		if x, err := decodeAsserted(parts); err == nil && (x.Outcome == Failed || x.Outcome > Absent) {
			t.Fatalf("%q is taken for %+v", text, x)
		}
		if x, err := decodeSwept("d", parts); err == nil && (x.Found == SweepFailed || x.Found > SweepStale) {
			t.Fatalf("%q is taken for %+v", text, x)
		}
		if n, err := decodeNodes([][]string{parts, slices.Clone(parts[1:])}); err == nil {
			for o := range n.Beats {
				if o.Check() != nil {
					t.Fatalf("%q has a node %v", text, o)
				}
			}
		}
	})
}
