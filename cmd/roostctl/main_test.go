package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/ring/verify"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write testdata anew: go test ./cmd/roostctl -update")

// beRoostctl is set in the environment of a test program that shall be roostctl.
const beRoostctl = "ROOSTCTL_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beRoostctl) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// call runs a command line, split at spaces, and returns what it writes.
func call(t testing.TB, line, in string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	err = run(context.Background(), strings.Fields(line), strings.NewReader(in), &b, io.Discard)
	return b.String(), err
}

// golden compares with a file of testdata.
func golden(t *testing.T, dir, name, got string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", name, got)
	}
}

// inTemp makes a temporary directory the current one and returns testdata's path.
func inTemp(t *testing.T) (testdata string) {
	t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return testdata
}

// TestGolden: what each command says, one after the other on the same files.
func TestGolden(t *testing.T) {
	testdata := inTemp(t)
	for _, tt := range []struct{ file, line, in string }{
		{"build.txt", "ring build --node a-1@z1=10.0.0.1:443:1:60000 --node a-2@z1:2 --node b%3a1@z2=[::1]:443:0.5 --node idle@z2:0 --version 7 --out old.ring", ""},
		{"show.txt", "ring show old.ring", ""},
		{"show.json", "ring show --json old.ring", ""},
		{"plan.txt", "ring plan old.ring --set a-1:2 --set c-1@z3:1 --remove b:1 --devices 120000 --moves 4 --out new.json", ""},
		{"diff.txt", "ring diff old.ring new.json", ""},
		{"lookup.txt", "ring lookup new.json device-1 device-2 device-3 -n 3", ""},
		{"lookup-lines.txt", "ring lookup new.json -", "device-1\ndevice-2\t9\n\nmit Leerzeichen\r\n"},
		{"skew.txt", "ring skew a@eu-1=7210 b@eu-2=5120 c@eu-3=4054 --targets a=0.40,b=0.35,c=0.25", ""},
		{"skew-zones.txt", "ring skew a@x=6000 b@x=4000 c@y=3384 d@y=3000", ""},
		{"skew-ring.txt", "ring skew --snapshot old.ring", ""},
		{"skew-redis.txt", "ring skew " + strings.Repeat("a", 40) + "=9000 " + strings.Repeat("b", 40) + "=7384 --redis 10.0.0.1:6379", ""},
		{"verify.txt", "ring verify --snapshot new.json --generate 20000", ""},
		{"verify-seed.txt", "ring verify --nodes 4 --generate 20000 --preset roost,seed", ""},
		{"verify-load.txt", "ring verify --node a:1 --node b:1 -", strings.Repeat("eu-1\t5\n", 30) + lines(2000)},
		{"help.txt", "help", ""},
	} {
		out, err := call(t, tt.line, tt.in)
		if err != nil && !errors.Is(err, errBad) {
			t.Fatalf("%s: %v", tt.line, err)
		}
		golden(t, testdata, tt.file, out)
	}
}

func lines(n int) string {
	var b strings.Builder
	g, err := newGenerator(uint64(n), "eu-%05d", 1)
	if err != nil {
		panic(err)
	}
	_ = g.each(context.Background(), func(id []byte, _ uint64) error {
		b.Write(id)
		return b.WriteByte('\n')
	})
	return b.String()
}

// TestHelp: every command explains itself, and that is no failure.
func TestHelp(t *testing.T) {
	for _, c := range commands {
		out, err := call(t, c.name+" --help", "")
		if exitCode(err, io.Discard) != 0 || !strings.HasPrefix(out, "usage: roostctl "+c.name) || !strings.Contains(out, "\n  -") {
			t.Errorf("%s: %v, %s", c.name, err, out)
		}
	}
	for _, line := range []string{"--help", "ring -h", "ring help"} {
		if out, err := call(t, line, ""); err != nil || !strings.Contains(out, "verify") {
			t.Errorf("%s: %v, %s", line, err, out)
		}
	}
}

