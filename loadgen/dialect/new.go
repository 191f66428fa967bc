package dialect

import (
	"fmt"
	"slices"
	"strings"
)

// makers has all dialects, by name.
var makers = map[string]func(Config) (Dialect, error){
	"roost":      newRoost,
	"plain":      newPlain,
	"centrifugo": newCentrifugo,
	"socketio":   newSocketIO,
	"mqtt":       newMQTT,
}

// Names returns the names of all dialects, in order.
func Names() []string {
	names := make([]string, 0, len(makers))
	for name := range makers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New returns the dialect of that name. The error names the field of cfg that
// does not fit and says what would.
func New(name string, cfg Config) (Dialect, error) {
	make, known := makers[name]
	if !known {
		return nil, fmt.Errorf("dialect %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	if cfg.Clients < 0 {
		return nil, fmt.Errorf("dialect %s: %d clients: want 0 or more", name, cfg.Clients)
	}
	if cfg.Path != "" && cfg.Path[0] != '/' {
		return nil, fmt.Errorf("dialect %s: path %q of the URL: want one that begins with '/'", name, cfg.Path)
	}
	if cfg.Name == nil {
		cfg.Name = func(i uint32) string { return fmt.Sprintf("client-%d", i) }
	}
	d, err := make(cfg)
	if err != nil {
		return nil, fmt.Errorf("dialect %s: %w", name, err)
	}
	return d, nil
}

// noFormat refuses a format where there is no choice.
func (cfg *Config) noFormat() error {
	if cfg.Format != "" && cfg.Format != "json" {
		return fmt.Errorf("format %q: this dialect has one form only, leave it out", cfg.Format)
	}
	return nil
}

// topics returns what client i subscribes to.
func (cfg *Config) topics(i uint32) []string {
	if cfg.Topics == nil {
		return nil
	}
	return cfg.Topics(i)
}
