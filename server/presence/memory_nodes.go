package presence

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Beat implements Store.
func (m *Memory) Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (bool, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return false, err
	}
	n := m.node(o)
	n.beat, n.alive = m.now().UnixMilli(), m.now().Add(ttl).UnixMilli()
	return revive && n.revive(), nil
}

func (n *memoryNode) revive() bool {
	was := n.death != 0
	n.death, n.swept, n.sweeper, n.until, n.tally = 0, false, "", 0, Tally{}
	return was
}

// Nodes implements Store.
func (m *Memory) Nodes(ctx context.Context) (Nodes, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return Nodes{}, err
	}
	out := Nodes{Now: m.now().UnixMilli(), Beats: map[Owner]int64{}, Deaths: map[Owner]int64{}}
	for o, n := range m.nodes {
		if n.beat != 0 {
			out.Beats[o] = n.beat
		}
		if n.death != 0 {
			out.Deaths[o] = n.death
		}
	}
	return out, nil
}

// Dead implements Store.
func (m *Memory) Dead(ctx context.Context, o Owner, at int64) (bool, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return false, err
	}
	n := m.node(o)
	if n.death != 0 {
		return false, nil
	}
	n.death = at
	return true, nil
}

// Revive implements Store.
func (m *Memory) Revive(ctx context.Context, o Owner) (bool, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return false, err
	}
	n := m.nodes[o]
	return n != nil && n.revive(), nil
}

// SweepTake implements Store.
func (m *Memory) SweepTake(ctx context.Context, dead Owner, by string, ttl time.Duration) (bool, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return false, err
	}
	n, now := m.nodes[dead], m.now()
	if n == nil || n.death == 0 || n.alive > now.UnixMilli() || n.sweeper != "" && n.sweeper != by && n.until > now.UnixMilli() {
		return false, nil
	}
	n.swept, n.sweeper, n.until = true, by, now.Add(ttl).UnixMilli()
	return true, nil
}

// Sweep implements Store.
func (m *Memory) Sweep(ctx context.Context, dead Owner, now int64, limit int) ([]SweptDevice, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n := m.nodes[dead]
	if n == nil || n.alive > m.now().UnixMilli() {
		return nil, nil
	}
	devices := slices.Sorted(maps.Keys(n.devices))
	devices = devices[:min(len(devices), limit)]
	out := make([]SweptDevice, len(devices))
	for i, device := range devices {
		k := m.at(device)
		out[i] = SweptDevice{Device: device, Found: k.sweep(dead, now), Fence: k.Fence}
		if out[i].Found == SweepLost {
			m.put(device, k)
		}
	}
	n.remove(devices)
	n.tally = n.tally.plus(out)
	return out, nil
}

// plus adds what a sweep found.
func (t Tally) plus(found []SweptDevice) Tally {
	for _, d := range found {
		switch d.Found {
		case SweepLost, SweepBefore:
			t.Lost++
		case SweepBack:
			t.Back++
		case SweepStale:
			t.Stale++
		}
	}
	return t
}

// SweepEnd implements Store.
func (m *Memory) SweepEnd(ctx context.Context, dead Owner) (Tally, bool, error) {
	err := m.enter(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return Tally{}, false, err
	}
	n := m.nodes[dead]
	if n == nil || len(n.devices) > 0 || !n.swept || n.alive > m.now().UnixMilli() {
		return Tally{}, false, nil
	}
	delete(m.nodes, dead)
	return n.tally, true, nil
}
