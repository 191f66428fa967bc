package scenario

import (
	"path"
	"strings"
)

// maxIncludes bounds how deep files include each other.
const maxIncludes = 8

// loader reads a file and what it includes.
type loader struct {
	readFile func(name string) ([]byte, error)
	found    *findings
	files    int
}

// load reads text and merges it over the file that it includes; nil after a
// problem.
func (l *loader) load(name string, text []byte, from []string) *node {
	src := newSource(name, text, l.files)
	l.files++
	root := parseYAML(src, text, l.found)
	if root == nil {
		return nil
	}
	if root.kind != mapNode {
		l.found.add(root.at, "", "want keys with values, such as `phases: [...]`")
		return nil
	}
	root.root = true
	include := root.child("include")
	if include == nil {
		return root
	}
	if include.kind != scalarNode || include.null {
		l.found.add(include.at, "include", "want one file, such as base.yaml")
		return nil
	}
	base := l.include(include, name, append(from, name))
	if base == nil {
		return nil
	}
	return merge(base, root)
}

// include reads the file that at names, relative to the one it stands in.
func (l *loader) include(at *node, in string, from []string) *node {
	file := beside(in, at.text)
	switch {
	case l.readFile == nil:
		l.found.add(at.at, "include", "no files can be read here")
		return nil
	case len(from) > maxIncludes:
		l.found.add(at.at, "include", "more than %d files include each other: %s", maxIncludes, strings.Join(from, " > "))
		return nil
	}
	for _, f := range from {
		if f == file {
			l.found.add(at.at, "include", "%s includes itself: %s", file, strings.Join(append(from, file), " > "))
			return nil
		}
	}
	text, err := l.readFile(file)
	if err != nil {
		l.found.add(at.at, "include", "cannot be read: %v", err)
		return nil
	}
	return l.load(file, text, from)
}

// beside returns the path of a file that another one names.
func beside(in, file string) string {
	if path.IsAbs(file) {
		return file
	}
	return path.Join(path.Dir(in), file)
}

// merge lays over on base: maps key by key, everything else as a whole.
func merge(base, over *node) *node {
	if base.kind != mapNode || over.kind != mapNode {
		return over
	}
	out := &node{kind: mapNode, at: over.at, root: over.root, entries: base.entries}
	for _, e := range over.entries {
		known := false
		for i, b := range out.entries {
			if b.key == e.key {
				out.entries[i] = entry{e.key, e.at, merge(b.value, e.value)}
				known = true
			}
		}
		if !known {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

// child returns the value of a key, nil without it.
func (n *node) child(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}
