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
	size    uint16 // bytes of topic and id
	outcome uint8
}

// generations is how many tables of keys there are, each of which takes the keys of
// generationSeconds: forgetting is dropping the oldest. With n of them a key is in
// memory for (n-1)/n to 1 of n*Window/(n-1), each costs a lookup; at 5 the bound of
// Limits.Keys stands for 5,300 to 6,700 keys a second.
const (
	generations       = 5
	generationSeconds = int32(Window/time.Second) / (generations - 1)
)

// generation is the keys of some minutes. It holds no pointer.
type generation struct {
	keys  map[key]first
	bytes int64 // of topics and ids
}

// keys remembers idempotency keys, the newest generation first.
type keys struct {
	of    [generations]generation
	began uint32 // when the newest did, 0: not yet
}

func (k *keys) init() {
	for i := range k.of {
		k.of[i] = generation{keys: map[key]first{}}
	}
}

func (k *keys) len() (n int) {
	for i := range k.of {
		n += len(k.of[i].keys)
	}
	return n
}

// bytes returns how many bytes topics and ids have.
func (k *keys) bytes() (n int64) {
	for i := range k.of {
		n += k.of[i].bytes
	}
	return n
}

// turn drops the oldest generations, those out of the window. It comes before set.
func (k *keys) turn(now uint32) {
	if k.began == 0 {
		k.began = now
	}
	for range generations {
		if int32(now-k.began) < generationSeconds { // signed: a clock may be set back
			return
		}
		copy(k.of[1:], k.of[:])
		k.of[0] = generation{keys: map[key]first{}}
		k.began += uint32(generationSeconds)
	}
	k.began = now
}

func (k *keys) get(of key, now uint32) (first, bool) {
	for i := range k.of {
		if f, ok := k.of[i].keys[of]; ok {
			return f, f.expires > now
		}
	}
	return first{}, false
}

func (k *keys) set(of key, f first) {
	g := &k.of[0]
	g.bytes += int64(f.size) - int64(g.keys[of].size)
	g.keys[of] = f
}

// note sets the outcome of a key that is still known.
func (k *keys) note(of key, outcome uint8) {
	for i := range k.of {
		if f, ok := k.of[i].keys[of]; ok {
			f.outcome = outcome
			k.of[i].keys[of] = f
			return
		}
	}
}

func (k *keys) remove(of key) {
	for i := range k.of {
		g := &k.of[i]
		g.bytes -= int64(g.keys[of].size)
		delete(g.keys, of)
	}
}

// keyOf returns the key of a device's message.
func (x *index) keyOf(ref Ref, id []byte) key {
	return x.keyIn(ref, x.lives[ref].n, id)
}

// keyIn is keyOf for one of the devices that have had the number.
func (x *index) keyIn(ref Ref, life uint32, id []byte) key {
	return key{hash: maphash.Bytes(x.seed, id), ref: ref, life: life}
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
