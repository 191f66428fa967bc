package scenario

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed files/*.yaml
var files embed.FS

// Shipped lists the names of the scenarios that come with the program, in
// alphabetical order.
func Shipped() []string {
	entries, err := files.ReadDir("files")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// ReadShipped returns the file of a shipped scenario, comments and all, by its
// name or a short one (FlagValues.Preset). The error of an unknown name says
// which ones there are.
func ReadShipped(name string) ([]byte, error) {
	if full, short := presets[name]; short {
		name = full
	}
	text, err := files.ReadFile("files/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no scenario %s%s", quoted(name), meant(name, Shipped()))
	}
	return text, nil
}

// About returns the description in a scenario file, empty without one, and its
// parameters with their defaults, as name=value. It reads files that Parse
// refuses as long as something must be given.
func About(text []byte) (description string, params []string) {
	var found findings
	root := parseYAML(newSource("", text, 0), text, &found)
	if root == nil {
		return "", nil
	}
	if d := root.child("description"); d != nil {
		description = d.text
	}
	if p := root.child("params"); p != nil {
		for _, e := range p.entries {
			params = append(params, e.key+"="+e.value.text)
		}
	}
	return description, params
}
