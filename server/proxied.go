package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"roost/poller"
	"roost/server/proxyproto"
	"roost/server/ws"
)

// ProxyMode says whether connections begin with the header of the PROXY protocol,
// in which a proxy in front of the node names the client.
type ProxyMode uint8

// The modes. A header counts only from an address in Proxy.From; from others it is
// refused: who could send one could be any address.
const (
	ProxyOff      ProxyMode = iota // no header is looked for: one is a malformed request
	ProxyOptional                  // one may come; without it the socket's address counts
	ProxyRequired                  // only proxies connect, and each connection has one
)

var proxyModes = [...]string{"off", "optional", "required"}

// String returns the mode as ParseProxyMode reads it.
func (m ProxyMode) String() string { return proxyModes[m] }

// ParseProxyMode reads off, optional or required.
func ParseProxyMode(s string) (ProxyMode, error) {
	for m, name := range proxyModes {
		if s == name {
			return ProxyMode(m), nil
		}
	}
	return 0, fmt.Errorf("proxy-protocol is %q: want off, optional or required", s)
}

// Proxy says what is made of proxies in front of the device listener.
type Proxy struct {
	Mode ProxyMode
	// From is where proxies connect from. Empty: loopback, 127.0.0.0/8 and ::1.
	From []netip.Prefix
}

// ParseProxy reads what --proxy-protocol and --proxy-from say: a mode, and where
// proxies connect from, empty for loopback.
func ParseProxy(mode, from string) (p Proxy, err error) {
	if p.Mode, err = ParseProxyMode(mode); err != nil || from == "" {
		return p, err
	}
	if p.Mode == ProxyOff {
		return p, errors.New("proxy-from is set, and proxy-protocol is off: want optional or required")
	}
	p.From, err = ParseProxies(from)
	return p, err
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// ParseProxies reads addresses and networks (CIDR), comma separated, such as
// "10.0.0.0/8,192.0.2.7".
func ParseProxies(list string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range strings.Split(list, ",") {
		s = strings.TrimSpace(s)
		p, err := netip.ParsePrefix(s)
		if addr, bad := netip.ParseAddr(s); bad == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("proxy-from: %q is neither an address nor a network such as 10.0.0.0/8", s)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// believes reports whether a proxy connects from ip.
func (p *Proxy) believes(ip netip.Addr) bool {
	from := p.From
	if len(from) == 0 {
		from = loopback
	}
	for _, prefix := range from {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// Refusals of connections that do not begin as they should.
var (
	errNotFromProxy = &ws.HandshakeError{Status: 403, Text: "this listener takes connections of its proxies only (--proxy-from)"}
	errStranger     = &ws.HandshakeError{Status: 403, Text: "a PROXY protocol header from an address that is not among --proxy-from"}
	errNoProxy      = &ws.HandshakeError{Status: 400, Text: "no PROXY protocol header, which --proxy-protocol required asks for: let the proxy send one"}
)

// farAddr is the address of a client behind a proxy, without pointers: 20 bytes for
// each connection, where there are proxies.
type farAddr struct {
	ip    [16]byte
	port  uint16
	known bool
}

// begin takes the first bytes of a connection: the header of a proxy, where there
// may be one, and the request behind it. It returns how many they were, 0 while they
// are not whole.
//
// The header stays with the request until that is whole, and is then read again: so
// nothing has to be remembered in between.
func (h *handler) begin(c poller.Conn, st *connState, b []byte) (n int) {
	proxy := &h.s.opt.Proxy
	if proxy.Mode == ProxyOff {
		return h.handshake(c, st, b)
	}
	header, refusal := h.header(c, proxy, b)
	if refusal != nil {
		h.answer(c, st, refusal)
		return len(b)
	}
	if header < 0 {
		return 0
	}
	if n = h.handshake(c, st, b[header:]); n > 0 {
		n += header
	}
	return n
}

// header reads the header at the begin of b and takes note of the client's
// address. n is its length, 0 if there is none, -1 while it is not whole.
func (h *handler) header(c poller.Conn, proxy *Proxy, b []byte) (n int, refusal *ws.HandshakeError) {
	far := h.far.At(c.Slot())
	*far = farAddr{}
	believed := proxy.believes(c.RemoteAddrPort().Addr())
	if !believed && proxy.Mode == ProxyRequired {
		return 0, errNotFromProxy
	}
	header, n, err := proxyproto.Parse(b)
	switch {
	case err == proxyproto.ErrShort:
		return -1, nil
	case err == proxyproto.ErrNone && proxy.Mode == ProxyRequired:
		return 0, errNoProxy
	case err == proxyproto.ErrNone:
		return 0, nil
	case !believed:
		return 0, errStranger
	case err != nil:
		return 0, &ws.HandshakeError{Status: 400, Text: err.Error()}
	}
	if header.Source.IsValid() {
		*far = farAddr{ip: header.Source.Addr().As16(), port: header.Source.Port(), known: true}
	}
	return n, nil
}

// remote returns the address of the client of a connection: what its proxy said, or
// the socket's. IPv4 addresses are in IPv4 form. It is the zero AddrPort when the
// connection is gone.
func (h *handler) remote(c poller.Conn) netip.AddrPort {
	if h.s.opt.Proxy.Mode != ProxyOff && c.Alive() {
		if far := h.far.At(c.Slot()); far.known {
			return netip.AddrPortFrom(netip.AddrFrom16(far.ip).Unmap(), far.port)
		}
	}
	return c.RemoteAddrPort()
}
