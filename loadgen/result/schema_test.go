package result_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
	"roost/loadgen/tally"
)

const schemaPath = "../../docs/result.schema.json"

// TestSchema: the published schema takes what is written, and refuses what is
// no result.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for _, name := range sample.Names {
		if err := validate(encode(t, sample.Make(name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := validate(encode(t, &result.Result{Schema: result.Schema, Verdict: result.Valid})); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	whole := string(encode(t, sample.Make("errors")))
	for name, bad := range map[string]string{
		"other":     `{"a": 1}`,
		"schema":    strings.Replace(whole, `"schema": 2`, `"schema": 1`, 1),
		"verdict":   strings.Replace(whole, `"breached"`, `"fine"`, 1),
		"negative":  strings.Replace(whole, `"expected": 0`, `"expected": -1`, 1),
		"type":      strings.Replace(whole, `"connected": 20000`, `"connected": "many"`, 1),
		"state":     strings.Replace(whole, `"state": "advice"`, `"state": "good"`, 1),
		"number":    strings.Replace(whole, `"+Inf"`, `"lots"`, 1),
		"histogram": strings.Replace(whole, `"hiccup"`, `"hickup"`, 1),
	} {
		if bad == whole {
			t.Errorf("%s: nothing was changed", name)
		}
		if validate([]byte(bad)) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestSchemaHasEveryField holds schema and types together.
func TestSchemaHasEveryField(t *testing.T) {
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{reflect.TypeFor[time.Time](): true, reflect.TypeFor[tally.Hist](): true}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		properties := schema.Properties
		if typ != reflect.TypeFor[result.Result]() {
			properties = schema.Defs[definition(typ)].Properties
		}
		fields := map[string]bool{}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields[name] = true
			if properties[name] == nil {
				t.Errorf("%s has no %s of %s", schemaPath, name, typ)
			}
			walk(typ.Field(i).Type)
		}
		for name := range properties {
			if !fields[name] {
				t.Errorf("%s has %s, which %s has not", schemaPath, name, typ)
			}
		}
	}
	walk(reflect.TypeFor[result.Result]())
}

// definition is the name of a type in the schema: serverUse, tallyGroup.
func definition(typ reflect.Type) string {
	if strings.HasSuffix(typ.PkgPath(), "/tally") && typ.Name() != "Tally" {
		return "tally" + typ.Name()
	}
	return strings.ToLower(typ.Name()[:1]) + typ.Name()[1:]
}