// badInput are command lines with what is read, and a part of what is said.
var badInput = []struct{ line, in, want string }{
	{"", "", "say what to do"},
	{"ring", "", "say what to do"},
	{"rout", "", `"rout" is unknown`},
	{"ring spin", "", "want build, show"},
	{"redis", "", "say what to do"},
	{"redis spin", "", "want skew"},
	{"ring build", "", "--out FILE"},
	{"ring build --out x", "", "--allow-empty"},
	{"ring build --out x --node a:0", "", "--allow-empty"},
	{"ring build --out - --node a:1", "", "standard output has the answer"},
	{"ring plan ok.ring --set a:2 --out -", "", "standard output has the answer"},
	{"ring verify a --nodes 2 --svg -", "", "standard output has the answer"},
	{"ring plan ok.ring --set a:2 --version 1", "", "must be above 1"},
	{"ring plan ok.ring --set a:2 --version 0", "", "must be above 1"},
	{"ring plan last.ring --set a:2", "", "the last"},
	{"ring skew --snapshot zero.ring", "", "zero.ring"},
	{"ring skew a=16384 b=1", "", "there are 16384 slots"},
	{"ring skew a=5 b=6 --targets=", "", "write each NODE=SHARE once"},
	{"ring skew --snapshot ok.ring --targets=", "", "give --snapshot alone"},
	{"ring build --out x extra", "", `unexpected argument "extra"`},
	{"ring build --out x --node a", "", "no weight"},
	{"ring build --out x --node a:one", "", `weight "one" is not a number`},
	{"ring build --out x --node a:NaN", "", "is not finite"},
	{"ring build --out x --node a:-1", "", "is negative"},
	{"ring build --out x --node :1", "", "no id"},
	{"ring build --out x --node a%zz:1", "", "%25"},
	{"ring build --out x --node a=host:1", "", "no weight"},
	{"ring build --out x --node a=:1:1", "", "write host:port"},
	{"ring build --out x --node a:1 --node a:2", "", "given twice"},
	{"ring build --out x --node a:1e9", "", "divide all weights"},
	{"ring build --out x --node a:1 --points -4", "", "must be 1 to"},
	{"ring build --out x --node a:1 --table-bits 30", "", "must be 8 to 20"},
	{"ring build --out nowhere/x --node a:1", "", "nowhere"},
	{"ring build --nonsense", "", "roostctl ring build --help"},
	{"ring show", "", "one FILE"},
	{"ring show missing.ring", "", "missing.ring"},
	{"ring show broken.ring", "", "SHORT"},
	{"ring show broken.json", "", "SHORT"},
	{"ring show text", "", "MAGIC"},
	{"ring show empty", "", "SHORT"},
	{"ring plan ok.ring", "", "give --set or --remove"},
	{"ring plan ok.ring --remove c", "", "is not in the ring"},
	{"ring plan ok.ring --set a:2 --remove a", "", "named twice"},
	{"ring plan ok.ring --set a:2 --devices -1", "", "must not be negative"},
	{"ring diff ok.ring", "", "two FILEs"},
	{"ring diff ok.ring ok.ring ok.ring", "", "unexpected argument"},
	{"ring lookup ok.ring", "", "IDs"},
	{"ring skew", "", "NODE=SLOTS"},
	{"ring skew a", "", "write NODE=SLOTS"},
	{"ring skew a=-1", "", "write NODE=SLOTS"},
	{"ring skew a=1e3", "", "write NODE=SLOTS"},
	{"ring skew =5", "", "has no node"},
	{"ring skew a=5 a=6", "", "there twice"},
	{"ring skew a=5 b=6 --targets a=1", "", "says nothing of node"},
	{"ring skew a=5 --targets a=1,b=1", "", "none of the nodes"},
	{"ring skew a=5 --targets a=1,a=2", "", "once"},
	{"ring skew a=5 --targets a=NaN", "", "weight NaN"},
	{"ring skew a=5 --threshold -1", "", "must not be negative"},
	{"ring skew a=5 --redis x:1", "", "40 hexadecimal digits"},
	{"ring skew a=5 --snapshot ok.ring", "", "give --snapshot alone"},
	{"ring lookup ok.ring a -n 0", "", "must be 1 to"},
	{"ring lookup ok.ring -", "a\tb\n", "line 1: count"},
	{"ring verify", "", "say which ids"},
	{"ring verify a b --generate 4", "", "one place"},
	{"ring verify - --file x", "", "one place"},
	{"ring verify --file missing", "", "missing"},
	{"ring verify -", "a\nb\t-1\n", "line 2: count"},
	{"ring verify -", "a\n\t7\n", "line 2: there is a count"},
	{"ring verify -", strings.Repeat("x", mostLine+1), "line 1: an id has at most"},
	{"ring verify a --nodes 3 --node a:1", "", "one place"},
	{"ring verify a --nodes -3", "", "must be 1 to"},
	{"ring verify a --nodes 70000", "", "must be 1 to"},
	{"ring verify a --snapshot ok.ring --points 7", "", "leave it out"},
	{"ring verify a --preset fnv", "", "want roost, seed"},
	{"ring verify a --preset seed,seed", "", "named twice"},
	{"ring verify a --svg x.svg", "", "give --snapshot"},
	{"ring verify a --most-ids -1", "", "MostIDs"},
	{"ring verify --generate 5 --pattern device", "", "has no number"},
	{"ring verify --generate 5 --pattern %d%d", "", "second %"},
	{"ring verify --generate 5 --pattern %s", "", "without d or x"},
	{"ring verify --generate 5 --pattern %99d", "", "width"},
	{"ring verify --generate 9000000 --pattern imei", "", "8000000 different"},
	{"ring profile", "", "say which profile"},
	{"ring profile ok.ring --url http://127.0.0.1:1", "", "say which profile"},
	{"ring profile missing", "", "missing"},
	{"ring profile text", "", "no profile"},
	{"ring profile --url 127.0.0.1:8081", "", "write the API address"},
	{"ring profile --url http://127.0.0.1:1 --seconds 0", "", "must be 1 to 600"},
	{"ring profile --url http://127.0.0.1:1 --seconds 1", "", "API address of a node?"},
}

