package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// reader fills a Scenario from nodes and notes what was written where.
type reader struct {
	found *findings
	at    map[string]place // by path: phases[1].publish[0].rate
	known map[string]bool  // paths that could have been written, with [] for indices
	bad   map[string]bool  // paths of values that could not be read
	later []func()         // what can be done when everything has been read
}

// field is a key of an object and what reads its value.
type field struct {
	key  string
	read func(n *node, path string)
}

var indices = regexp.MustCompile(`\[\d+\]`)

// object reads a map of known keys.
func (r *reader) object(n *node, path string, fields ...field) {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
		r.known[indices.ReplaceAllString(join(path, f.key), "[]")] = true
	}
	if n.null {
		return
	}
	if n.kind != mapNode {
		r.bad[path] = true
		r.found.add(n.at, path, "%s: want keys with values here: {%s: ...}; there are: %s", path, keys[0], strings.Join(keys, ", "))
		return
	}
	for _, e := range n.entries {
		i := slices.Index(keys, e.key)
		if i < 0 {
			r.found.add(e.at, join(path, e.key), "unknown key `%s`%s", clipKey(e.key), meant(e.key, keys))
			continue
		}
		at := join(path, e.key)
		r.at[at] = e.value.at
		fields[i].read(e.value, at)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func clipKey(key string) string {
	if runes := []rune(key); len(runes) > 40 {
		return string(runes[:37]) + "..."
	}
	return key
}

// list reads a list, or one item without brackets, and calls each for every
// item.
func (r *reader) list(n *node, path string, most int, each func(n *node, path string)) {
	items := n.items
	if n.kind != listNode {
		items = []*node{n}
	}
	if len(items) > most {
		r.found.add(items[most].at, path, "%s: more than %d: want fewer", path, most)
		items = items[:most]
	}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.at[at] = item.at
		each(item, at)
	}
}

// value reads a scalar by parse.
func value[T any](r *reader, dst *T, parse func(string) (T, error)) func(*node, string) {
	return func(n *node, path string) {
		if n.broken {
			r.bad[path] = true
			return
		}
		if n.kind != scalarNode || n.null {
			r.bad[path] = true
			r.found.add(n.at, path, "%s: want one value here", path)
			return
		}
		v, err := parse(n.text)
		if err != nil {
			r.bad[path] = true
			r.found.add(n.at, path, "%s: %v%s", path, err, n.note)
			return
		}
		*dst = v
	}
}

func (r *reader) count(dst *int) func(*node, string)    { return value(r, dst, parseCount) }
func (r *reader) rate(dst *float64) func(*node, string) { return value(r, dst, parseRate) }
func (r *reader) duration(dst *time.Duration) func(*node, string) {
	return value(r, dst, parseDuration)
}
func (r *reader) size(dst *int) func(*node, string)       { return value(r, dst, parseSize) }
func (r *reader) share(dst *float64) func(*node, string)  { return value(r, dst, parseShare) }
func (r *reader) number(dst *float64) func(*node, string) { return value(r, dst, parseNumber) }
func (r *reader) text(dst *string) func(*node, string)    { return value(r, dst, parseText) }

func parseText(text string) (string, error) {
	if len(text) > 64<<10 {
		return "", fmt.Errorf("has %d bytes: want at most 65536", len(text))
	}
	return text, nil
}

func (r *reader) boolean(dst *bool) func(*node, string) {
	return value(r, dst, func(text string) (bool, error) {
		switch text {
		case "true", "false":
			return text == "true", nil
		}
		return false, fmt.Errorf("%s: want true or false", quoted(text))
	})
}

// name reads a name of a phase or group.
func (r *reader) name(dst *string) func(*node, string) {
	return value(r, dst, func(text string) (string, error) {
		if !isName(text) {
			return "", fmt.Errorf("%s: %s", quoted(text), nameRule)
		}
		return text, nil
	})
}

// oneOf reads one of some words.
func oneOf[T ~string](r *reader, dst *T, words ...T) func(*node, string) {
	return value(r, dst, func(text string) (T, error) {
		names := make([]string, len(words))
		for i, w := range words {
			names[i] = string(w)
			if text == string(w) {
				return w, nil
			}
		}
		return "", fmt.Errorf("%s: want one of %s", quoted(text), strings.Join(names, ", "))
	})
}

// texts reads one text, several with commas between, or a list of them.
func (r *reader) texts(dst *[]string) func(*node, string) {
	return func(n *node, path string) {
		*dst = nil
		if n.null {
			return
		}
		r.list(n, path, maxList, func(n *node, path string) {
			var text string
			r.text(&text)(n, path)
			for part := range strings.SplitSeq(text, ",") {
				if part = strings.TrimSpace(part); part != "" {
					*dst = append(*dst, part)
				}
			}
		})
	}
}

// lines reads one text or a list of them, commas and all.
func (r *reader) lines(dst *[]string) func(*node, string) {
	return func(n *node, path string) {
		*dst = nil
		if n.null {
			return
		}
		r.list(n, path, maxList, func(n *node, path string) {
			var text string
			r.text(&text)(n, path)
			*dst = append(*dst, text)
		})
	}
}

// portion reads clients as a number, or as a share of all, which is known when
// everything has been read.
func (r *reader) portion(dst *int, all *int) func(*node, string) {
	return func(n *node, path string) {
		if n.kind != scalarNode || !strings.HasSuffix(n.text, "%") {
			r.count(dst)(n, path)
			return
		}
		var share float64
		r.share(&share)(n, path)
		r.later = append(r.later, func() { *dst = int(share*float64(*all) + 0.5) })
	}
}
