package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"roost/ring/verify"

	"github.com/google/pprof/profile"
)

// Limits of the share of CPU that goes into hashing; given by the original report.
const (
	hashingHealthy = 0.08
	hashingBad     = 0.15
	// fewSamples is below how many nothing is judged: at the limit of 8 % the error
	// is 5 % of all.
	fewSamples = 100
)

// hashers are the functions that hash, by what for. The names are prefixes of those
// in a profile.
var hashers = []struct {
	name      string
	functions []string
}{
	{"ring: hash of a key, and lookup", []string{
		"roost/ring.Hash", "roost/ring.hash16", "roost/ring.SeedHash", "github.com/zeebo/xxh3.",
		"roost/ring.(*Ring).Lookup", "roost/ring.(*Ring).Owner", "roost/ring.(*Routes).Lookup", "roost/ring.(*Routes).Owner", "roost/ring.(*Routes).OnCanary",
		"roost/ring.(*Seed).Lookup", "roost/ring.(*Seed).Owner"}},
	{"maps: hash of a key", []string{
		"hash/maphash.", "internal/runtime/maps.memhash", "runtime.memhash", "runtime.strhash", "runtime.aeshash", "aeshash", "memhash", "strhash",
		"runtime.interhash", "runtime.nilinterhash", "runtime.typehash", "runtime.f32hash", "runtime.f64hash", "runtime.c64hash", "runtime.c128hash"}},
	{"checksums and FNV", []string{"hash/crc32.", "hash/crc64.", "hash/adler32.", "hash/fnv."}},
}

// hashing is what a CPU profile says of hashing.
type hashing struct {
	Seconds float64         `json:"seconds"` // of the profile; 0 is unknown
	Samples int64           `json:"samples"`
	CPU     float64         `json:"cpuSeconds"`
	Rows    []hashingRow    `json:"rows"`      // by what for
	All     hashingRow      `json:"all"`       // their sum
	Hottest []hashingCaller `json:"functions"` // those that hash, the costliest first
	Verdict verify.Verdict  `json:"verdict"`
	Notes   []string        `json:"notes"`
}

// hashingRow is a share of all samples, and its error: with a chance of 95 % the
// true share is at most Error away.
type hashingRow struct {
	Name    string         `json:"name"`
	Share   float64        `json:"share"`
	Error   float64        `json:"error"`
	Verdict verify.Verdict `json:"verdict"`

	samples int64
}

type hashingCaller struct {
	Function string  `json:"function"`
	Share    float64 `json:"share"`

	samples int64
}

// measureHashing reads a CPU profile.
func measureHashing(p *profile.Profile) (*hashing, error) {
	count, cpu := -1, -1
	for i, t := range p.SampleType {
		switch t.Type {
		case "samples":
			count = i
		case "cpu":
			cpu = i
		}
	}
	if count < 0 || cpu < 0 {
		return nil, fmt.Errorf("this is no CPU profile of a Go program: it has %s, not samples and cpu", sampleTypes(p))
	}
	h := &hashing{Seconds: float64(p.DurationNanos) / 1e9, Notes: []string{}, All: hashingRow{Name: "all hashing"}}
	for _, kind := range hashers {
		h.Rows = append(h.Rows, hashingRow{Name: kind.name})
	}
	callers := map[string]int64{}
	for _, s := range p.Sample {
		n := s.Value[count]
		h.Samples += n
		h.CPU += float64(s.Value[cpu]) / 1e9
		if kind, function := hashes(s); kind >= 0 {
			h.Rows[kind].samples += n
			h.All.samples += n
			callers[function] += n
		}
	}
	h.judge()
	for f, n := range callers {
		h.Hottest = append(h.Hottest, hashingCaller{f, float64(n) / float64(max(h.Samples, 1)), n})
	}
	slices.SortFunc(h.Hottest, func(a, b hashingCaller) int {
		return cmp.Or(cmp.Compare(b.samples, a.samples), cmp.Compare(a.Function, b.Function))
	})
	h.Hottest = h.Hottest[:min(len(h.Hottest), 8)]
	return h, nil
}

func sampleTypes(p *profile.Profile) string {
	var types []string
	for _, t := range p.SampleType {
		types = append(types, clean(t.Type))
	}
	return strings.Join(types, ", ")
}

