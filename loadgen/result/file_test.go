package result_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

func encode(t testing.TB, r *result.Result) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := result.Encode(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFileKeepsEverything: what is read is what was written, and so are
// the bytes, which hold the histograms whole, when it is written again.
func TestFileKeepsEverything(t *testing.T) {
	for _, name := range sample.Names {
		r := sample.Make(name)
		path := filepath.Join(t.TempDir(), "r.json")
		if err := result.WriteFile(path, r); err != nil {
			t.Fatal(err)
		}
		back, err := result.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Metrics(), r.Metrics()) {
			t.Errorf("%s: metrics differ", name)
		}
		if !bytes.Equal(encode(t, back), encode(t, r)) {
			t.Errorf("%s: the bytes differ", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := string(encode(t, sample.Make("errors")))
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"", "the file is empty"},
		"no JSON":     {"{\n\"schema\": 2,\n what", "line 3"},
		"cut off":     {whole[:len(whole)/2], "cut off"},
		"other":       {`{"name": "x"}`, "has no schema"},
		"newer":       {`{"schema": 99}`, "99, this program reads 2: use a newer one"},
		"older":       {`{"schema": 1}`, "run it again"},
		"trailing":    {whole + "{}", "line"},
		"verdict":     {strings.Replace(whole, `"breached"`, `"fine"`, 1), `verdict "fine"`},
		"type":        {strings.Replace(whole, `"connected": 20000`, `"connected": "many"`, 1), "line"},
		"NaN":         {strings.Replace(whole, `"connected": 20000`, `"connected": NaN`, 1), "invalid character 'N'"},
		"huge":        {strings.Replace(whole, `"connected": 20000`, `"connected": 1e999`, 1), "line"},
		"histogram":   {strings.Replace(whole, `"hdr": "HIST`, `"hdr": "AAAA`, 1), "histogram"},
		"counts":      {strings.Replace(whole, `"misses": `, `"misses": 1`, 1), "disagree"},
		"phase twice": {strings.Replace(whole, `"name": "warm"`, `"name": "ramp"`, 1), "empty or taken"},
		"point":       {strings.Replace(whole, `"phase": 1`, `"phase": 77`, 1), "of phase 77"},
		"check":       {strings.Replace(whole, `"state": "advice"`, `"state": "good"`, 1), `state "good"`},
		"hist name":   {strings.Replace(whole, `"send_lag": {`, `"sent_lag": {`, 1), `"sent_lag" is not known`},
		"threshold":   {strings.Replace(whole, `"+Inf"`, `"lots"`, 1), `"lots" is no number`},
	} {
		r, err := result.Decode(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, r != nil, err, c.want)
		}
	}
	if _, err := result.Decode(strings.NewReader(`{"schema": 3}`)); !errors.Is(err, result.ErrSchema) {
		t.Errorf("schema: %v", err)
	}
	if _, err := result.ReadFile(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestWriteFileIsWholeOrNot: a folder that is not there, and an older file
// that stays.
func TestWriteFileIsWholeOrNot(t *testing.T) {
	dir := t.TempDir()
	if err := result.WriteFile(filepath.Join(dir, "no", "r.json"), sample.Make("empty")); err == nil {
		t.Error("wrote into no folder")
	}
	path := filepath.Join(dir, "r.json")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := result.WriteFile(path, sample.Make("empty")); err == nil {
		t.Error("wrote over a folder")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}

// TestNumbersThatAreNone: they are written as 0 with a note, and those of
// checks and thresholds as they are.
func TestNumbersThatAreNone(t *testing.T) {
	r := sample.Make("errors")
	r.Series[0].DialRate = math.NaN()
	r.Servers[0].Slope["rss"] = math.Inf(1)
	r.Validity[0].Value = math.Inf(1)
	r.Thresholds[1].Value = math.NaN()
	back, err := result.Decode(bytes.NewReader(encode(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	if v := back.Series[0].DialRate; v != 0 {
		t.Errorf("rate %v", v)
	}
	if !math.IsInf(back.Validity[0].Value, 1) || !math.IsNaN(back.Thresholds[1].Value) || !math.IsInf(back.Thresholds[0].Value, 1) {
		t.Errorf("check %v, thresholds %v", back.Validity[0], back.Thresholds)
	}
	notes := strings.Join(back.Notes, "\n")
	for _, want := range []string{".Series[0].DialRate was NaN", ".Servers[0].Slope[rss] was +Inf"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
}

// FuzzDecode: whatever the file, there is a result that can be used, or an
// error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":2,"verdict":"valid","scenario":{"groups":[{"name":"a"}]},"phases":[{"name":"p","tally":{"groups":[{"counts":{"expected":1}}]}}]}`))
	f.Add([]byte(`{"schema":2,"verdict":"INVALID","validity":[{"name":"x","value":"+Inf","state":"fail"}]}`))
	r := small()
	r.Phases = r.Phases[1:2]
	f.Add(encode(f, r))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := result.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		list := r.Metrics()
		back, err := result.Decode(bytes.NewReader(encode(t, r)))
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		if again := back.Metrics(); !reflect.DeepEqual(list, again) {
			t.Fatalf("other metrics: %v, %v", list, again)
		}
	})
}
