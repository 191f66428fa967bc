package cpuprofile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/pprof/profile"
)

const (
	// mostPacked bounds a profile, packed; mostUnpacked what it may become.
	mostPacked   = 64 << 20
	mostUnpacked = 4 * mostPacked
)

// Profile is a CPU profile.
type Profile struct {
	Period  int64 // ns of CPU time that one sample stands for, at least 1
	Samples []Sample
}

// Sample is the CPU time of one stack.
type Sample struct {
	Stack []string // functions, the innermost first; "unknown" where none is named
	CPU   int64    // ns
}

// CPU returns the time of all samples in ns.
func (p *Profile) CPU() (total int64) {
	for i := range p.Samples {
		total += p.Samples[i].CPU
	}
	return total
}

// Read reads a profile from a file.
func Read(path string) (*Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readMost(f, mostPacked)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s is no CPU profile: %w", path, err)
	}
	return p, nil
}

// Parse reads a profile, packed by gzip or not.
func Parse(data []byte) (*Profile, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if data, err = readMost(unpacked, mostUnpacked); err != nil {
			return nil, err
		}
	}
	p, err := profile.ParseUncompressed(data)
	if err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return nil, err
	}
	at := timeValue(p)
	if at < 0 {
		return nil, errors.New("its samples have no CPU time")
	}
	out := &Profile{Period: max(p.Period, 1), Samples: make([]Sample, len(p.Sample))}
	for i, s := range p.Sample {
		out.Samples[i] = Sample{Stack: stackOf(s), CPU: s.Value[at]}
	}
	return out, nil
}

// timeValue is which value of samples is CPU time; -1 if none is.
func timeValue(p *profile.Profile) int {
	for i, t := range p.SampleType {
		if t.Type == "cpu" && t.Unit == "nanoseconds" {
			return i
		}
	}
	return -1
}

// stackOf names a sample's functions; a location has those that were inlined too.
func stackOf(s *profile.Sample) (names []string) {
	for _, l := range s.Location {
		for _, line := range l.Line {
			names = append(names, line.Function.Name) // CheckValid has seen that there is one
		}
		if len(l.Line) == 0 {
			names = append(names, "unknown")
		}
	}
	return names
}

func readMost(r io.Reader, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("larger than %d MiB: no CPU profile is", most>>20)
	}
	return data, err
}
