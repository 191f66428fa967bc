package cluster

import (
	"bytes"
	"maps"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring/snapshot"
)

// View is all that etcd says, up to one revision. It never changes, nor do its
// maps: each event makes another one.
type View struct {
	// Revision is etcd's, up to which the view is complete; 0 before the first
	// list.
	Revision int64
	// Members are those that count as there, by id: the keys under /nodes/, and
	// Held.
	Members map[string]Member
	// Held are members whose key is gone, but who stay until a second look confirms
	// it, because more than half went at once; by the time when they went.
	Held map[string]time.Time
	// Weights are the published ones that have not expired, by id.
	Weights map[string]Weight
	// Pointer says which rings are in force; zero if there is none.
	Pointer Pointer
	// Zones are the factors of zones; zero if there are none.
	Zones ZoneFactors
	// Config holds the keys under /config/, by what follows it.
	Config map[string]Entry
	// Refused says why keys do not count that cannot be read, by key.
	Refused map[string]error
	// Stale is zero as long as etcd is heard, else the time at which it was heard
	// last: all of this is as it was then.
	Stale time.Time
	// History names the data that Revision counts in: it is another one once etcd has
	// lost them. Empty before the first list.
	History string

	// Snapshots that the watch has brought, the latest few, so that the router need
	// not read them.
	snapshots []seenVersion
	// When the event arrived that made this view.
	arrived time.Time
}

// Entry is a key of no type of ours.
type Entry struct {
	Value    []byte // not to be changed
	Revision int64  // mod revision
}

// seenVersion is a stored version that the watch has brought.
type seenVersion struct {
	version uint64
	bytes   []byte
}

const (
	maxSeen    = 4
	maxRefused = 64
)

// Has reports whether a member is there, with its key.
func (v *View) Has(id string) bool {
	_, member := v.Members[id]
	_, held := v.Held[id]
	return member && !held
}

// seen returns the bytes of a version if the watch has brought them, with that
// content.
func (v *View) seen(version uint64, hash Hash) []byte {
	for i := range v.snapshots {
		if s := &v.snapshots[i]; s.version == version && Hash(snapshot.ContentHash(s.bytes)) == hash {
			return s.bytes
		}
	}
	return nil
}

// draft is a view that is being made of another one: a map is copied before it is
// changed for the first time.
type draft struct {
	View
	keys   keys
	before *View // whose maps are shared until copied
	copied [4]bool
}

const (
	copyMembers = iota
	copyWeights
	copyConfig
	copyRefused
)

// from begins a draft of v, without anything that is held.
func from(v *View, k keys) *draft { return &draft{View: *v, keys: k, before: v} }

// empty begins a draft of a list. Members whose value cannot be read are taken
// from before.
func empty(before *View, k keys) *draft {
	d := &draft{keys: k, before: before, copied: [4]bool{true, true, true, true}}
	d.Members, d.Weights = map[string]Member{}, map[string]Weight{}
	d.Config, d.Refused = map[string]Entry{}, map[string]error{}
	d.snapshots = before.snapshots
	return d
}

func own[V any](d *draft, which int, m map[string]V) map[string]V {
	if d.copied[which] {
		return m
	}
	d.copied[which] = true
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// put takes note of a key and its value.
func (d *draft) put(kv *mvccpb.KeyValue) {
	key := string(kv.Key)
	of, name := d.keys.parse(key)
	var err error
	switch of {
	case nodeKey:
		err = d.putMember(name, kv)
	case weightKey:
		var w Weight
		if w, err = decodeWeight(name, kv.Value, kv.ModRevision); err == nil {
			d.Weights = own(d, copyWeights, d.Weights)
			d.Weights[name] = w
		}
	case activeKey:
		// One that cannot be read leaves the last one in force.
		var p Pointer
		if p, err = decodePointer(kv.Value, kv.ModRevision); err == nil {
			d.Pointer = p
		} else {
			d.Pointer = d.before.Pointer
		}
	case zonesKey:
		err = d.putZones(kv)
	case configKey:
		d.Config = own(d, copyConfig, d.Config)
		d.Config[name] = Entry{bytes.Clone(kv.Value), kv.ModRevision}
	case versionKey:
		d.putVersion(name, kv)
	}
	d.refuse(key, err)
}

func (d *draft) putMember(id string, kv *mvccpb.KeyValue) error {
	m, err := decodeMember(id, kv.Value, kv.CreateRevision)
	if err != nil {
		// Somebody has spoilt the key. As long as it is there, on its lease, the
		// node is.
		old, known := d.before.Members[id]
		if !known || old.Created != kv.CreateRevision {
			return err
		}
		m = old
	}
	d.Members = own(d, copyMembers, d.Members)
	d.Members[id] = m
	return err
}

func (d *draft) putVersion(name string, kv *mvccpb.KeyValue) {
	version, ok := parseVersion(name)
	if !ok || len(kv.Value) > MaxSnapshot {
		return
	}
	keep := d.snapshots
	if len(keep) >= maxSeen {
		keep = keep[len(keep)-maxSeen+1:]
	}
	// Not appended in place: other views share the array.
	d.snapshots = append(append(make([]seenVersion, 0, maxSeen), keep...), seenVersion{version, bytes.Clone(kv.Value)})
}

// remove takes note of a key that was deleted.
func (d *draft) remove(key string) {
	of, name := d.keys.parse(key)
	switch of {
	case nodeKey:
		d.Members = own(d, copyMembers, d.Members)
		delete(d.Members, name)
	case weightKey:
		d.Weights = own(d, copyWeights, d.Weights)
		delete(d.Weights, name)
	case activeKey:
		d.Pointer = Pointer{}
	case zonesKey:
		d.Zones = ZoneFactors{}
	case configKey:
		d.Config = own(d, copyConfig, d.Config)
		delete(d.Config, name)
	}
	d.refuse(key, nil)
}

// refuse takes note of why a key does not count, or that it does.
func (d *draft) refuse(key string, err error) {
	if _, was := d.Refused[key]; !was && (err == nil || len(d.Refused) >= maxRefused) {
		return
	}
	d.Refused = own(d, copyRefused, d.Refused)
	if err == nil {
		delete(d.Refused, key)
	} else {
		d.Refused[key] = err
	}
}

// apply takes note of events, but for those that a list has brought already.
func (d *draft) apply(events []*clientv3.Event) {
	for _, e := range events {
		if e.Kv.ModRevision <= d.before.Revision {
			continue
		}
		if e.Type == clientv3.EventTypeDelete {
			d.remove(string(e.Kv.Key))
		} else {
			d.put(e.Kv)
		}
		d.Revision = max(d.Revision, e.Kv.ModRevision)
	}
}
