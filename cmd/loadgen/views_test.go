package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/coord"
	"roost/loadgen/result"
)

// nowhere is a run that fails soon: nobody listens at port 1.
func nowhere(t *testing.T, flags ...string) (coord.Exit, string, string) {
	t.Helper()
	return here(t, append([]string{"run", file(t, "small.yaml", scenarioText), "--url", "ws://127.0.0.1:1/", "--api", "http://127.0.0.1:1", "-p", "hold=100ms"}, flags...)...)
}

// lastLine returns the last line of a stream.
func lastLine(t *testing.T, stream string) (line struct{ Kind, Verdict string }) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stream), "\n")
	for _, l := range lines {
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
	}
	return line
}

// TestStream: to a file, whose last line is the verdict, or to standard output,
// which then has nothing else.
func TestStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.jsonl")
	_, out, errout := nowhere(t, "--quiet", "--stream", path, "--prometheus", ":0")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if last := lastLine(t, string(text)); last.Kind != "verdict" || last.Verdict == "" || !strings.Contains(out, "small") {
		t.Errorf("last line %+v, out %q", last, out)
	}
	if !strings.Contains(errout, "metrics at http://127.0.0.1:") || strings.Contains(errout, "phase 1/") {
		t.Errorf("errout %q", errout)
	}
	_, out, errout = nowhere(t, "--stream", "-")
	if last := lastLine(t, out); last.Kind != "verdict" || !strings.Contains(errout, "Phases") {
		t.Errorf("last line %+v, errout %q", last, errout)
	}
	if strings.Contains(out+errout, "\x1b") {
		t.Error("codes of a terminal where there is none")
	}
}

// TestViewsThatCannotBe are mistakes before anything is begun.
func TestViewsThatCannotBe(t *testing.T) {
	for _, c := range [][]string{{"--prometheus", "nonsense"}, {"--prometheus", "127.0.0.1:x"}, {"--stream", filepath.Join(t.TempDir(), "no", "file")}} {
		exit, _, errout := nowhere(t, c...)
		if exit != coord.ExitError || !strings.Contains(errout, c[0]) || strings.Contains(errout, "phase") {
			t.Errorf("%v: exit %d, %q", c, exit, errout)
		}
	}
}

// TestSearchRefusesFlagsOfOneRun: they would be obeyed by none, or by each.
func TestSearchRefusesFlagsOfOneRun(t *testing.T) {
	for _, flag := range []string{"--dry-run", "--out=x", "--html=x", "--stream=x", "--prometheus=:0"} {
		exit, _, errout := here(t, "search", "smoke", "--over", "count", "--from", "1", "--to", "2", flag)
		if exit != coord.ExitUsage || !strings.Contains(errout, "not defined") {
			t.Errorf("%s: exit %d, %q", flag, exit, errout)
		}
	}
}

// TestReaderThatGoesAway does not end the run: it goes on to its result, with a
// note.
func TestReaderThatGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	args := append([]string{"run", file(t, "small.yaml", scenarioText), "-p", "hold=3s", "--no-ceiling", "--stream", "-", "--out", path}, node(t)...)
	cmd, _ := process(t, args...)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if _, err := in.Read(make([]byte, 1)); err != nil { // the first line begins
		t.Fatal(err)
	}
	in.Close()
	err = cmd.Wait()
	res, readErr := result.ReadFile(path)
	if readErr != nil {
		t.Fatalf("run: %v; result: %v", err, readErr)
	}
	if cmd.ProcessState.ExitCode() != int(coord.ExitOf(res, nil)) || res.Verdict != result.Valid {
		t.Errorf("exit %d, verdict %s", cmd.ProcessState.ExitCode(), res.Verdict)
	}
	if !strings.Contains(strings.Join(res.Notes, "\n"), "broken pipe") {
		t.Errorf("notes %q", res.Notes)
	}
}
