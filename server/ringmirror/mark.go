package ringmirror

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

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

// expected is a key that says whose the Redis is, and its value. A mark has behind its value a dot
// and a life: random text that is another one each time the key is put. Who has seen another life
// before knows that the data were lost, also if somebody else was first to put the key again.
type expected struct {
	key, value, todo string
	mark             bool
}

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
	return []expected{{key: s.o.Prefix + "cluster", value: string(text), todo: todoPrefix}, {key: presenceKey, value: string(text), todo: todoPresence}}, nil
}

// markKeys are those of the mark.
func (s *Store) markKeys(inCluster bool, mark string) []expected {
	if !inCluster {
		return []expected{{key: s.o.Prefix + "data", value: mark, mark: true}}
	}
	list := make([]expected, len(witnesses))
	for i, tag := range witnesses {
		list[i] = expected{key: s.o.Prefix + "data:{" + tag + "}", value: mark, mark: true}
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
			mark, _, _ := strings.Cut(r.value, ".")
			return mark, nil
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
// has not, lives those of its marks. The errors are ErrForeign, and ErrUnreachable if a part of it does not answer.
func (s *Store) whose(ctx context.Context, id cluster.Identity, mark string) (lost []expected, lives map[string]string, err error) {
	c, err := s.connected()
	if err != nil {
		return nil, nil, s.why(err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	keys, err := s.identityKeys(id)
	if err != nil {
		return nil, nil, err
	}
	lives = map[string]string{}
	if mark != "" {
		keys = append(keys, s.markKeys(c.Mode() == rueidis.ClientModeCluster, mark)...)
	}
	for i, r := range s.read(ctx, c, keys) {
		k, value := &keys[i], r.value
		if k.mark {
			value, lives[k.key], _ = strings.Cut(value, ".")
		}
		switch {
		case r.err != nil:
			err = s.why(r.err)
			delete(lives, k.key)
		case !r.there:
			lost = append(lost, *k)
		case value != k.value:
			return nil, nil, s.foreign(k, r.value, id)
		}
	}
	return lost, lives, err
}

// foreign words that a key is another cluster's.
func (s *Store) foreign(k *expected, found string, id cluster.Identity) error {
	if k.mark {
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
		value := k.value
		if k.mark {
			value += "." + NewMark()
		}
		cmds[i] = c.B().Set().Key(k.key).Value(value).Nx().Build()
	}
	for _, r := range c.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return s.why(err)
		}
	}
	return nil
}