// hashes returns which kind of hashing a sample is in, the earliest in hashers if
// several, and the outermost function of that kind; or -1. Functions that the
// compiler has put into others are there too.
func hashes(s *profile.Sample) (kind int, function string) {
	for kind, h := range hashers {
		function := ""
		for _, at := range s.Location {
			for _, line := range at.Line {
				if line.Function != nil && slices.ContainsFunc(h.functions, func(p string) bool { return strings.HasPrefix(line.Function.Name, p) }) {
					function = line.Function.Name
				}
			}
		}
		if function != "" {
			return kind, function
		}
	}
	return -1, ""
}

// judge sets shares and verdicts: that of the ring's row, and that of all rows.
func (h *hashing) judge() {
	for i := range h.Rows {
		h.Rows[i].measure(h.Samples)
	}
	h.All.measure(h.Samples)
	if h.Samples < fewSamples {
		h.Notes = append(h.Notes, fmt.Sprintf("%d samples are too few to judge, %d are needed: take a profile under load, or for longer (100 samples are a second of CPU)", h.Samples, fewSamples))
		return
	}
	routed := h.Rows[0].samples > 0
	if !routed {
		h.Notes = append(h.Notes, "no sample is in the ring's hash or lookup: nothing was routed while the profile was taken, or too little to be seen")
	}
	for _, r := range []*hashingRow{&h.Rows[0], &h.All} {
		if r == &h.Rows[0] && !routed {
			continue
		}
		switch {
		case r.Share > hashingBad:
			r.Verdict = verify.Bad
		case r.Share > hashingHealthy:
			r.Verdict = verify.Look
		default:
			r.Verdict = verify.OK
		}
		h.Verdict = max(h.Verdict, r.Verdict)
		if math.Abs(r.Share-hashingHealthy) < r.Error || math.Abs(r.Share-hashingBad) < r.Error {
			h.Notes = append(h.Notes, fmt.Sprintf("%s: the error reaches over a limit, so the verdict may be another: measure for longer", r.Name))
		}
		if h.All.samples == h.Rows[0].samples {
			h.All.Verdict = r.Verdict
			break // the same again
		}
	}
	if !routed && h.Verdict == verify.OK {
		h.Verdict = verify.Info // of the ring there is nothing to say
	}
}

// measure sets the share, and its error by Wilson's interval, which is right for
// few samples too (Journal of the American Statistical Association 22, 1927).
func (r *hashingRow) measure(all int64) {
	if all <= 0 {
		return
	}
	const z = 1.96
	n, p := float64(all), float64(r.samples)/float64(all)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	r.Share, r.Error = p, math.Abs(middle-p)+half
}

// write writes the table for people.
func (h *hashing) write(w io.Writer) error {
	fmt.Fprintf(w, "%d samples, %.1f s of CPU", h.Samples, h.CPU)
	if h.Seconds > 0 {
		fmt.Fprintf(w, " in %.1f s", h.Seconds)
	}
	fmt.Fprintln(w)
	rows := newTable("", "", "% of CPU>", "error>", "healthy to>", "bad above>")
	for _, r := range append(slices.Clone(h.Rows), h.All) {
		healthy, bad := "-", "-"
		if r.Name == h.Rows[0].Name || r.Name == h.All.Name {
			healthy, bad = fmt.Sprintf("%.0f", 100*hashingHealthy), fmt.Sprintf("%.0f", 100*hashingBad)
		}
		rows.add(r.Verdict.String(), r.Name, fmt.Sprintf("%.2f", 100*r.Share), fmt.Sprintf("%.2f", 100*r.Error), healthy, bad)
	}
	if err := rows.write(w); err != nil {
		return err
	}
	for _, c := range h.Hottest {
		fmt.Fprintf(w, "  %6.2f %%  %s\n", 100*c.Share, clean(c.Function))
	}
	for _, note := range h.Notes {
		fmt.Fprintln(w, note)
	}
	says := map[verify.Verdict]string{
		verify.Info: "not judged",
		verify.OK:   "ok: hashing is a small part of what the node does",
		verify.Look: "look: hashing takes more than it should; see which functions, and how long the ids are",
		verify.Bad:  "bad: hashing takes CPU from delivery; keep a key's hash instead of working it out again, or shorten the ids",
	}
	_, err := fmt.Fprintf(w, "verdict: %s\n", says[h.Verdict])
	return err
}
