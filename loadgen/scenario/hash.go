package scenario

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// Hash returns the SHA-256 of what was done, in hex: two results may be
// compared only if it is the same. It is over the resolved text without what
// does not change the load or the numbers:
//
//   - name and description: words;
//   - scheme, host and port of target.url and target.api: the server is what is
//     compared. How many there are, and their paths, stay;
//   - thresholds and validity: they judge numbers and do not make them;
//   - server: processes to look at. The command of a hook is the operator's;
//     that there is a hook stays, in its phase;
//   - the file name of a replay, whose times stay.
func (s *Scenario) Hash() string {
	c := *s
	c.Target.URLs = withoutHosts(s.Target.URLs)
	c.Target.APIs = withoutHosts(s.Target.APIs)
	c.Phases = append([]Phase(nil), s.Phases...)
	for i := range c.Phases {
		p := &c.Phases[i]
		p.Publish = append([]Publish(nil), p.Publish...)
		if p.Ramp != nil {
			ramp := *p.Ramp
			p.Ramp = &ramp
		}
		if p.Churn != nil {
			churn := *p.Churn
			p.Churn = &churn
		}
	}
	c.eachArrival(func(_ string, a *Arrival) { a.File = "" })
	var w writer
	w.run(&c)
	sum := sha256.Sum256([]byte(w.b.String()))
	return hex.EncodeToString(sum[:])
}

// withoutHosts leaves path and query of URLs.
func withoutHosts(urls []string) []string {
	out := make([]string, len(urls))
	for i, text := range urls {
		if u, err := url.Parse(text); err == nil {
			out[i] = u.RequestURI()
		}
	}
	return out
}
