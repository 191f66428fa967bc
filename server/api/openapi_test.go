package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	runtimepprof "runtime/pprof"
	"slices"
	"strings"
	"testing"
)

// TestRoutesAreInFile: every route and method is in the file and the reverse,
// and so are the parameters of each.
func TestRoutesAreInFile(t *testing.T) {
	h := NewHandler(&fakeNode{}, nil).(*handler)
	s := theSpec()
	want := s.operations()
	for path, rt := range h.routes {
		for _, m := range rt.methods {
			o := operation{m.name, path}
			if i := slices.Index(want, o); i >= 0 {
				want = slices.Delete(want, i, i+1)
			} else {
				t.Errorf("%v is not in the file", o)
			}
			var query []string
			for _, p := range s.parameters(o) {
				if p.in == "query" {
					query = append(query, p.name)
				} else if !strings.Contains(path, "{"+p.name+"}") {
					t.Errorf("%v has no %q in its path", o, p.name)
				}
			}
			slices.Sort(query)
			if has := slices.Sorted(slices.Values(rt.query)); !rt.anyQuery && !slices.Equal(query, has) {
				t.Errorf("%v takes the parameters %v, in the file it is %v", o, has, query)
			}
			if n := strings.Count(path, "{"); n != len(s.parameters(o))-len(query) {
				t.Errorf("%v: %d names in the path, in the file %d", o, n, len(s.parameters(o))-len(query))
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("in the file, but not served: %v", want)
	}
}

// parameter is one of an operation, with its example.
type parameter struct{ name, in, example string }

// parameters are those of the operation and of its path.
func (s *spec) parameters(o operation) (all []parameter) {
	for _, pointer := range []string{"paths/" + point(o.path), o.pointer()} {
		part, _ := s.at(pointer)
		list, _ := part["parameters"].([]any)
		for _, item := range list {
			p := item.(object)
			if ref, ok := p["$ref"].(string); ok {
				p, _ = s.at(strings.TrimPrefix(ref, "#/"))
			}
			all = append(all, parameter{p["name"].(string), p["in"].(string), exampleText(p["example"])})
		}
	}
	return all
}

// exampleText is an example as it stands in a URL.
func exampleText(v any) string {
	if list, ok := v.([]any); ok {
		var texts []string
		for _, item := range list {
			texts = append(texts, exampleText(item))
		}
		return strings.Join(texts, ",")
	}
	return strings.Trim(jsonText(v), `"`)
}

// exampleURL is the operation's path with the examples of its parameters.
func (s *spec) exampleURL(o operation) string {
	path, query := o.path, url.Values{}
	for _, p := range s.parameters(o) {
		if p.in == "query" && p.example != "null" {
			query.Set(p.name, p.example)
		} else if p.in == "path" {
			path = strings.ReplaceAll(path, "{"+p.name+"}", url.PathEscape(p.example))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// exampleBody is a body of the operation and its content type.
type exampleBody struct{ typ, text string }

// exampleBodies are those of the file, one that is empty if there is none.
func (s *spec) exampleBodies(o operation) (all []exampleBody) {
	content, pointer := s.at(o.pointer(), "requestBody", "content")
	for typ := range content {
		examples, _ := s.at(pointer, typ, "examples")
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			value := examples[name].(object)["value"]
			if lines, ok := value.(string); ok {
				all = append(all, exampleBody{typ, lines})
			} else {
				all = append(all, exampleBody{typ, jsonText(value)})
			}
		}
	}
	if all == nil {
		all = []exampleBody{{}}
	}
	return all
}

// mayReturn are the errors that a Node's method may return, by the operation that
// asks it. Any may also time out or fail in a way that is not foreseen.
var mayReturn = map[operation][]error{
	{"POST", routePublish}:        {ErrOverloaded, ErrStore, ErrStoreFull},
	{"GET", routeDevices}:         {ErrOverloaded, ErrStore, ErrUnknownNode, ErrAlone},
	{"GET", routeDevice}:          {ErrUnknownDevice, ErrOverloaded, ErrStore},
	{"DELETE", routeDevice}:       {ErrUnknownDevice, ErrOverloaded, ErrStore, ErrStoreFull},
	{"DELETE", routeConnection}:   {ErrUnknownDevice, ErrNotConnected, ErrOverloaded},
	{"PUT", routeSubscription}:    {ErrUnknownDevice, ErrLimit, ErrOverloaded, ErrStore, ErrStoreFull},
	{"DELETE", routeSubscription}: {ErrUnknownDevice, ErrOverloaded, ErrStore, ErrStoreFull},
	{"GET", routeTopics}:          {ErrOverloaded, ErrStore},
	{"GET", routeTopic}:           {ErrUnknownTopic, ErrOverloaded, ErrStore},
	{"DELETE", routeLatest}:       {ErrUnknownTopic, ErrOverloaded, ErrStore, ErrStoreFull},
	{"GET", routeRoute}:           {ErrAlone, ErrNoRing},
	{"GET", routeRing}:            {ErrAlone, ErrNoRing, ErrUnknownRing},
	{"GET", routeCluster}:         {ErrAlone, ErrOverloaded},
	{"GET", routeConsistency}:     {ErrOverloaded, ErrStore},
}

// TestEveryResponse: what the file says an operation answers is what it can be
// made to answer, with the file's own examples, and nothing else; call holds
// each answer to its schema.
func TestEveryResponse(t *testing.T) {
	s := theSpec()
	for _, o := range s.operations() {
		seen := map[int]bool{}
		try := func(want int, n *fakeNode, path string, body exampleBody, header ...string) {
			t.Helper()
			if body.typ != "" {
				header = append([]string{"Content-Type", body.typ}, header...)
			}
			rec, _ := call(t, n, o.method, path, body.text, header...)
			if seen[rec.Code] = true; rec.Code != want && want != 0 {
				t.Errorf("%v: %s %q: %d %s, want %d", o, path, body.text, rec.Code, rec.Body, want)
			}
		}
		path, bodies := s.exampleURL(o), s.exampleBodies(o)
		for _, body := range bodies {
			try(s.statuses(o)[0], &fakeNode{books: Consistency{OK: true}, stream: oneEvent}, path, body)
		}
		if errs, asks := mayReturn[o]; asks {
			for _, err := range append(errs, errors.New("broken"), context.DeadlineExceeded) {
				try(failure(err, "").Status, &fakeNode{err: err}, path, bodies[0])
			}
		}
		if !NewHandler(nil, nil).(*handler).routes[o.path].anyQuery {
			try(400, &fakeNode{}, strings.Split(path, "?")[0]+"?nonsense=1", bodies[0])
		}
		for _, special := range specials[o] {
			try(special.status, special.node, path, special.body, special.header...)
		}
		if o.path == routeProfile {
			try(400, &fakeNode{}, "/debug/pprof/goroutine?seconds=x", exampleBody{})
			try(404, &fakeNode{}, "/debug/pprof/nonsense", exampleBody{})
			if runtimepprof.StartCPUProfile(io.Discard) == nil { // else one is under way already
				defer runtimepprof.StopCPUProfile()
			}
			try(500, &fakeNode{}, "/debug/pprof/profile?seconds=1", exampleBody{})
		}
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, s.statuses(o)) {
			t.Errorf("%v: answered %v, the file says %v", o, got, s.statuses(o))
		}
	}
}

// oneEvent is a node that says one thing and goes down.
func oneEvent(_ context.Context, f func(*Event) error) error {
	return errors.Join(f(nil), f(&Event{Kind: EventOnline, Device: "d1"}))
}

// special is a request that makes a status that no error of the node makes.
type special struct {
	status int
	node   *fakeNode
	body   exampleBody
	header []string
}

var specials = map[operation][]special{
	{"POST", routePublish}: {
		{413, &fakeNode{}, exampleBody{text: strings.Repeat(" ", maxBody+1)}, nil},
		{415, &fakeNode{}, exampleBody{text: "{}", typ: "multipart/form-data; boundary=x"}, nil},
		{408, &fakeNode{}, exampleBody{text: lateBody}, nil},
	},
	{"GET", routeEvents}: {
		{503, &fakeNode{err: ErrOverloaded}, exampleBody{}, nil},
		{500, &fakeNode{err: errors.New("broken")}, exampleBody{}, nil},
	},
	{"GET", routeRing}:        {{304, &fakeNode{}, exampleBody{}, []string{"If-None-Match", "*"}}},
	{"GET", routeReady}:       {{503, &fakeNode{ready: errors.New("draining")}, exampleBody{}, nil}},
	{"GET", routeConsistency}: {{500, &fakeNode{books: Consistency{Problems: []string{"1 is missing"}}}, exampleBody{}, nil}},
}

// TestExamplesFitSchemas: every example of the file is what its schema wants.
func TestExamplesFitSchemas(t *testing.T) {
	s := theSpec()
	var walk func(part any, pointer string)
	walk = func(part any, pointer string) {
		switch part := part.(type) {
		case object:
			for key, sub := range part {
				walk(sub, pointer+"/"+point(key))
			}
			_, schema := s.at(pointer, "schema")
			if schema == "" {
				return
			}
			if example, ok := part["example"]; ok {
				if err := s.valid(schema, example); err != nil {
					t.Errorf("%s: %v", pointer, err)
				}
			}
			examples, _ := part["examples"].(object)
			for name, example := range examples {
				if err := s.valid(schema, example.(object)["value"]); err != nil {
					t.Errorf("%s %s: %v", pointer, name, err)
				}
			}
		case []any:
			for i, sub := range part { // parameters: at does not go through arrays
				if p, ok := sub.(object); ok && p["schema"] != nil && p["example"] != nil {
					if err := s.valid(pointer+"/"+jsonText(i)+"/schema", p["example"]); err != nil {
						t.Errorf("%s %v: %v", pointer, p["name"], err)
					}
				}
			}
		}
	}
	walk(s.doc, "")
}

// jsonText is v as JSON.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	must(err)
	return string(text)
}
