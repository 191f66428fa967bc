package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// section is a part of a bench with a section of the report of its own.
type section struct {
	name string
	run  func(context.Context) error
}

// runSections runs those that were asked for, all if none was named.
func runSections(ctx context.Context, all []section, only []string) error {
	for _, s := range all {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// checkOnly says which name is none of those that there are.
func checkOnly(only, names []string) error {
	for _, name := range only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no %q: want %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// sectionNames lists them.
func sectionNames(all []section) (names []string) {
	for _, s := range all {
		names = append(names, s.name)
	}
	return names
}
