package usage

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Pressure is the share of time in which something ready to run had to wait for
// a resource of the machine (PSI, "some").
type Pressure struct {
	Avg10 float64 // of the last 10 s, in %
	Total time.Duration
}

// ReadPressure reads that of cpu, memory or io. Not every kernel has it.
func ReadPressure(resource string) (Pressure, error) {
	data, err := os.ReadFile("/proc/pressure/" + resource)
	if err != nil {
		return Pressure{}, fmt.Errorf("usage: pressure: %w", err)
	}
	p, err := parsePressure(data)
	if err != nil {
		return p, fmt.Errorf("usage: pressure of %s: %w", resource, err)
	}
	return p, nil
}

// parsePressure reads "some avg10=1.25 avg60=0.5 avg300=0.1 total=123456", the
// total in us.
func parsePressure(data []byte) (p Pressure, err error) {
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		rest, ok := strings.CutPrefix(s.Text(), "some ")
		if !ok {
			continue
		}
		for _, f := range strings.Fields(rest) {
			name, value, _ := strings.Cut(f, "=")
			switch name {
			case "avg10":
				p.Avg10, err = strconv.ParseFloat(value, 64)
			case "total":
				var us int64
				us, err = strconv.ParseInt(value, 10, 64)
				p.Total = time.Duration(us) * time.Microsecond
			}
			if err != nil {
				return p, err
			}
		}
		return p, nil
	}
	return p, fmt.Errorf("no line of some")
}
