package inbox

import (
	"hash/maphash"
	"time"
)

// key names an idempotency key: of a device, or (ref 0) of a topic or all, whose
// name is part of the hash. Two ids of the same device share a hash once in
// 2^64, in a table of at most some thousand ids a device.
type key struct {
	hash uint64
	ref  Ref
	life uint32 // see index.lives
}

// first is what is remembered of the first message with a key.
type first struct {
	seq     uint64 // of the message; of a spread, its receivers
	expires uint32 // s since 1970
	outcome uint8
}

// keys remembers idempotency keys in two generations, so that forgetting is
// dropping the older one. Neither holds a pointer.
type keys struct {
	current, previous map[key]first
	began             uint32 // when current did
}

func (k *keys) init() { k.current, k.previous = map[key]first{}, map[key]first{} }

func (k *keys) len() int { return len(k.current) + len(k.previous) }

// turn drops the older generation when it is out of the window.
func (k *keys) turn(now uint32) {
	if int32(now-k.began) < int32(Window/time.Second) { // signed: a clock may be set back
		return
	}
	k.previous, k.current, k.began = k.current, map[key]first{}, now
}

func (k *keys) get(of key, now uint32) (first, bool) {
	f, ok := k.current[of]
	if !ok {
		f, ok = k.previous[of]
	}
	return f, ok && f.expires > now
}

func (k *keys) set(of key, f first) { k.current[of] = f }

// note sets the outcome of a key that is still known.
func (k *keys) note(of key, outcome uint8) {
	for _, m := range []map[key]first{k.current, k.previous} {
		if f, ok := m[of]; ok {
			f.outcome = outcome
			m[of] = f
			return
		}
	}
}

func (k *keys) remove(of key) {
	delete(k.current, of)
	delete(k.previous, of)
}

// keyOf returns the key of a device's message.
func (x *index) keyOf(ref Ref, id []byte) key {
	return key{hash: maphash.Bytes(x.seed, id), ref: ref, life: x.lives[ref]}
}

// spreadKey returns the key of a message to a topic, "" for all. No topic and no
// id holds a zero byte.
func (x *index) spreadKey(topic string, id []byte) key {
	var h maphash.Hash
	h.SetSeed(x.seed)
	h.WriteString(topic)
	h.WriteByte(0)
	h.Write(id)
	return key{hash: h.Sum64()}
}

// keyExpires is when a key that was used at now is forgotten: after the window,
// or the ttl if shorter.
func keyExpires(now, ttl uint32) uint32 { return now + min(ttl, uint32(Window/time.Second)) }
