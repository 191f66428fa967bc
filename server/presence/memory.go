package presence

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory keeps presence in the process: for one node, and for tests of many.
type Memory struct {
	keep time.Duration
	now  func() time.Time

	mu      sync.Mutex // covers the following
	down    bool
	records map[string]*kept
	nodes   map[Owner]*memoryNode
}

// kept is a record and when it is forgotten; 0: never.
type kept struct {
	Record
	expires int64
}

// memoryNode is what is known of one start of a node.
type memoryNode struct {
	devices map[string]bool
	order   []string // sorted, for paging; nil: to be made
	beat    int64    // 0: none yet
	alive   int64    // the beat's time ends
	death   int64    // 0: not marked
	sweeper string
	until   int64 // the sweeper's time ends
	swept   bool  // a sweep has begun
	tally   Tally
}

// NewMemory returns an empty store that forgets devices keep after they have
// gone; 0 means KeepFor. clock may be nil.
func NewMemory(keep time.Duration, clock func() time.Time) *Memory {
	if keep <= 0 {
		keep = KeepFor
	}
	if clock == nil {
		clock = time.Now
	}
	return &Memory{keep: keep, now: clock, records: map[string]*kept{}, nodes: map[Owner]*memoryNode{}}
}

// KeepFor is how long the record of a device that has gone is kept, unless set
// otherwise. Its fence begins at 1 after that.
const KeepFor = 30 * 24 * time.Hour

// SetDown makes every call fail, and nothing be done, until it is set back: for
// tests of what needs a store.
func (m *Memory) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// enter locks the store; the caller unlocks it.
func (m *Memory) enter(ctx context.Context) error {
	m.mu.Lock()
	switch {
	case m.down:
		return ErrDown
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrDown, ctx.Err())
	}
	return nil
}

// at returns the record of a device, to be changed; what is not put anywhere is
// put by put.
func (m *Memory) at(device string) *kept {
	k := m.records[device]
	if k == nil || k.expires != 0 && k.expires <= m.now().UnixMilli() {
		k = &kept{}
	}
	return k
}

func (m *Memory) put(device string, k *kept) {
	k.expires = 0
	if k.Hold == Left || k.Hold == Lost {
		k.expires = m.now().Add(m.keep).UnixMilli()
	}
	if k.Hold == Nobody {
		delete(m.records, device)
		return
	}
	m.records[device] = k
}

func (m *Memory) node(o Owner) *memoryNode {
	n := m.nodes[o]
	if n == nil {
		n = &memoryNode{devices: map[string]bool{}}
		m.nodes[o] = n
	}
	return n
}

// Prepare implements Store.
func (m *Memory) Prepare(ctx context.Context, o Owner, device string) error {
	return m.Index(ctx, o, []string{device})
}

// Claim implements Store.
func (m *Memory) Claim(ctx context.Context, o Owner, device string, sid uint64, now int64, floor uint32) (Claim, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return Claim{}, err
	}
	m.add(o, device)
	k := m.at(device)
	c := k.claim(o, sid, now, floor)
	m.put(device, k)
	return c, nil
}

// Release implements Store.
func (m *Memory) Release(ctx context.Context, o Owner, batch []Release) ([]Released, error) {
	out := make([]Released, len(batch))
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return out, err
	}
	for i := range batch {
		k := m.at(batch[i].Device)
		if out[i] = k.release(o, &batch[i]); out[i].Outcome == Applied {
			m.put(batch[i].Device, k)
		}
	}
	return out, nil
}

// Refresh implements Store.
func (m *Memory) Refresh(ctx context.Context, o Owner, batch []Refresh) ([]Refreshed, error) {
	out := make([]Refreshed, len(batch))
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return out, err
	}
	for i := range batch {
		out[i] = m.at(batch[i].Device).refresh(o, &batch[i])
	}
	return out, nil
}

// Assert implements Store.
func (m *Memory) Assert(ctx context.Context, o Owner, batch []Assertion) ([]Asserted, error) {
	out := make([]Asserted, len(batch))
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return out, err
	}
	for i := range batch {
		k := m.at(batch[i].Device)
		if out[i] = k.assert(o, &batch[i]); out[i].Outcome == Applied {
			m.put(batch[i].Device, k)
		}
	}
	return out, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, devices []string) ([]Answer, error) {
	out := make([]Answer, len(devices))
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return out, err
	}
	for i, device := range devices {
		out[i] = Answer{Record: m.at(device).Record, OK: true}
	}
	return out, nil
}

// add puts a device into an index. A Memory's own mutex is held.
func (m *Memory) add(o Owner, device string) {
	if n := m.node(o); !n.devices[device] {
		n.devices[device], n.order = true, nil
	}
}

// Index implements Store.
func (m *Memory) Index(ctx context.Context, o Owner, devices []string) error {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	for _, device := range devices {
		m.add(o, device)
	}
	return nil
}

// Unindex implements Store.
func (m *Memory) Unindex(ctx context.Context, o Owner, devices []string) error {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	if n := m.nodes[o]; n != nil {
		n.remove(devices)
	}
	return nil
}

func (n *memoryNode) remove(devices []string) {
	for _, device := range devices {
		delete(n.devices, device)
	}
	n.order = nil
}

// Page implements Store. The cursor is a place in the sorted index: devices that
// leave meanwhile would shift it, so it counts from the end.
func (m *Memory) Page(ctx context.Context, o Owner, cursor uint64, limit int) ([]string, uint64, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	n := m.nodes[o]
	if n == nil || len(n.devices) == 0 {
		return nil, 0, nil
	}
	if n.order == nil {
		n.order = slices.SortedFunc(maps.Keys(n.devices), byHash)
	}
	// The cursor is the hash of the last device that was given, plus one.
	i, _ := slices.BinarySearchFunc(n.order, cursor, func(device string, c uint64) int {
		if hash(device) < c {
			return -1
		}
		return 1
	})
	end := min(i+max(limit, 1), len(n.order))
	for end < len(n.order) && end > i && hash(n.order[end]) == hash(n.order[end-1]) {
		end++
	}
	page := slices.Clone(n.order[i:end])
	if end == len(n.order) {
		return page, 0, nil
	}
	return page, hash(n.order[end-1]) + 1, nil
}

// hash is FNV-1a, 63 bits of it: an order that does not move when devices come
// and go.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h >> 1
}

func byHash(a, b string) int {
	switch x, y := hash(a), hash(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Size implements Store.
func (m *Memory) Size(ctx context.Context, o Owner) (int, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if n := m.nodes[o]; n != nil {
		return len(n.devices), nil
	}
	return 0, nil
}

// Close implements Store.
func (m *Memory) Close() error { return nil }
