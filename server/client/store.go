package client

import "sync"

// Store keeps what a device should remember over restarts. Load is called when
// Run begins; Save after each welcome, before each acknowledgement, and at the
// end, from one goroutine, which sends nothing meanwhile. An error of Save is
// logged: messages may then come again after a restart.
type Store interface {
	Load() (Saved, error)
	Save(Saved) error
}

// memoryStore is the Store of who has no other.
type memoryStore struct {
	mu    sync.Mutex
	saved Saved
}

func (m *memoryStore) Load() (Saved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.saved, nil
}

func (m *memoryStore) Save(v Saved) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = v
	return nil
}