// TestBadInput: nothing is answered, the exit code is 2, and the text says what to
// do.
func TestBadInput(t *testing.T) {
	inTemp(t)
	for name, text := range map[string]string{"broken.ring": "ROOSTRNG\x01\x00", "broken.json": `{"format":1`, "text": "hello, this is no snapshot at all", "empty": ""} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"ring build --node a:1 --node b:1 --out ok.ring", "ring build --node a:0 --allow-empty --out zero.ring",
		"ring build --node a:1 --version 18446744073709551615 --out last.ring",
	} {
		if _, err := call(t, line, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range badInput {
		out, err := call(t, tt.line, tt.in)
		var errout bytes.Buffer
		if code := exitCode(err, &errout); code != 2 || !strings.Contains(errout.String(), tt.want) || out != "" {
			t.Errorf("%s: code %d, %q, want %q; output %q", tt.line, code, errout.String(), tt.want, out)
		}
	}
}

// TestVerdictIsTheExitCode: bad is 1, and only what was asked first counts.
func TestVerdictIsTheExitCode(t *testing.T) {
	for line, want := range map[string]int{
		"ring verify --generate 50000":                      0,
		"ring verify --generate 50000 --preset seed":        1,
		"ring verify --generate 50000 --preset roost,seed":  0,
		"ring verify --generate 50000 --pattern uuid":       0,
		"ring verify --generate 50000 --pattern mac":        0,
		"ring verify --generate 50000 --pattern imei":       0,
		"ring verify --generate 50000 --pattern %08X-meter": 0,
	} {
		out, err := call(t, line, "")
		if code := exitCode(err, io.Discard); code != want || !strings.Contains(out, "verdict: ") {
			t.Errorf("%s: code %d, want %d\n%s", line, code, want, out)
		}
	}
}

// TestVerifyJSON: it is the report, and nothing else is on standard output.
func TestVerifyJSON(t *testing.T) {
	out, err := call(t, "ring verify --nodes 3 --generate 5000 --json", "")
	if err != nil {
		t.Fatal(err)
	}
	var r verify.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Lines != 5000 || r.Verdict != verify.OK || len(r.Placements) != 1 || len(r.Placements[0].PerNode) != 3 {
		t.Errorf("%+v", r)
	}
}

// TestInterrupted: a long generator ends when it is told to.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, strings.Fields("ring verify --generate 1000000000000"), nil, io.Discard, io.Discard); !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
}

// TestFailedWriteLeavesNothing: a file is there whole, or not.
func TestFailedWriteLeavesNothing(t *testing.T) {
	inTemp(t)
	if err := os.WriteFile("x.svg", []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("disk full")
	if err := writeFile(t.Context(), "x.svg", func(io.Writer) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("%v", err)
	}
	files, _ := os.ReadDir(".")
	if b, _ := os.ReadFile("x.svg"); string(b) != "before" || len(files) != 1 {
		t.Errorf("%q, %d files", b, len(files))
	}
}
