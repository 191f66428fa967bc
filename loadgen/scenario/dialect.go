package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ability is what can be published in a dialect, so that a scenario that asks
// for more is refused before anything begins. Package dialect does it, and has
// the last word; a test there holds both together.
type ability struct {
	to      []Audience
	classes []string
	why     string // there are no others
	batches bool   // requests of several messages, answers that wait for acknowledgements, ids
}

var dialects = map[string]ability{
	"roost": {[]Audience{ToAll, ToNode, ToTopic, ToDevice}, []string{"live", "kept", "latest"},
		"devices publish nothing; use `dialect: plain` with its echo at /v1/echo", true},
	"plain":      {[]Audience{ToAll, ToNode, ToSelf}, []string{"live"}, "a bare server knows no names and topics, and keeps nothing", false},
	"centrifugo": {[]Audience{ToAll, ToNode, ToTopic, ToDevice, ToSelf}, []string{"live"}, "history is an option of the server's channels", false},
	"socketio":   {[]Audience{ToAll, ToTopic, ToDevice, ToSelf}, []string{"live"}, "events are not kept, and there is no API", false},
	"mqtt":       {[]Audience{ToAll, ToTopic, ToDevice, ToSelf}, []string{"live", "kept", "latest"}, "brokers have no API here", false},
}

// Dialects returns the names of all protocols, in order.
func Dialects() []string { return slices.Sorted(maps.Keys(dialects)) }

// Unsupported says what the target cannot do of a publish: the key that is
// wrong, to, class, batch, wait, retry or target.api, and what would be possible. Both are empty
// where there is nothing, or the dialect is not known.
func (s *Scenario) Unsupported(p *Publish) (key, text string) {
	name := s.Target.Dialect
	a, known := dialects[name]
	switch {
	case !known:
	case !slices.Contains(a.to, p.To):
		return "to", fmt.Sprintf("the dialect %s cannot publish to %s: want %s (%s)", name, p.To, oneOfThese(a.to), a.why)
	case p.To == ToNode && name != defaultDialect && len(s.Target.APIs) == 0:
		return "to", "a node is addressed at its API: give target.api (--api), one for each URL"
	case !slices.Contains(a.classes, p.Class):
		return "class", fmt.Sprintf("the dialect %s has no messages that are %s: want %s (%s)", name, p.Class, oneOfThese(a.classes), a.why)
	case p.Class == "latest" && p.To != ToTopic:
		return "class", "latest is the last value of a topic: want `to: topic`"
	case name == "mqtt" && p.Class == "kept" && !s.Reconnect.Resume:
		return "class", "a broker keeps messages for sessions: set `reconnect: {resume: true}`, or use live"
	case p.Batch > 1 && !a.batches:
		return "batch", fmt.Sprintf("the dialect %s has one message in a request: leave batch out", name)
	case p.Wait > 0 && !a.batches:
		return "wait", fmt.Sprintf("the dialect %s does not answer for acknowledgements: leave wait out", name)
	case p.Retry && !a.batches:
		return "retry", fmt.Sprintf("the dialect %s does not know a message again: leave retry out", name)
	case name == defaultDialect && len(s.Target.APIs) == 0:
		return "target.api", "is not known, and messages are published there: give it, in the file or by --api, such as http://host:8081"
	}
	return "", ""
}

// oneOfThese writes "a, b or c".
func oneOfThese[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}
