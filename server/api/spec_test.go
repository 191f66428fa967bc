package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// object is a JSON object.
type object = map[string]any

// spec is the OpenAPI file, with schemas to hold values to.
type spec struct {
	doc      object
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

const specURL = "file:///openapi.yaml"

// theSpec reads the embedded file once. A file that cannot be read panics: no
// test can go on without it.
var theSpec = sync.OnceValue(func() *spec {
	var doc any
	must(yaml.Unmarshal(openAPIFile, &doc))
	text, err := json.Marshal(doc) // numbers become what the validator knows
	must(err)
	doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	must(err)
	s := &spec{doc: doc.(object), compiler: jsonschema.NewCompiler()}
	s.compiler.AssertFormat()
	s.compiler.AssertContent()
	must(s.compiler.AddResource(specURL, doc))
	return s
})

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// at walks down to a part of the file, first along a JSON pointer and then along
// keys as they are; references on the way are followed. It returns the part, nil
// if it is not there, and its pointer.
func (s *spec) at(pointer string, keys ...string) (object, string) {
	var path []string
	for _, key := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		path = append(path, unpoint(key))
	}
	part, where := s.doc, ""
	for _, key := range append(path, keys...) {
		next, ok := part[key].(object)
		if !ok {
			return nil, ""
		}
		part, where = next, where+"/"+point(key)
		if ref, ok := part["$ref"].(string); ok && len(part) == 1 {
			part, where = s.at(strings.TrimPrefix(ref, "#/"))
		}
	}
	return part, where
}

// point and unpoint are the escapes of JSON pointers.
func point(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

func unpoint(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
}

// valid holds a value to the schema at a pointer.
func (s *spec) valid(pointer string, value any) error {
	fragment := strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer)
	s.mu.Lock()
	schema, err := s.compiler.Compile(specURL + "#" + fragment)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// validJSON holds a JSON text to the schema at a pointer.
func (s *spec) validJSON(pointer string, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return s.valid(pointer, value)
}

// operation is one method of one path.
type operation struct{ method, path string }

func (o operation) String() string { return o.method + " " + o.path }

// pointer leads to the operation in the file.
func (o operation) pointer() string {
	return "paths/" + point(o.path) + "/" + strings.ToLower(o.method)
}

// operations are all of the file.
func (s *spec) operations() (all []operation) {
	for path, item := range s.doc["paths"].(object) {
		for method := range item.(object) {
			if method != "parameters" {
				all = append(all, operation{strings.ToUpper(method), path})
			}
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// statuses are those that the file gives an operation.
func (s *spec) statuses(o operation) (all []int) {
	responses, _ := s.at(o.pointer(), "responses")
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		n, err := strconv.Atoi(status)
		must(err)
		all = append(all, n)
	}
	return all
}

// conforms holds an answer to the file. route is empty where there is none.
func (s *spec) conforms(method, route string, resp *http.Response, body []byte) error {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var response object
	var pointer string
	switch {
	case route == "":
		response, pointer = s.at("components/responses/NotFound")
	case resp.StatusCode == http.StatusMethodNotAllowed:
		response, pointer = s.at("components/responses/MethodNotAllowed")
	case resp.StatusCode == statusClientGone:
		response, pointer = s.at("components/responses/Internal") // nobody sees it: the file is silent about it
	default:
		response, pointer = s.at(operation{method, route}.pointer(), "responses", strconv.Itoa(resp.StatusCode))
	}
	if response == nil {
		return fmt.Errorf("%s %s: status %d is not in the file", method, route, resp.StatusCode)
	}
	if err := s.conformHeaders(pointer, response, resp.Header); err != nil {
		return err
	}
	content, _ := response["content"].(object)
	if content == nil {
		if len(body) > 0 {
			return errors.New("there is a body, and none in the file")
		}
		return nil
	}
	typ, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || content[typ] == nil {
		return fmt.Errorf("content type %q is not in the file: %w", typ, err)
	}
	schema, schemaPointer := s.at(pointer, "content", typ, "schema")
	switch {
	case schema == nil:
		return nil
	case strings.HasSuffix(typ, "json"):
		return s.validJSON(schemaPointer, body)
	}
	return s.valid(schemaPointer, string(body))
}

// conformHeaders holds the headers of an answer to those of the file.
func (s *spec) conformHeaders(pointer string, response object, header http.Header) error {
	headers, _ := response["headers"].(object)
	for name := range headers {
		part, _ := s.at(pointer, "headers", name)
		value := header.Get(name)
		if required, _ := part["required"].(bool); required && value == "" {
			return fmt.Errorf("header %s is missing", name)
		}
		var typed any = value
		if n, err := strconv.Atoi(value); err == nil {
			typed = n
		}
		_, schema := s.at(pointer, "headers", name, "schema")
		if err := s.valid(schema, typed); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return nil
}
