package ringmirror

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"roost/server/cluster"
)

// witnesses are the tags of the marks in a Redis Cluster: one in each 512 slots, so that
// each master has some, and one that has lost its data is found out by itself.
var witnesses = tags(32)

// tags returns numbers whose slots are spread evenly, as text.
func tags(n int) []string {
	list := make([]string, n)
	for i, left := 0, n; left > 0; i++ {
		tag := strconv.Itoa(i)
		if at := &list[int(slot(tag))*n/16384]; *at == "" {
			*at = tag
			left--
		}
	}
	return list
}

// slot is that of a tag in a Redis Cluster: CRC16 of XMODEM, modulo 16,384.
func slot(tag string) uint16 {
	crc := uint16(0)
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if carry := crc&0x8000 != 0; carry {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % 16384
}

// expected is a key that says whose the Redis is, and its value.
type expected struct{ key, value, todo string }

// Texts for who has another cluster's Redis.
const (
	todoPrefix   = "give one of them another --redis-prefix and another Redis, or mend the cluster id"
	todoPresence = "keys of presence have no prefix, so each cluster needs a Redis of its own"
)

// identityKeys are those that every Redis has which belongs to id.
func (s *Store) identityKeys(id cluster.Identity) ([]expected, error) {
	text, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	return []expected{{s.o.Prefix + "cluster", string(text), todoPrefix}, {presenceKey, string(text), todoPresence}}, nil
}

// markKeys are those of the mark.
func (s *Store) markKeys(inCluster bool, mark string) []expected {
	if !inCluster {
		return []expected{{key: s.o.Prefix + "data", value: mark}}
	}
	list := make([]expected, len(witnesses))
	for i, tag := range witnesses {
		list[i] = expected{key: s.o.Prefix + "data:{" + tag + "}", value: mark}
	}
	return list
}

// Mark returns the mark of the data in this Redis, "" if it has none.
func (s *Store) Mark(ctx context.Context) (string, error) {
	c, err := s.connected()
	if err != nil {
		return "", s.why(err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	for _, r := range s.read(ctx, c, s.markKeys(c.Mode() == rueidis.ClientModeCluster, "")) {
		if r.err != nil {
			return "", s.why(r.err)
		}
		if r.there {
			return r.value, nil
		}
	}
	return "", nil
}

// NewMark makes one: 26 random characters.
func NewMark() string { return rand.Text() }

// had is what a key holds.
type had struct {
	value string
	there bool
	err   error
}

// read reads keys in one pipeline.
func (s *Store) read(ctx context.Context, c rueidis.Client, keys []expected) []had {
	cmds := make(rueidis.Commands, len(keys))
	for i, k := range keys {
		cmds[i] = c.B().Get().Key(k.key).Build()
	}
	out := make([]had, len(keys))
	for i, r := range c.DoMulti(ctx, cmds...) {
		text, err := r.ToString()
		if out[i] = (had{text, err == nil, err}); rueidis.IsRedisNil(err) {
			out[i] = had{}
		}
	}
	return out
}

// whose compares what this Redis says of itself with id and mark, "" for one that is not known. lost are the keys that it
// has not. The errors are ErrForeign, and ErrUnreachable if a part of it does not answer.
func (s *Store) whose(ctx context.Context, id cluster.Identity, mark string) (lost []expected, err error) {
	c, err := s.connected()
	if err != nil {
		return nil, s.why(err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	keys, err := s.identityKeys(id)
	if err != nil {
		return nil, err
	}
	if mark != "" {
		keys = append(keys, s.markKeys(c.Mode() == rueidis.ClientModeCluster, mark)...)
	}
	for i, r := range s.read(ctx, c, keys) {
		switch k := &keys[i]; {
		case r.err != nil:
			err = s.why(r.err)
		case !r.there:
			lost = append(lost, *k)
		case r.value != k.value:
			return nil, s.foreign(k, r.value, id)
		}
	}
	return lost, err
}

// foreign words that a key is another cluster's.
func (s *Store) foreign(k *expected, found string, id cluster.Identity) error {
	if k.todo == "" {
		return fmt.Errorf("%w: %s holds the data of another cluster of this name (%s is %.30q, and etcd and the other nodes have %q): give this node the Redis of the others, or bring that one back",
			ErrForeign, s.where(), k.key, found, k.value)
	}
	var other cluster.Identity
	if json.Unmarshal([]byte(found), &other) != nil {
		return fmt.Errorf("%w: %s: %s holds %.100q, which is no cluster's: choose another Redis or prefix", ErrForeign, s.where(), k.key, found)
	}
	return fmt.Errorf("%w: %s belongs to cluster %q, environment %q (%s), and this is cluster %q, environment %q: %s",
		ErrForeign, s.where(), other.ID, other.Environment, k.key, id.ID, id.Environment, k.todo)
}

// putMarks puts keys where there are none.
func (s *Store) putMarks(ctx context.Context, keys []expected) error {
	c, err := s.connected()
	if err != nil {
		return s.why(err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	cmds := make(rueidis.Commands, len(keys))
	for i, k := range keys {
		cmds[i] = c.B().Set().Key(k.key).Value(k.value).Nx().Build()
	}
	for _, r := range c.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return s.why(err)
		}
	}
	return nil
}
