package redisinbox

import (
	"slices"
	"strconv"
	"time"

	"roost/server/inbox"
)

// What a failover has lost is found out by whoever had seen it: the device, or the node that it is connected to. Of a message
// to one that is away only the node knows that has stored it. So each remembers the last one that it has stored for each such
// device, for acceptedFor at least, and asks whether they are there when it has a new connection, which may be to another
// Redis than before. Where one is not, the device gets a new stream, as if it had seen it itself. With Options.Replicas
// nothing is lost that way, and nothing remembered.
const (
	// acceptedFor is longer than a failover takes, and any time that a replica is behind.
	acceptedFor = 30 * time.Second
	// acceptedMost bounds the devices: there are two sets of so many, 9 MiB. Of more, the latest are known.
	acceptedMost = 32 << 10
)

// accepted is covered by Store.mu.
type accepted struct {
	last, before map[string]acceptance // by device
	since        time.Time             // of last
}

// acceptance is a message that was stored.
type acceptance struct {
	epoch inbox.Epoch
	seq   uint64
	tag   uint32
}

// note remembers a message.
func (a *accepted) note(device string, v acceptance) {
	if now := time.Now(); len(a.last) >= acceptedMost || now.Sub(a.since) > acceptedFor {
		a.last, a.before, a.since = map[string]acceptance{}, a.last, now
	}
	a.last[device] = v
}

// all returns what is remembered, the latest of each device.
func (a *accepted) all() map[string]acceptance {
	all := make(map[string]acceptance, len(a.last)+len(a.before))
	for _, m := range []map[string]acceptance{a.before, a.last} {
		for device, v := range m {
			all[device] = v
		}
	}
	return all
}

// accepted remembers a message to a device that is not connected here: what is, looks by itself. mu is held.
func (s *Store) accepted(device string, d *device, epoch inbox.Epoch, seq uint64, tag uint32) {
	if s.opt.Replicas == 0 && (d == nil || d.fence == 0 || d.leftAt != 0 || d.stale) {
		s.memory.note(device, acceptance{epoch, seq, tag})
	}
}

// audits is how many devices are asked about at once, each second: 80 ms of Redis.
const audits = 16 * spreadSlice

// audit asks whether what is remembered is there, if there is a new connection, as far as Redis answers; the rest
// the next time.
func (s *Store) audit() {
	if s.redis.dialed.Swap(false) {
		s.mu.Lock()
		s.audits = s.memory.all()
		s.mu.Unlock()
	}
	var devices []string
	for device := range s.audits {
		if devices = append(devices, device); len(devices) == audits {
			break
		}
	}
	for some := range slices.Chunk(devices, spreadSlice) {
		calls := make([]call, len(some))
		for i, device := range some {
			n, v := s.names(device), s.audits[device]
			calls[i] = call{script: auditScript, keys: []string{n.list(), n.head()},
				args: []string{v.epoch.String(), strconv.FormatUint(v.seq, 10), tagText(v.tag), inbox.RandomEpoch().String()}}
		}
		for i, r := range s.redis.do(calls, false) {
			if r.err != nil {
				continue
			}
			delete(s.audits, some[i])
			n, _ := r.v.(int64)
			s.mu.Lock()
			s.n.Lost += uint64(max(n, 0))
			s.mu.Unlock()
		}
	}
}
