package scenario

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"time"
)

// eachArrival calls f for every arrival of s, with its path.
func (s *Scenario) eachArrival(f func(path string, a *Arrival)) {
	for i := range s.Phases {
		p := &s.Phases[i]
		path := fmt.Sprintf("phases[%d]", i)
		if p.Ramp != nil {
			f(path+".ramp", &p.Ramp.Arrival)
		}
		for k := range p.Publish {
			f(fmt.Sprintf("%s.publish[%d]", path, k), &p.Publish[k].Arrival)
		}
		if p.Churn != nil {
			f(path+".churn", &p.Churn.Arrival)
		}
	}
}

// replays reads the files of replays that do not say their times themselves.
func (r *reader) replays(s *Scenario, in string, readFile func(string) ([]byte, error)) {
	s.eachArrival(func(path string, a *Arrival) {
		at := r.at[path+".arrival.replay.file"]
		path += ".arrival.replay.file"
		if a.Kind != Replay || a.File == "" || a.Times != nil {
			return
		}
		r.bad[path] = true
		if readFile == nil {
			r.found.add(at, path, "%s: no files can be read here", path)
			return
		}
		text, err := readFile(beside(in, a.File))
		if err != nil {
			r.found.add(at, path, "%s: cannot be read: %v", path, err)
			return
		}
		if a.Times, err = parseReplay(text); err != nil {
			r.found.add(at, path, "%s: %s: %v", path, a.File, err)
			return
		}
		delete(r.bad, path)
	})
}

// parseReplay reads due times since the phase's begin, one a line, ascending:
// seconds (1.5) or with a unit (1500ms). What stands behind # or the first
// comma, and empty lines, are left out.
func parseReplay(text []byte) ([]time.Duration, error) {
	times := []time.Duration{}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as spreadsheets write it
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		word, _, _ := strings.Cut(lines.Text(), "#")
		word, _, _ = strings.Cut(word, ",")
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		if _, seconds := number(word); seconds {
			word += "s"
		}
		if _, minus := strings.CutPrefix(word, "-"); minus {
			return nil, fmt.Errorf("line %d: %s is negative: want times since the phase's begin", n, quoted(word))
		}
		d, err := parseDuration(word)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case len(times) > 0 && d < times[len(times)-1]:
			return nil, fmt.Errorf("line %d: %s comes after %v: want ascending times", n, word, times[len(times)-1])
		case len(times) == maxReplay:
			return nil, fmt.Errorf("line %d: more than %d times", n, maxReplay)
		}
		times = append(times, d)
	}
	return times, lines.Err()
}
