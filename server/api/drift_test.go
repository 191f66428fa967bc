package api

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestStructsAreSchemas: a field of Go and a property of the file are the same
// name and type, and a property that is always there is one that Go always
// writes.
func TestStructsAreSchemas(t *testing.T) {
	for name, v := range map[string]any{
		"Result": Result{}, "Counts": Counts{}, "Device": Device{}, "Connection": Connection{}, "DeviceList": deviceList{},
		"DeviceSummary": DeviceSummary{}, "TopicList": topicList{}, "Topic": Topic{}, "Event": eventData{},
		"Consistency": Consistency{}, "Problem": problem{}, "Presence": Presence{}, "Route": Route{}, "Candidate": Candidate{},
		"Ring": Ring{}, "RingNode": RingNode{}, "Cluster": Cluster{}, "HeldRing": HeldRing{}, "ClusterMember": ClusterMember{},
		"Drain": Drain{}, "PresenceState": PresenceState{}, "PresenceNode": PresenceNode{}, "BusState": BusState{},
	} {
		schema, pointer := theSpec().at("components/schemas/" + name)
		properties, _ := schema["properties"].(object)
		var required, named []string
		for f := range reflect.TypeOf(v).Fields() {
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "-" {
				continue
			}
			if properties[tag] == nil {
				t.Errorf("%s.%s is not in the file", name, tag)
				continue
			}
			named = append(named, tag)
			if options != "omitempty" && options != "omitzero" {
				required = append(required, tag)
			}
			if wrong := -1.5; f.Type != reflect.TypeFor[json.RawMessage]() && theSpec().valid(pointer+"/properties/"+tag, wrong) == nil {
				t.Errorf("%s.%s may be %v in the file", name, tag, wrong)
			}
			if text, ok := sample(f.Type); ok && properties[tag].(object)["enum"] == nil {
				if err := theSpec().validJSON(pointer+"/properties/"+tag, []byte(text)); err != nil {
					t.Errorf("%s.%s is a %v: %v", name, tag, f.Type, err)
				}
			}
		}
		if all := slices.Sorted(maps.Keys(properties)); !slices.Equal(all, slices.Sorted(slices.Values(named))) {
			t.Errorf("%s: the file has %v, Go %v", name, all, named)
		}
		if want := texts(schema["required"]); !slices.Equal(want, slices.Sorted(slices.Values(required))) {
			t.Errorf("%s: Go always writes %v, the file requires %v", name, required, want)
		}
	}
}

// sample is a JSON value of a Go type.
func sample(t reflect.Type) (string, bool) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return `"2026-11-22T08:00:00Z"`, true
	case t == reflect.TypeFor[[]byte]():
		return `"AP8="`, true
	case t == reflect.TypeFor[[]string]():
		return `["a"]`, true
	case t == reflect.TypeFor[map[string]uint64]():
		return `{"a":1}`, true
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Slice:
		return `[]`, true
	case t.Kind() == reflect.String && t.Name() == "string":
		return `"0123456789abcdef"`, true // a name, and a hash
	case t.Kind() == reflect.Bool:
		return `true`, true
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return `404`, true
	}
	return "", false // named strings and structs: looked at on their own
}

// texts are the strings of an array, sorted.
func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, item := range list {
		all = append(all, item.(string))
	}
	slices.Sort(all)
	return all
}

// TestRequestFieldsAreSchema: what the scanner takes is what the file says.
func TestRequestFieldsAreSchema(t *testing.T) {
	schema, pointer := theSpec().at("components/schemas/Publish/properties")
	samples := map[string]string{"string": `"live"`, "array": `["a"]`, "boolean": `true`, "number": `7`, "": `{"a":[null]}`}
	for _, f := range requestFields {
		if schema[f.name] == nil {
			t.Errorf("%s is not in the file", f.name)
			continue
		}
		text := samples[f.typ]
		if f.name == "payload_base64" {
			text = `"AP8="`
		}
		if err := theSpec().validJSON(pointer+"/"+f.name, []byte(text)); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		for typ, text := range samples {
			if typ != f.typ && f.typ != "" && theSpec().validJSON(pointer+"/"+f.name, []byte(text)) == nil {
				t.Errorf("%s may be a %s in the file: want a %s", f.name, typ, f.typ)
			}
		}
	}
	if len(schema) != len(requestFields) {
		t.Errorf("the file has %d fields, the scanner %d", len(schema), len(requestFields))
	}
}

// TestEnumsAreConstants: the values in the file are the constants in types.go.
func TestEnumsAreConstants(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, 0)
	must(err)
	constants := map[string][]string{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			must(err)
			for _, prefix := range []string{"Class", "Status", "Reason", "Event"} {
				if strings.HasPrefix(v.Names[0].Name, prefix) {
					constants[prefix] = append(constants[prefix], text)
				}
			}
		}
	}
	for prefix, at := range map[string]string{
		"Class":  "components/schemas/Publish/properties/class",
		"Status": "components/schemas/Result/properties/status",
		"Reason": "components/schemas/Result/properties/reason",
		"Event":  "components/schemas/Event/properties/kind",
	} {
		schema, _ := theSpec().at(at)
		if want := slices.Sorted(slices.Values(constants[prefix])); len(want) == 0 || !slices.Equal(want, texts(schema["enum"])) {
			t.Errorf("%s: Go has %v, the file %v", prefix, want, texts(schema["enum"]))
		}
	}
}

// TestSpecCanFail: answers that are wrong are noticed.
func TestSpecCanFail(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"results":[{}]}`, `{"results":[{"status":"lost"}]}`, `{"results":[{"status":"written","seq":"7"}]}`,
		`{"results":[{"status":"written","counts":{}}]}`, `{"results":[{"status":"written","device":"a b"}]}`,
	} {
		if theSpec().validJSON("/components/schemas/Published", []byte(text)) == nil {
			t.Errorf("%s passes", text)
		}
	}
}
