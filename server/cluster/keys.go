package cluster

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultPrefix is the prefix of all keys.
const DefaultPrefix = "/roost"

const maxPrefix = 255

// keys names every key there is. Who writes which is in the package's
// documentation.
type keys struct{ prefix string }

func newKeys(prefix string) (keys, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	switch {
	case prefix[0] != '/' || prefix[len(prefix)-1] == '/':
		return keys{}, fmt.Errorf("%w: prefix %q: it begins with / and does not end with it, like %s", ErrOptions, prefix, DefaultPrefix)
	case len(prefix) > maxPrefix:
		return keys{}, fmt.Errorf("%w: a prefix of %d bytes: at most %d", ErrOptions, len(prefix), maxPrefix)
	case strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }):
		return keys{}, fmt.Errorf("%w: prefix %q has spaces, control characters or bytes that are not UTF-8", ErrOptions, prefix)
	}
	return keys{prefix}, nil
}

const (
	inNodes    = "/nodes/"
	inWeights  = "/weights/"
	inVersions = "/rings/v/"
	inConfig   = "/config/"
	active     = "/rings/active"
	zoned      = "/rings/zones"
)

func (k keys) all() string                  { return k.prefix + "/" }
func (k keys) cluster() string              { return k.prefix + "/cluster" }
func (k keys) history() string              { return k.prefix + "/history" }
func (k keys) redis() string                { return k.prefix + "/redis" }
func (k keys) nodes() string                { return k.prefix + inNodes }
func (k keys) node(id string) string        { return k.prefix + inNodes + id }
func (k keys) weights() string              { return k.prefix + inWeights }
func (k keys) weight(id string) string      { return k.prefix + inWeights + id }
func (k keys) learned(id string) string     { return k.prefix + "/learned/" + id }
func (k keys) versions() string             { return k.prefix + inVersions }
func (k keys) version(v uint64) string      { return k.prefix + inVersions + strconv.FormatUint(v, 10) }
func (k keys) active() string               { return k.prefix + active }
func (k keys) zones() string                { return k.prefix + zoned }
func (k keys) planner() string              { return k.prefix + "/planner" }
func (k keys) config() string               { return k.prefix + inConfig }
func (k keys) under(relative string) string { return k.prefix + relative }

// kind is what a key is of.
type kind uint8

const (
	otherKey kind = iota
	nodeKey
	weightKey
	versionKey
	activeKey
	configKey
	zonesKey
)

// parse says what a key is of, and its name: the id of a node, the number of a
// version, the part of a configuration key after /config/. Keys of no interest
// to a view are otherKey.
func (k keys) parse(key string) (kind, string) {
	rest, ok := strings.CutPrefix(key, k.prefix)
	if !ok {
		return otherKey, ""
	}
	switch rest {
	case active:
		return activeKey, ""
	case zoned:
		return zonesKey, ""
	}
	for _, p := range []struct {
		of     kind
		prefix string
	}{{nodeKey, inNodes}, {weightKey, inWeights}, {versionKey, inVersions}, {configKey, inConfig}} {
		if name, ok := strings.CutPrefix(rest, p.prefix); ok && name != "" {
			return p.of, name
		}
	}
	return otherKey, ""
}

// parseVersion reads the number of a version's key; only its one spelling counts.
func parseVersion(name string) (uint64, bool) {
	v, err := strconv.ParseUint(name, 10, 64)
	return v, err == nil && v > 0 && strconv.FormatUint(v, 10) == name
}
