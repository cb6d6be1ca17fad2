package conn

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// origins decides who a request comes from: the address behind proxies, and whether its Origin may connect.
type origins struct {
	any     bool
	allowed []origin
	proxies []netip.Prefix
}

// origin is scheme, host and port, lower case, the port never empty. A host that begins with "." stands for all names that
// end so.
type origin struct{ scheme, host, port string }

func newOrigins(allow, proxies []string) (*origins, error) {
	o := &origins{}
	for i, s := range allow {
		if s == "*" {
			o.any = true
			continue
		}
		p, ok := parseOrigin(strings.Replace(s, "://*.", "://", 1))
		if ok && strings.Contains(s, "://*.") {
			p.host = "." + p.host
		}
		if !ok || strings.Contains(p.host, "*") {
			return nil, fmt.Errorf("conn: Options.AllowOrigins[%d] is %q: write it as \"https://app.example.com\", \"https://*.example.com\" or \"*\"", i, s)
		}
		o.allowed = append(o.allowed, p)
	}
	for i, s := range proxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, addrErr := netip.ParseAddr(s)
			if addrErr != nil {
				return nil, fmt.Errorf("conn: Options.TrustedProxies[%d] is %q: write an address such as \"10.0.0.7\" or a prefix such as \"10.0.0.0/8\"", i, s)
			}
			a = plainAddr(a)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		o.proxies = append(o.proxies, p.Masked())
	}
	return o, nil
}

// parseOrigin reads scheme://host[:port] of http or https.
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return origin{}, false
	}
	return newOrigin(u.Scheme, u.Host)
}

func newOrigin(scheme, hostport string) (origin, bool) {
	o := origin{scheme: strings.ToLower(scheme)}
	switch o.scheme {
	case "http":
		o.port = "80"
	case "https":
		o.port = "443"
	default:
		return origin{}, false
	}
	u := url.URL{Host: hostport}
	if p := u.Port(); p != "" {
		o.port = p
	}
	o.host = strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return o, o.host != ""
}

func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if (o.scheme == "http" && o.port == "80") || (o.scheme == "https" && o.port == "443") {
		return o.scheme + "://" + host
	}
	return o.scheme + "://" + host + ":" + o.port
}

// check returns nil if the request may connect as far as its Origin goes.
func (o *origins) check(r *http.Request) error {
	from := r.Header.Get("Origin")
	if from == "" || o.any {
		return nil
	}
	self, selfOK := o.own(r)
	p, ok := parseOrigin(from)
	if ok {
		if selfOK && p == self {
			return nil
		}
		for _, a := range o.allowed {
			if a == p || a.scheme == p.scheme && a.port == p.port && a.host[0] == '.' && strings.HasSuffix(p.host, a.host) {
				return nil
			}
		}
		from = p.String()
	} else {
		from, _, _ = strings.Cut(from, "?") // no origin has a query, and a query may hold secrets
	}
	return fmt.Errorf("origin %.100q may not connect to %.100q: list it in AllowOrigins, or, if a proxy in front changes scheme or host, list the proxy in TrustedProxies", from, self)
}

// own is the origin under which the client reached this server.
func (o *origins) own(r *http.Request) (origin, bool) {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if peer, ok := remoteAddr(r); ok && o.trusts(peer) {
		if h := firstValue(r.Header, "X-Forwarded-Host"); h != "" {
			host = h
		}
		switch p := strings.ToLower(firstValue(r.Header, "X-Forwarded-Proto")); p {
		case "http", "https":
			scheme = p
		case "ws":
			scheme = "http"
		case "wss":
			scheme = "https"
		}
	}
	return newOrigin(scheme, host)
}

// addr is the address of the client: the peer's, or if that is a trusted proxy, the last address of X-Forwarded-For that
// is not one. It is invalid for transports without IP addresses.
func (o *origins) addr(r *http.Request) netip.Addr {
	addr, ok := remoteAddr(r)
	if !ok || !o.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break // what stands left of it was not written by a proxy that we know
		}
		addr = hop
		if !o.trusts(hop) {
			break
		}
	}
	return addr
}

func (o *origins) trusts(a netip.Addr) bool {
	for _, p := range o.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func remoteAddr(r *http.Request) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return plainAddr(ap.Addr()), true
}

// parseHop reads an address as proxies write it: with or without brackets and port.
func parseHop(s string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return plainAddr(a), true
}

// plainAddr makes equal addresses equal: IPv4 in IPv6 form becomes IPv4, zones are cut.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// countedAs is what connections are counted by: one IPv4 address, or the /64 that one IPv6 customer usually has.
func countedAs(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// firstValue is the first element of a comma-separated header: what the outermost proxy saw. A browser cannot set these
// headers, so the origin check, which protects browsers, loses nothing by it.
func firstValue(h http.Header, name string) string {
	v, _, _ := strings.Cut(h.Get(name), ",")
	return strings.TrimSpace(v)
}
