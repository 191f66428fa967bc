package dialect

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/server/ws"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts replays what servers said (<) and compares what the dialect
// does about it: what it sends (>) and what it tells the engine (!). The first
// line names the dialect and its configuration. Lines with "hex" are binary
// messages; "time D" lets time pass, "closed CODE" ends the connection and
// "dial" begins the next one.
func TestTranscripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.transcript")
	if len(files) < 5 {
		t.Fatalf("%d transcripts", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".transcript"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("got:\n%s\nwant:\n%s", got, text)
			}
		})
	}
}

// replay plays the server's lines of a transcript and returns all of it.
func replay(t *testing.T, text string) string {
	head, rest, _ := strings.Cut(text, "\n")
	d := mustNew(t, strings.Fields(head)[1], transcriptConfig(head))
	now, c := time.Hour, uint8(0)
	n := &notes{lines: []string{head}}
	for line := range strings.SplitSeq(strings.TrimSpace(rest), "\n") {
		what, arg, _ := strings.Cut(line, " ")
		if what == ">" || what == "!" {
			continue
		}
		n.lines = append(n.lines, line)
		switch what {
		case "dial":
			c++
			n.over = false
			var r ws.ClientRequest
			d.Request(0, c, now, &r)
			n.note("! GET %s %v", r.Path, r.Protocols)
			d.Opened(0, c, now, n)
		case "<":
			op, data := ws.OpText, []byte(arg)
			if text, binary := strings.CutPrefix(arg, "hex "); binary {
				op = ws.OpBinary
				data, _ = hex.DecodeString(text)
			}
			d.Message(0, c, now, op, data, n)
		case "time":
			pass, err := time.ParseDuration(arg)
			if err != nil {
				t.Fatal(err)
			}
			now += pass
			if at := d.Deadline(0); at != 0 && at <= now {
				d.Time(0, c, now, n)
			}
		case "closed":
			end := End{Greeted: true, Code: map[string]uint16{"": 0, "1006": 1006, "3501": 3501, "4001": 4001, "4303": 4303}[arg]}
			if d.Closed(0, c, now, end) < 0 {
				n.lines = append(n.lines, "! never again")
			}
		case "#":
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	if n.after > 0 {
		t.Errorf("%d calls behind Fail", n.after)
	}
	return strings.Join(n.lines, "\n") + "\n"
}

// transcriptConfig reads a first line: # DIALECT [format=F] [topics=A,B] [to=A,B] [resume].
func transcriptConfig(head string) Config {
	cfg := Config{Clients: 1, Name: deviceName}
	for _, field := range strings.Fields(head)[2:] {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "format":
			cfg.Format = value
		case "topics":
			cfg.Topics = func(uint32) []string { return strings.Split(value, ",") }
		case "to":
			cfg.To = strings.Split(value, ",")
		case "resume":
			cfg.Resume = true
		}
	}
	return cfg
}
