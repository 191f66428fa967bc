package plan

import "strings"

// hint is what can be done about a class of errors. An empty stage or part
// stands for any.
type hint struct {
	stage, class, part string // part is in the text
	what               string
}

// hints are in the order of looking: the first that fits is given.
var hints = []hint{
	// The generator's own limits.
	{"", "EADDRNOTAVAIL", "bind", "not an address of this machine: give others with clients.sources, or add it: ip addr add ADDRESS dev DEVICE"},
	{"", "EADDRNOTAVAIL", "", "no source port is free towards this destination: give more clients.sources, set clients.port_range: auto, or widen net.ipv4.ip_local_port_range; after churn, TIME_WAIT holds ports for 60 s"},
	{"", "EADDRINUSE", "", "source ports are taken by somebody else: give more clients.sources, or a clients.port_range of its own to each generator"},
	{"", "EMFILE", "", "this process is out of descriptors: raise ulimit -n, or use more workers (--workers)"},
	{"", "ENFILE", "", "the whole machine is out of descriptors: raise fs.file-max"},
	{"", "ENOSPC", "", "out of epoll watches: raise fs.epoll.max_user_watches"},
	{"", "ENOBUFS", "", "the kernel has no buffers: raise net.ipv4.tcp_mem, or connect fewer"},
	{"", "ENOMEM", "", "out of memory: a connection takes 4 KB of the kernel's at each end; connect fewer, or raise the memory limit"},
	{"", "ENOPROTOOPT", "", "this kernel does not have the option: leave clients.port_range out"},
	{"", "EACCES", "", "a firewall of this machine, or a broadcast address: look at nft list ruleset and at the URL"},
	{"", "EPERM", "", "a firewall of this machine drops it (also when the connection table is full: net.netfilter.nf_conntrack_max)"},
	{"", "EAFNOSUPPORT", "", "source and destination are of different address families"},
	{"", "EINVAL", "", "the source cannot reach this destination: a loopback address does not lead elsewhere; or the port range is empty"},

	// The way there, and the server's socket.
	{"", "ECONNREFUSED", "", "nobody listens there: is the server up, and is the URL right?"},
	{"", "ENETUNREACH", "", "no route from here to the server: look at ip route"},
	{"", "EHOSTUNREACH", "", "the host does not answer: is it up, and on this network?"},
	{StageDial, "ETIMEDOUT", "", "no answer to SYN: a firewall, or a full accept queue (net.core.somaxconn, ListenOverflows of the server); use a smaller clients.window"},
	{"", "ETIMEDOUT", "", "the peer no longer acknowledges: it or the network is gone"},
	{StageDial, ClassTimeout, "", "the server did not accept in time: its accept queue is full, or it is out of CPU; use a smaller clients.window or rate"},
	{StageUpgrade, ClassTimeout, "", "the server did not answer the upgrade within clients.timeout: use a smaller clients.window or rate"},
	{StageGreeting, ClassTimeout, "", "upgraded, and not greeted within clients.timeout: is target.dialect right? else the server is out of CPU"},
	{StagePublish, ClassTimeout, "", "the API did not answer in time: the server is out of CPU, or the rate is more than it takes"},
	{"", ClassTimeout, "", "no answer in time: the server is out of CPU, or hangs"},
	{StageDial, "ECONNRESET", "", "cut off at once: look at the server's log and limits; a full accept queue does this too (net.core.somaxconn, net.ipv4.tcp_abort_on_overflow)"},
	{StageOpen, "ECONNRESET", "", "the server cut a ready connection off: it ended, or found the client too slow (roost: 4102); look at its log"},
	{"", "ECONNRESET", "", "the server cut it off: look at its log and limits"},
	{"", "EPIPE", "", "the server had closed already"},
	{StageUpgrade, ClassEOF, "", "the server closed instead of answering: is it a WebSocket server, and does it take this path?"},
	{StageOpen, ClassEOF, "", "the server closed without a word: it ended, or was killed"},
	{"", ClassEOF, "", "the server closed without a word: look at its log"},

	// What it answered.
	{"", "HTTP 400", "", "the server does not like the request: are target.dialect and the path right?"},
	{"", "HTTP 401", "", "the server wants to know who it is: give the token in the URL"},
	{"", "HTTP 403", "", "the server does not allow it: look at its allowed origins and tokens"},
	{"", "HTTP 404", "", "no such path: roost serves /v1/connect, and /v1/echo with --echo"},
	{"", "HTTP 405", "", "not this method at this path: is the URL that of the API?"},
	{"", "HTTP 413", "", "the message is larger than the server takes: use a smaller size"},
	{"", "HTTP 426", "", "the server wants another WebSocket version"},
	{"", "HTTP 429", "", "the server limits the rate: use a lower one, or raise its limit"},
	{"", "HTTP 502", "", "a proxy cannot reach the server behind it"},
	{"", "HTTP 503", "", "the server is full or going down: look at its limits"},
	{"", "HTTP 504", "", "a proxy waited in vain for the server behind it"},
	{"", "HTTP 2", "", "an answer, but no upgrade: is it a WebSocket server?"},
	{"", "HTTP 3", "", "the server redirects: give the URL that it redirects to"},
	{"", "HTTP 4", "", "the server refuses the request: look at its log"},
	{"", "HTTP 5", "", "the server fails: look at its log"},

	// How it closed.
	{"", "close 1000", "", "the server ended it in order"},
	{"", "close 1001", "", "the server is going down"},
	{"", "close 1002", "", "the server says that the client breaks the protocol: is target.dialect right?"},
	{"", "close 1003", "", "the server does not take this kind of message: look at target.format"},
	{"", "close 1007", "", "the server says that a message is not UTF-8"},
	{"", "close 1008", "", "against the server's policy: look at its log"},
	{"", "close 1009", "", "a message was larger than the server takes: use a smaller size"},
	{"", "close 1011", "", "the server failed: look at its log"},
	{"", "close 1012", "", "the server restarts"},
	{"", "close 1013", "", "the server is overloaded and wants the client to come later"},
	{"", "close 1014", "", "a proxy got no proper answer from the server behind it"},
	{"", "close 1015", "", "TLS failed"},
	{"", "close 4001", "", "the node is going down: it drains"},
	{"", "close 4002", "", "replaced by a new connection of the same client: do two generators use one clients.prefix?"},
	{"", "close 4003", "", "an operator moves connections to other nodes"},
	{"", "close 4101", "", "the node is full: raise its limit of connections"},
	{"", "close 4102", "", "the client was too slow: the generator is out of CPU, or this group reads slowly as planned"},
	{"", "close 4103", "", "the client fell silent: the generator is out of CPU, or this group does so as planned"},
	{"", "close 4105", "", "the node failed: look at its log"},
	{"", "close 4203", "", "the server does not speak this version of the protocol"},
	{"", "close 4302", "", "not allowed: look at the token and at target.dialect"},
	{"", "close 4303", "", "another connection has the same name: do two generators use one clients.prefix?"},
	{"", "close 4304", "", "the server makes no sense of what was sent: are target.dialect and target.format right?"},
	{"", "close 4305", "", "the device was removed"},
	{"", "close 40", "", "the server wants the client elsewhere, or again: it may come back at once"},
	{"", "close 41", "", "the server has no room or lost patience: it may come back later"},
	{"", "close 42", "", "something has to change before the client may come back"},
	{"", "close 43", "", "the client is not wanted"},

	{StageUpgrade, ClassProtocol, "", "no WebSocket server, or a proxy answered: is the URL right?"},
	{"", ClassProtocol, "", "the peer's answer is not what the dialect expects: is target.dialect right?"},
}

// Advice returns what can be done about a class of errors as Classify gives it,
// "" if nothing in general.
func Advice(stage, class, text string) string {
	for _, h := range hints {
		if (h.stage == "" || h.stage == stage) && fits(h.class, class) && strings.Contains(text, h.part) {
			return h.what
		}
	}
	return ""
}

// fits compares a class with that of a hint: "HTTP 5" and "close 40" are of all
// that begin so.
func fits(hint, class string) bool {
	if hint == class {
		return true
	}
	prefix := len(hint) == len("HTTP 5") && strings.HasPrefix(hint, "HTTP ") || len(hint) == len("close 40") && strings.HasPrefix(hint, "close ")
	return prefix && len(class) == len(hint)+2 && strings.HasPrefix(class, hint)
}
