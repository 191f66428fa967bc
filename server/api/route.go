package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The routes, as the OpenAPI file and the metrics call them.
const (
	routePublish      = "/v1/publish"
	routeDevices      = "/v1/devices"
	routeDevice       = "/v1/devices/{device}"
	routeConnection   = "/v1/devices/{device}/connection"
	routeSubscription = "/v1/devices/{device}/topics/{topic}"
	routeTopics       = "/v1/topics"
	routeTopic        = "/v1/topics/{topic}"
	routeLatest       = "/v1/topics/{topic}/latest"
	routeEvents       = "/v1/events"
	routeRoute        = "/v1/route"
	routeRing         = "/v1/ring"
	routeCluster      = "/v1/cluster"
	routeConsistency  = "/debug/consistency"
	routeProfiles     = "/debug/pprof/"
	routeProfile      = "/debug/pprof/{profile}"
	routeHealth       = "/healthz"
	routeReady        = "/readyz"
	routeMetrics      = "/metrics"
	routeOpenAPI      = "/openapi.yaml"
)

// route is a path with what answers there.
type route struct {
	path     string
	methods  []method
	allow    string   // the header of a 405
	query    []string // parameters that it takes
	anyQuery bool     // it looks at its query itself, or does not mind: scrapers and probes add things
	endless  bool     // it ends with its client
}

// method is one method of a route.
type method struct {
	name  string
	serve func(*exchange)
}

// method returns what serves the method, nil if nothing does. HEAD is like GET;
// net/http leaves the body out.
func (rt *route) method(name string) func(*exchange) {
	if name == http.MethodHead {
		name = http.MethodGet
	}
	for i := range rt.methods {
		if rt.methods[i].name == name {
			return rt.methods[i].serve
		}
	}
	return nil
}

// addRoutes fills the table of routes.
func (h *handler) addRoutes() {
	get := func(f func(*exchange)) method { return method{http.MethodGet, f} }
	put := func(f func(*exchange)) method { return method{http.MethodPut, f} }
	del := func(f func(*exchange)) method { return method{http.MethodDelete, f} }
	h.add(route{path: routePublish}, method{http.MethodPost, h.publish})
	h.add(route{path: routeDevices, query: []string{"after", "limit", "node", "online"}}, get(h.devices))
	h.add(route{path: routeDevice}, get(h.device), del(h.removeDevice))
	h.add(route{path: routeConnection}, del(h.disconnect))
	h.add(route{path: routeSubscription}, put(h.subscribe), del(h.unsubscribe))
	h.add(route{path: routeTopics, query: []string{"after", "limit"}}, get(h.topics))
	h.add(route{path: routeTopic}, get(h.topic))
	h.add(route{path: routeLatest}, del(h.clearTopic))
	// GET on a path that ends in /latest is of the topic of that name: see match.
	h.routes[routeLatest].allow = "GET, HEAD, DELETE"
	h.add(route{path: routeEvents, query: []string{"kind", "device"}, endless: true}, get(h.events))
	h.add(route{path: routeRoute, query: []string{"device", "failed"}}, get(h.route))
	h.add(route{path: routeRing, query: []string{"format", "version"}}, get(h.ring))
	h.add(route{path: routeCluster}, get(h.cluster))
	h.add(route{path: routeConsistency}, get(h.consistency))
	h.add(route{path: routeProfiles, anyQuery: true}, get(profiles))
	h.add(route{path: routeProfile, anyQuery: true, endless: true}, get(profile))
	h.add(route{path: routeHealth, anyQuery: true}, get(health))
	h.add(route{path: routeReady, anyQuery: true}, get(h.ready))
	h.add(route{path: routeMetrics, anyQuery: true}, get(h.metrics))
	h.add(route{path: routeOpenAPI, anyQuery: true}, get(openAPI))
}

// add adds a route with its methods.
func (h *handler) add(rt route, methods ...method) {
	rt.methods = methods
	var allow []string
	for _, m := range methods {
		if allow = append(allow, m.name); m.name == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	rt.allow = strings.Join(allow, ", ")
	h.routes[rt.path] = &rt
}

// names are those in a path.
type names struct{ device, topic, profile string }

// fixed are the routes that are their own path.
var fixed = []string{routePublish, routeDevices, routeTopics, routeEvents, routeRoute, routeRing, routeCluster, routeConsistency, routeProfiles,
	routeHealth, routeReady, routeMetrics, routeOpenAPI}

// match finds the route of a path that is still percent-encoded.
//
// A name may contain slashes. Percent-encoded (fw%2Feu) it is always taken for
// what it is. The last name of a path may also be written as it is: everything
// behind /v1/topics/ is the topic, and everything behind
// /v1/devices/{device}/topics/. That is unambiguous because DELETE on a topic is
// there only with /latest behind the name, and GET only without: GET on
// /v1/topics/fw/latest is of the topic "fw/latest", DELETE of the topic "fw". A
// device is always one segment, as more may follow it.
//
// Without a route the problem is a 404; with one it is about a name.
func match(method, path string) (pattern string, n names, bad *problem) {
	if slices.Contains(fixed, path) {
		return path, n, nil
	}
	if rest, ok := strings.CutPrefix(path, "/v1/devices/"); ok && rest != "" {
		return matchDevice(path, rest)
	}
	if rest, ok := strings.CutPrefix(path, "/v1/topics/"); ok && rest != "" {
		name, latest := strings.CutSuffix(rest, "/latest")
		if latest && name != "" && method != http.MethodGet && method != http.MethodHead {
			n.topic, bad = unescape("topic", name)
			return routeLatest, n, bad
		}
		n.topic, bad = unescape("topic", rest)
		return routeTopic, n, bad
	}
	if rest, ok := strings.CutPrefix(path, routeProfiles); ok {
		n.profile = rest
		return routeProfile, n, nil
	}
	return "", n, notFound(path, "")
}

// matchDevice finds the route of a path below /v1/devices/.
func matchDevice(path, rest string) (pattern string, n names, bad *problem) {
	device, tail, more := strings.Cut(rest, "/")
	topic, hasTopic := strings.CutPrefix(tail, "topics/")
	switch {
	case !more:
		pattern = routeDevice
	case tail == "connection":
		pattern = routeConnection
	case hasTopic && topic != "":
		pattern = routeSubscription
		n.topic, bad = unescape("topic", topic)
	default:
		return "", n, notFound(path, "; a slash in the id of a device is written %2F")
	}
	var badDevice *problem
	if n.device, badDevice = unescape("device", device); badDevice != nil {
		bad = badDevice
	}
	return pattern, n, bad
}

// unescape decodes and checks a name in a path.
func unescape(parameter, s string) (string, *problem) {
	name, err := url.PathUnescape(s)
	if err != nil {
		return "", invalidParameter(parameter, fmt.Sprintf("the %s in the path cannot be read: %v", parameter, err))
	}
	if !printable(name) {
		return "", invalidParameter(parameter, parameter+" "+nameRule)
	}
	return name, nil
}

// notFound is the answer where nothing is.
func notFound(path, hint string) *problem {
	return &problem{Title: "Not found", Status: http.StatusNotFound,
		Detail: fmt.Sprintf("there is nothing at %s%s; see /openapi.yaml for what there is", clip([]byte(path)), hint)}
}
