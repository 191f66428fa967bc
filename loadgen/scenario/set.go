package scenario

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// setAll puts values from outside into the file, by path.
func setAll(root *node, values map[string]string, found *findings) {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		if n := root.make(strings.Split(path, ".")); n == nil {
			found.add(place{}, path, "%s: there is no such place in the scenario; want keys joined by dots, phases and groups by their names, such as clients.count or phases.hold.publish.rate", path)
		} else {
			*n = node{text: values[path]}
		}
	}
}

// make returns the node at a path and makes it where a key is missing; nil
// where a list has no such item.
func (n *node) make(path []string) *node {
	if len(path) == 0 {
		return n
	}
	if n.kind == listNode {
		item := n.item(path[0])
		if item == nil && len(n.items) == 1 {
			return n.items[0].make(path) // a list of one is as good as the one
		}
		if item == nil {
			return nil
		}
		return item.make(path[1:])
	}
	if n.kind == scalarNode && !n.null && n.text != "" {
		*n = node{kind: mapNode} // drain becomes {rate: ...}
	}
	n.kind, n.null = mapNode, false
	value := n.child(path[0])
	if value == nil {
		value = &node{}
		n.entries = append(n.entries, entry{key: path[0], value: value})
	}
	return value.make(path[1:])
}

// item finds one of a list by its name, or by its number from 0.
func (n *node) item(key string) *node {
	for _, item := range n.items {
		if name := item.child("name"); name != nil && name.text == key {
			return item
		}
	}
	if i, err := strconv.Atoi(key); err == nil && 0 <= i && i < len(n.items) {
		return n.items[i]
	}
	return nil
}
