package coord

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// noFact are facts of the machine on which no number depends.
var noFact = []string{"nofile"}

// comparability returns what results may be compared by: those of the same
// facts. The version under test is not among them.
func (r *run) comparability(res *result.Result) result.Comparability {
	facts := []result.Fact{fact("scenario", res.Scenario.SHA256), fact("mode", mode(r.s)),
		fact("workers", fmt.Sprint(len(r.members))), fact("sources", strings.Join(r.s.Clients.Sources, ","))}
	for _, f := range res.Environment.Host {
		if !slices.Contains(noFact, f.Name) {
			facts = append(facts, fact("host "+f.Name, f.Value))
		}
	}
	for _, f := range res.Environment.Sysctl {
		facts = append(facts, fact("sysctl "+f.Name, f.Value))
	}
	for i, s := range res.Servers {
		name := fmt.Sprintf("server %d", i)
		facts = append(facts, fact(name+" go", goVersion(s.Version)))
		for _, e := range s.Env {
			facts = append(facts, fact(name+" "+e.Name, e.Value))
		}
	}
	return result.Comparability{Hash: hash(facts), Facts: facts}
}

// goVersion is the part of a server's version that says which Go built it, with
// its experiments: "go1.26.2 X:jsonv2" of "roost v1.2.3 REVISION go1.26.2
// X:jsonv2". Empty: it is no Go program.
func goVersion(version string) string {
	words := strings.Fields(version)
	for i := len(words) - 1; i >= 0; i-- { // last, behind what a module may be called
		if v, ok := strings.CutPrefix(words[i], "go"); ok && v != "" && '0' <= v[0] && v[0] <= '9' {
			return strings.Join(words[i:], " ")
		}
	}
	return ""
}

// hash is over the facts as they are: "name=value", a line each.
func hash(facts []result.Fact) string {
	h := sha256.New()
	for _, f := range facts {
		fmt.Fprintf(h, "%q=%q\n", f.Name, f.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// mode says how far away the servers are.
func mode(s *scenario.Scenario) string {
	for _, text := range s.Target.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return "remote"
		}
		if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() != "localhost" && (err != nil || !a.IsLoopback()) {
			return "remote"
		}
	}
	return "loopback"
}
