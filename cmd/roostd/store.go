package main

import (
	"fmt"
	"log/slog"
	"time"

	"roost/server/inbox"
	"roost/server/inbox/journal"
)

// openInbox opens the store of kept messages of a node by itself.
func openInbox(s *settings, log *slog.Logger) (inbox.Store, error) {
	if s.inbox == "memory" {
		return inbox.NewMemory(s.limits, nil), nil
	}
	began := time.Now()
	path := s.inboxDir()
	dir, err := journal.Dir(path)
	if err != nil {
		return nil, fmt.Errorf("data-dir %s: %w", s.dataDir, err)
	}
	store, found, err := inbox.OpenFile(inbox.FileOptions{FS: dir, Limits: s.limits,
		Space: func() (inbox.Space, error) { return inbox.SpaceOf(path) }})
	if err != nil {
		return nil, fmt.Errorf("data-dir %s: %w", s.dataDir, err)
	}
	n := store.Counts()
	log.Info("inbox", "dir", path, "devices", n.Devices, "messages", n.InFlight,
		"bytes", n.Disk, "took", time.Since(began).Round(time.Millisecond))
	if found.Lost > 0 {
		log.Error("the inbox was damaged: messages are lost, and every device is told so by a new epoch",
			"places", found.Lost, "salvaged", found.Salvaged, "first", fmt.Sprint(found.Damages))
	}
	return store, nil
}
