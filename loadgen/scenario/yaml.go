package scenario

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of what is read. The parser's time grows with the square of what it
// reads where many keys or many spaces follow each other, and its stack with
// the nesting; within these bounds it takes some seconds at the worst, and a
// sensible file some milliseconds.
const (
	maxFile   = 1 << 20 // a resolved replay is one long string
	maxTokens = 20_000
	maxNested = 32
	maxSpaces = 1000 // one after the other
)

// kind is what a node is.
type kind uint8

const (
	scalarNode kind = iota
	mapNode
	listNode
)

// node is what is left of YAML: text, maps of text, lists. Every scalar is
// text, whatever YAML would take it for, since ours have units.
type node struct {
	kind    kind
	at      place
	text    string  // of a scalar
	null    bool    // a scalar that is not there
	broken  bool    // a scalar with a parameter that has no value: reported already
	note    string  // a scalar's parameters, for messages
	root    bool    // the map of the whole file
	entries []entry // of a map, in order
	items   []*node // of a list
}

type entry struct {
	key   string
	at    place // of the key
	value *node
}

// parseYAML reads one file into nodes.
func parseYAML(src *source, text []byte, found *findings) *node {
	if at, what := unreadable(text); what != "" {
		at.in = src
		found.add(at, "", "%s", what)
		return nil
	}
	body, at, err := syntax(hideParams(string(text)))
	if err != nil {
		at.in = src
		found.add(at, "", "%v", err)
		return nil
	}
	b := builder{src, found}
	if body == nil {
		found.add(place{src, 1, 1}, "", "the file is empty: want at least `phases:`; loadgen scenarios shows ready ones")
		return nil
	}
	return b.node(body, 0)
}

// unreadable finds what the parser must not get, or would say nothing helpful
// about.
func unreadable(text []byte) (at place, what string) {
	at = place{nil, 1, 1}
	s := string(text)
	switch {
	case len(text) > maxFile:
		return at, fmt.Sprintf("the file has %d bytes: want at most %d", len(text), maxFile)
	case strings.HasPrefix(s, "\ufeff"):
		return at, "the file begins with a byte order mark: save it as UTF-8 without one"
	case strings.HasPrefix(s, "\xff\xfe"), strings.HasPrefix(s, "\xfe\xff"):
		return at, "the file is UTF-16: save it as UTF-8"
	}
	depth := 0
	for i, line := range strings.Split(s, "\n") {
		at.line = i + 1
		if what := unreadableLine(line, &depth, &at.column); what != "" {
			return at, what
		}
	}
	return at, ""
}

func unreadableLine(line string, depth, column *int) string {
	*column = 1
	indented := true
	spaces := 0
	for i, r := range line {
		if spaces++; r != ' ' {
			spaces = 0
		}
		switch {
		case spaces > maxSpaces:
			return fmt.Sprintf("more than %d spaces", maxSpaces)
		case r == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd"):
			return "is not UTF-8 here"
		case r == '\t' && indented:
			return "a tab in the indentation: YAML wants spaces"
		case r < ' ' && r != '\t' && (r != '\r' || i != len(line)-1), r == 0x7f:
			return fmt.Sprintf("a control character (%#x) in the text", r)
		case r == paramOpen || r == paramClose:
			return fmt.Sprintf("the character %U cannot be used here", r)
		case r == '[' || r == '{':
			*depth++
		case (r == ']' || r == '}') && *depth > 0:
			*depth--
		}
		if *depth > maxNested {
			return fmt.Sprintf("more than %d brackets are open here", maxNested)
		}
		indented = indented && (r == ' ' || r == '-' || r == '?')
		if indented && i > 2*maxNested && strings.Count(line[:i], "-")+strings.Count(line[:i], "?") > maxNested {
			return fmt.Sprintf("more than %d lists in lists", maxNested)
		}
		*column++
	}
	return ""
}

// syntax parses YAML and returns its only document's body, nil if that is
// empty. A panic of the parser is its answer to some malformed texts.
func syntax(text string) (body ast.Node, at place, err error) {
	at = place{nil, 1, 1}
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, fmt.Errorf("is not YAML: the parser gives up (%v)", p)
		}
	}()
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxTokens {
		return nil, at, fmt.Errorf("the file has %d words and signs: want at most %d", len(tokens), maxTokens)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	var wrong *yaml.SyntaxError
	if errors.As(err, &wrong) {
		if wrong.Token != nil && wrong.Token.Position != nil {
			at.line, at.column = wrong.Token.Position.Line, wrong.Token.Position.Column
		}
		return nil, at, fmt.Errorf("is not YAML: %s", wrong.Message)
	}
	if err != nil {
		return nil, at, fmt.Errorf("is not YAML: %w", err)
	}
	if len(file.Docs) > 1 {
		if start := file.Docs[1].Start; start != nil {
			at.line, at.column = start.Position.Line, start.Position.Column
		}
		return nil, at, errors.New("a second document begins here: want one scenario a file")
	}
	if len(file.Docs) == 1 {
		body = file.Docs[0].Body
	}
	if _, comment := body.(*ast.CommentGroupNode); comment {
		body = nil
	}
	return body, at, nil
}

// builder makes nodes of the parser's tree.
type builder struct {
	src   *source
	found *findings
}

func (b *builder) place(n ast.Node) place {
	if n == nil || n.GetToken() == nil {
		return place{b.src, 1, 1}
	}
	p := n.GetToken().Position
	return place{b.src, p.Line, p.Column}
}

// node converts n; nil after a problem.
func (b *builder) node(n ast.Node, depth int) *node {
	if depth > maxNested {
		b.found.add(b.place(n), "", "more than %d levels deep", maxNested)
		return nil
	}
	out := &node{at: b.place(n)}
	switch v := n.(type) {
	case *ast.MappingNode:
		out.kind = mapNode
		for _, e := range v.Values {
			b.entry(out, e, depth)
		}
		if len(out.entries) > 0 && v.Start != nil && v.Start.Value != "{" {
			out.at = out.entries[0].at // the token of a block is its first colon
		}
	case *ast.MappingValueNode:
		out.kind = mapNode
		b.entry(out, v, depth)
	case *ast.SequenceNode:
		out.kind = listNode
		for _, item := range v.Values {
			if c := b.node(item, depth+1); c != nil {
				out.items = append(out.items, c)
			}
		}
	case *ast.NullNode:
		out.null = true
	case *ast.LiteralNode:
		out.text = v.Value.Value
	case *ast.StringNode:
		out.text = v.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.text = n.GetToken().Value
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		b.found.add(out.at, "", "anchors and aliases are not read: use params, include, or `publish: same`")
		return nil
	case *ast.TagNode:
		b.found.add(out.at, "", "tags are not read: every value's kind follows from its key")
		return nil
	default:
		b.found.add(out.at, "", "want a value here")
		return nil
	}
	return out
}

func (b *builder) entry(out *node, e *ast.MappingValueNode, depth int) {
	at := b.place(e.Key)
	switch e.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
	case *ast.MergeKeyNode:
		b.found.add(at, "", "anchors and aliases are not read: use params, include, or `publish: same`")
		return
	default:
		b.found.add(at, "", "want a plain key here, such as `name:`")
		return
	}
	key := e.Key.GetToken().Value
	for _, before := range out.entries {
		if before.key == key {
			b.found.add(at, "", "key `%s` is there already, in line %d", key, before.at.line)
			return
		}
	}
	if value := b.node(e.Value, depth+1); value != nil {
		if value.null {
			value.at = at
		}
		out.entries = append(out.entries, entry{key, at, value})
	}
}
