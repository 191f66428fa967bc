package scenario

import (
	"maps"
	"slices"
	"strings"
)

// ${name} stands for a parameter. In YAML's flow maps a brace would end the
// map, so the parser gets other characters for these two, one for one: all
// columns stay what they are.
const (
	paramOpen  = '\ue000'
	paramClose = '\ue001'
)

// hideParams replaces the braces of ${name}; $${ stands for ${ itself and is
// left alone.
func hideParams(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], '}')
		name := ""
		if end > 0 {
			name = text[i+2 : i+end]
		}
		if !isName(name) || i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i+2])
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i+1])
		b.WriteRune(paramOpen)
		b.WriteString(name)
		b.WriteRune(paramClose)
		text = text[i+end+1:]
	}
	b.WriteString(text)
	return b.String()
}

// isName is the rule for names of parameters, phases and groups: they are
// parts of metrics' names, and of flags.
func isName(s string) bool {
	if s == "" || len(s) > 64 || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

const nameRule = "want a name of letters, digits, _ and -, that begins with a letter and has at most 64 of them"

// param is a parameter with its value.
type param struct {
	value string
	given bool // there is a value
}

// readParams takes `params:` out of the file, and values from outside.
func readParams(root *node, given map[string]string, found *findings) map[string]param {
	params := map[string]param{}
	if n := root.child("params"); n != nil && n.kind != mapNode && !n.null {
		found.add(n.at, "params", "want parameters with their defaults, such as {count: 1000, rate: 100/s}")
	} else if n != nil {
		for _, e := range n.entries {
			path := "params." + e.key
			switch {
			case !isName(e.key):
				found.add(e.at, path, "parameter %s: %s", quoted(e.key), nameRule)
			case e.value.kind != scalarNode:
				found.add(e.value.at, path, "parameter `%s`: want one value, or none if it must be given", e.key)
			case strings.ContainsRune(e.value.text, paramOpen):
				found.add(e.value.at, path, "parameter `%s`: a default cannot refer to a parameter", e.key)
			default:
				params[e.key] = param{e.value.text, !e.value.null}
			}
		}
	}
	names := slices.Sorted(maps.Keys(params))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := params[name]; known {
			params[name] = param{given[name], true}
			continue
		}
		found.add(place{}, "params."+name, "there is no parameter %s%s", quoted(name), meant(name, names))
	}
	return params
}

// maxUses bounds the parameters in one value.
const maxUses = 100

// substitute puts the parameters' values into all scalars below n.
func substitute(n *node, params map[string]param, found *findings) {
	for _, item := range n.items {
		substitute(item, params, found)
	}
	for _, e := range n.entries {
		if e.key == "params" && n.root {
			continue
		}
		substitute(e.value, params, found)
	}
	if n.kind != scalarNode {
		return
	}
	var b strings.Builder
	rest := n.text
	for used := 0; ; used++ {
		before, after, has := strings.Cut(rest, string(paramOpen))
		if !has {
			break
		}
		name, after, _ := strings.Cut(after, string(paramClose))
		p, known := params[name]
		switch {
		case !known:
			found.add(n.at, "", "there is no parameter `%s`%s", name, undeclared(name, params))
			n.broken = true
		case !p.given:
			found.add(n.at, "", "parameter `%s` has no default: give it by -p %s=VALUE", name, name)
			n.broken = true
		}
		n.note += " (" + name + " is " + quoted(p.value) + ")"
		b.WriteString(strings.TrimSuffix(before, "$"))
		b.WriteString(p.value)
		rest = after
		if b.Len() > maxFile || used == maxUses {
			found.add(n.at, "", "is too long with its parameters")
			n.broken = true
		}
		if n.broken {
			return
		}
	}
	b.WriteString(rest)
	n.text = strings.ReplaceAll(b.String(), "$${", "${")
}

// undeclared says what to do about a parameter that is not declared.
func undeclared(name string, params map[string]param) string {
	if m := meant(name, slices.Sorted(maps.Keys(params))); strings.HasPrefix(m, ",") {
		return m
	}
	return ": declare it, as `params: {" + name + ": DEFAULT}`"
}

// meant suggests what was meant by a misspelt name: the nearest, if at most a
// third of its letters differ, and else all that there are.
func meant(name string, names []string) string {
	best, least := "", len(name)/3+2
	for _, n := range names {
		if d := distance(name, n); n != "" && d < least {
			best, least = n, d
		}
	}
	switch {
	case best != "":
		return ", did you mean `" + best + "`?"
	case len(names) == 0:
		return "; there are none"
	}
	return "; there are: " + strings.Join(names, ", ")
}

// distance is how many letters have to be put in, left out or changed
// (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
