package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds of numbers. All are far beyond what one run can do, and small enough
// that sums and products of them do not overflow.
const (
	MaxClients  = 50_000_000
	MaxTopics   = 10_000_000
	MaxRate     = 10_000_000 // a second
	MaxDuration = 7 * 24 * time.Hour
	MaxMessages = 1<<31 - 1 // of one publish: their number is 31 bits of the stamp
	MaxPhases   = 64
	MaxPublish  = 4
	MaxGroups   = 16
	MinSize     = 64       // bytes of the stamp
	MaxSize     = 16 << 20 // bytes of a payload
	// MaxBatch keeps the answer to a request, about 60 bytes a message, within the
	// 64 KiB that a worker reads.
	MaxBatch    = 500
	MaxWait     = 30 * time.Second // roost's
	MaxInFlight = 1024             // a worker's connections to an API
	maxRequest  = 12 << 20         // bytes of payloads in a request: a roost takes 16 MiB with what is around them
	maxList     = 1024             // URLs, sources, thresholds ...
	maxSteps    = 1024
	maxReplay   = 50_000
)

// LeastInFlight returns how many requests a worker always may have under way at
// each of so many APIs: 128 at all of them, but 8 at each.
func LeastInFlight(apis int) int { return max(128/max(apis, 1), 8) }

// number reads decimal digits, which may be grouped by _. What is too large for
// a float64 is infinite, and beyond every bound.
func number(text string) (float64, bool) {
	if text == "" || len(text) > 400 || strings.Trim(text, "0123456789._") != "" || text[0] == '_' || text[len(text)-1] == '_' {
		return 0, false
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	return x, err == nil || math.IsInf(x, 0)
}

// parseCount reads a whole number: 1000, 1_000_000, 100k, 1M.
func parseCount(text string) (int, error) {
	digits, factor := text, 1.0
	switch {
	case strings.HasSuffix(text, "k"):
		digits, factor = text[:len(text)-1], 1e3
	case strings.HasSuffix(text, "M"):
		digits, factor = text[:len(text)-1], 1e6
	}
	x, ok := number(digits)
	x *= factor
	switch {
	case !ok || x != math.Trunc(x):
		return 0, fmt.Errorf("%s: want a whole number, such as 1000, 1_000_000, 100k or 1M", quoted(text))
	case x > 1e15:
		return 0, fmt.Errorf("%s is too large", quoted(text))
	}
	return int(x), nil
}

// parseRate reads events a second: 100/s, 20_000/s, 30/m, 5k/s.
func parseRate(text string) (float64, error) {
	wrong := fmt.Errorf("%s: want a rate, such as 100/s, 20_000/s or 30/m", quoted(text))
	digits, per, _ := strings.Cut(text, "/")
	seconds, known := map[string]float64{"s": 1, "m": 60}[per]
	if !known {
		return 0, wrong
	}
	factor := 1.0
	if d, thousands := strings.CutSuffix(digits, "k"); thousands {
		digits, factor = d, 1000
	}
	x, ok := number(digits)
	if !ok {
		return 0, wrong
	}
	if x = x * factor / seconds; x > MaxRate {
		return 0, fmt.Errorf("%s is too fast: want at most %d/s", quoted(text), MaxRate)
	}
	return x, nil
}

func formatRate(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) + "/s" }

// parseDuration reads a time with its unit: 500ms, 30s, 1m30s, 2h, 7d.
func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	tooLong := fmt.Errorf("%s is too long: want at most 7d", quoted(text))
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if x, ok := number(days); ok && x <= 7 {
			return time.Duration(x * float64(24*time.Hour)), nil
		} else if ok {
			return 0, tooLong
		}
	}
	d, err := time.ParseDuration(strings.ReplaceAll(text, "_", ""))
	_, plain := number(text)
	x, withUnit := number(strings.TrimRight(text, "nuµmsh"))
	switch {
	case err != nil && plain:
		return 0, fmt.Errorf("%s has no unit: want a time, such as %ss or %sms", quoted(text), text, text)
	case err != nil && withUnit && x > 1e6:
		return 0, tooLong
	case err != nil:
		return 0, fmt.Errorf("%s: want a time, such as 500ms, 30s, 2m or 1h", quoted(text))
	case d < 0:
		return 0, fmt.Errorf("%s is negative", quoted(text))
	case d > MaxDuration:
		return 0, tooLong
	}
	return d, nil
}

// byteUnits are those of sizes, the longest endings first.
var byteUnits = []struct {
	name   string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"B", 1}, {"", 1}}

// parseSize reads bytes: 128B, 4KiB, 1MiB, 4kB, 128.
func parseSize(text string) (int, error) {
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		x, ok := number(digits)
		x *= u.factor
		switch {
		case !ok || x != math.Trunc(x):
			return 0, fmt.Errorf("%s: want a size in whole bytes, such as 128B, 4KiB or 1MiB", quoted(text))
		case x > 1<<40:
			return 0, fmt.Errorf("%s is too large", quoted(text))
		}
		return int(x), nil
	}
	return 0, nil // not reached: the last unit is empty
}

func formatSize(n int) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "MiB"
	case n > 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "KiB"
	}
	return strconv.Itoa(n) + "B"
}

// parseShare reads a part of a whole: 98%, 0.98, 1.
func parseShare(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	x, ok := number(digits)
	if ok && percent {
		// The power of ten is read with the digits: 99.9% is 0.999 to the last bit.
		x, _ = strconv.ParseFloat(strings.ReplaceAll(digits, "_", "")+"e-2", 64)
	}
	if !ok || x > 1 {
		return 0, fmt.Errorf("%s: want a share, such as 98%% or 0.98", quoted(text))
	}
	return x, nil
}

func formatFloat(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// parseNumber reads a plain number.
func parseNumber(text string) (float64, error) {
	x, ok := number(text)
	if !ok || x > 1e9 {
		return 0, fmt.Errorf("%s: want a number from 0 to 1e9", quoted(text))
	}
	return x, nil
}

// quoted shows what was written, shortened.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:37]) + "..."
	}
	return strconv.Quote(text)
}
