package redisinbox

import (
	"hash/fnv"
	"strconv"
	"time"

	"roost/server/inbox"
)

// Keys in Redis, behind Options.Prefix. What belongs to a device has its hash tag and so lies in one slot; braces
// and percent signs of ids are escaped, so that no id changes the tag.
//
//	inbox:{d}          list      what waits
//	inbox:{d}:h        hash      p the state of the stream (lua/lib.lua: last number, acknowledged, fence, epoch and the like), i indexed
//	inbox:{d}:k:<n>    hash      idempotency keys of ten minutes
//	sub:{d}            set       topics of the device
//	inbox:all:<shard>  zset      every device that is known, by name
//	topic:<t>:<shard>  zset      devices of a topic, by name
//	inbox:topics       zset      topics that there are, by name
//	latest:<t>         string    expires(4) content
//	body:<name>        string    content of a message to many
//	spread:<t>\x00<id> string    receivers of a message to many that had this id; "" while it is under way
//
// Indexes may name devices too many (index.go): a device is asked before it is given anything.

// shards is in how many parts an index of devices lies: over as many slots of a
// cluster, and none of them large.
const shards = 16

// keyWindow is how long one hash takes idempotency keys: who looks in the hash of now
// and in the one before sees all of inbox.Window.
const keyWindow = uint32(inbox.Window / time.Second)

// maxKeys is how many idempotency keys one device may use in keyWindow.
const maxKeys = 10_000

// names are the keys of one device.
type names struct {
	prefix string
	tag    string // {d}
}

// An id that begins with } or % gets a % before it: a tag {} would be none, and no two ids
// have the same keys. The record of the device's presence lies in the same slot by the
// same rule.
func (s *Store) names(id string) names {
	if id != "" && (id[0] == '}' || id[0] == '%') {
		id = "%" + id
	}
	return names{s.opt.Prefix, "{" + id + "}"}
}

func (n names) list() string { return n.prefix + "inbox:" + n.tag }
func (n names) head() string { return n.prefix + "inbox:" + n.tag + ":h" }
func (n names) subs() string { return n.prefix + "sub:" + n.tag }

// keys returns the hashes of idempotency keys at now, the newer one first.
func (n names) keys(now uint32) (this, before string) {
	k := n.prefix + "inbox:" + n.tag + ":k:"
	w := now / keyWindow
	return k + strconv.FormatUint(uint64(w), 10), k + strconv.FormatUint(uint64(w-1), 10)
}

// shardOf returns where an index has the device.
func shardOf(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % shards)
}

// indexKey returns the key of a part of the index of a topic, or of all.
func (s *Store) indexKey(topic string, shard int) string {
	if topic == "" {
		return s.opt.Prefix + "inbox:all:" + strconv.Itoa(shard)
	}
	return s.topicPrefix() + topic + ":" + strconv.Itoa(shard)
}

func (s *Store) topicPrefix() string           { return s.opt.Prefix + "topic:" }
func (s *Store) topicsKey() string             { return s.opt.Prefix + "inbox:topics" }
func (s *Store) latestKey(topic string) string { return s.opt.Prefix + "latest:" + topic }
func (s *Store) bodyKey(name string) string    { return s.opt.Prefix + "body:" + name }
func (s *Store) spreadKey(t, id string) string { return s.opt.Prefix + "spread:" + t + "\x00" + id }
