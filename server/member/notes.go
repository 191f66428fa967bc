package member

import (
	"log/slog"
	"sync"
	"time"

	"roost/server/cluster"
)

// notes logs what is being mended, each thing once in a while: where etcd is away five
// loops say so several times a second.
type notes struct {
	log *slog.Logger

	mu   sync.Mutex           // covers the following
	last map[string]time.Time // by what was said
}

const (
	noteEvery = 10 * time.Second
	maxNotes  = 64
)

func newNotes(log *slog.Logger) *notes { return &notes{log: log, last: map[string]time.Time{}} }

// note is cluster.Options.Note.
func (n *notes) note(x cluster.Note) {
	if n.due(x.What, time.Now()) {
		n.log.Warn("cluster: "+x.What, "err", x.Err)
	}
}

// due reports whether to say a thing.
func (n *notes) due(what string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, said := n.last[what]; said && now.Sub(at) < noteEvery {
		return false
	}
	if len(n.last) >= maxNotes {
		clear(n.last)
	}
	n.last[what] = now
	return true
}
