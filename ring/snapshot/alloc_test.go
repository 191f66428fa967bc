//go:build !race

package snapshot

import (
	"runtime"
	"strings"
	"testing"
)

// TestAllocOfNonsense: megabytes of what is no snapshot are refused before they
// become more: an empty node was 64 bytes for 3, doubled as the list grew, and 600 MiB
// were allocated for 4.
func TestAllocOfNonsense(t *testing.T) {
	for name, text := range map[string]string{
		"empty nodes": `{"format":1,"nodes":[` + strings.Repeat("{},", 4<<20/3) + "{}]}",
		"format 2":    `{"format":2,"nodes":[` + strings.Repeat("{},", 4<<20/3) + "{}]}",
		"deep":        strings.Repeat("[", 4<<20),
	} {
		var before, after runtime.MemStats
		b := []byte(text)
		runtime.ReadMemStats(&before)
		_, err := DecodeJSON(b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 || err == nil {
			t.Errorf("%s: %d bytes are allocated for %d, %v", name, got, len(b), err)
		}
	}
}

// TestAllocOfTooLong: what is longer than any snapshot is not looked at.
func TestAllocOfTooLong(t *testing.T) {
	if _, err := DecodeJSON(make([]byte, MaxJSON+1)); !isCode(err, Length) {
		t.Error(err)
	}
}
