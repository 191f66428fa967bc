package cluster

import (
	"fmt"
	"strings"
	"time"

	"roost/ring"
)

// want is something that is wanted since a time.
type want struct {
	what        string
	since, last time.Time // first wanted; last changed
}

// next is the want after another look.
func (w want) next(what string, now time.Time) want {
	switch {
	case w.since.IsZero():
		return want{what, now, now}
	case w.what != what:
		return want{what, w.since, now}
	}
	return w
}

// wait returns how long until it has been quiet long enough, or was put off for
// the most that it may be; 0 or less is now.
func (w want) wait(now time.Time, quiet, most time.Duration) time.Duration {
	return max(min(w.last.Add(quiet).Sub(now), w.since.Add(most).Sub(now)), 0)
}

func fingerprint(nodes []ring.Node) string { return fmt.Sprint(nodes) }

const maxNamed = 8

// names lists some nodes with their weights.
func names(nodes []ring.Node) string {
	list := make([]string, 0, maxNamed+1)
	for i := range nodes {
		if i == maxNamed {
			list = append(list, fmt.Sprintf("and %d more", len(nodes)-maxNamed))
			break
		}
		list = append(list, fmt.Sprintf("%s (%.4g)", nodes[i].ID, nodes[i].Weight))
	}
	return orNobody(list)
}

func orNobody(list []string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list[:min(len(list), maxNamed+1)], ", ")
}
