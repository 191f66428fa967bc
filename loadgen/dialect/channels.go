package dialect

import "slices"

// Servers that know channels alone have one for everybody, one for each client
// and the topics.
const (
	allChannel    = "all"
	devicePrefix  = "d/"
	firstChannels = 2 // at most, before the topics
)

// channels says which channels clients are subscribed to, and which one a
// message goes to.
type channels struct {
	cfg     *Config
	all     bool // is published to
	devices bool
	topics  bool
	names   []string // of clients that publish to themselves; filled as needed
}

func newChannels(cfg *Config) channels {
	return channels{cfg: cfg, all: cfg.wants("all") || cfg.wants("node"),
		devices: cfg.wants("device") || cfg.wants("self"), topics: cfg.wants("topic")}
}

// wants reports whether an audience is published to.
func (cfg *Config) wants(to string) bool { return cfg.To == nil || slices.Contains(cfg.To, to) }

// of returns all channels of client i. It is for greetings: it allocates.
func (c *channels) of(i uint32) []string {
	list := make([]string, 0, firstChannels)
	if c.all {
		list = append(list, allChannel)
	}
	if c.devices {
		list = append(list, devicePrefix+c.cfg.Name(i))
	}
	if c.topics {
		list = append(list, c.cfg.topics(i)...)
	}
	return list
}

// name returns the name of client i, without allocating from the second time on.
func (c *channels) name(i uint32) string {
	if c.names == nil {
		c.names = make([]string, c.cfg.Clients)
	}
	if c.names[i] == "" {
		c.names[i] = c.cfg.Name(i)
	}
	return c.names[i]
}

// to returns the channel of a message that client i publishes, in two parts.
func (c *channels) to(i uint32, m *Message) (prefix, name string) {
	switch m.To {
	case "topic":
		return "", m.Name
	case "device":
		return devicePrefix, m.Name
	case "self":
		return devicePrefix, c.name(i)
	}
	return "", allChannel
}
