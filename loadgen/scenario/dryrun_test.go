package scenario

import (
	"bytes"
	"errors"
	"testing"
)

// TestSmallRates are not rounded to nothing.
func TestSmallRates(t *testing.T) {
	for x, want := range map[float64]string{0: "0", .04: "0.040", .00333: "0.0033", .5: "0.50", 1.25: "1.2", 9.96: "10.0", 12.4: "12", 1234: "1,234"} {
		if got := rate(x); got != want {
			t.Errorf("%g: %s, want %s", x, got, want)
		}
	}
}

func TestDryRun(t *testing.T) {
	var b bytes.Buffer
	if err := DryRun(&b, parseShipped(t, "dawn-wave", nil)); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/dryrun.txt", b.String())
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestDryRunSaysWhenItCannotWrite(t *testing.T) {
	if err := DryRun(brokenWriter{}, parseShipped(t, "smoke", nil)); err == nil {
		t.Error("no error")
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
