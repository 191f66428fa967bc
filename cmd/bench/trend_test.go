package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/result"
)

func TestTrend(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "history")
	args := []string{"trend", folder, "--html", filepath.Join(t.TempDir(), "t.html")}
	for i := range 12 {
		args = append(args, "--add", writeRun(t, fmt.Sprint("r", i), 2000+float64(i/6*500+i%2), func(r *result.Result) { r.Started = r.Started.AddDate(0, 0, i) }))
	}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "2026-12-03 02:17: regressed +25.0 %") {
		t.Errorf("%s", out.String())
	}
	if b, err := os.ReadFile(args[3]); err != nil || !bytes.Contains(b, []byte("<svg")) {
		t.Errorf("page: %v", err)
	}
	for _, bad := range [][]string{{"trend"}, {"trend", t.TempDir()}, {"trend", "a", "b"}, append(args[:2:2], args[4:6]...)} {
		if err := run(t.Context(), bad, &out, &out); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
