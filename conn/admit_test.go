package conn

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

func newGateway(t testing.TB, o Options) *Gateway {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g, err := NewGateway(actors.NewSystem(nil), &o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// upgrade is a good handshake; pairs of names and values change headers, an empty value removes one.
func upgrade(remote string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://example.com/ws", nil)
	r.RemoteAddr = remote
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

func TestOptionsErrorsNameTheField(t *testing.T) {
	for field, o := range map[string]Options{
		"MaxMessageBytes":    {MaxMessageBytes: -1},
		"MaxMessageBytes is": {MaxMessageBytes: 2 << 30},
		"CallsPerSecond":     {CallsPerSecond: math.NaN()},
		"CallBurst":          {CallBurst: -1},
		"CallBurst is":       {CallBurst: 1 << 25},
		"OutboxBytes":        {OutboxBytes: -1},
		"HandshakeTimeout":   {HandshakeTimeout: -1},
		"WriteTimeout":       {WriteTimeout: -1},
		"CloseTimeout":       {CloseTimeout: -1},
		"IdleTimeout":        {IdleTimeout: 10 * time.Second},
		"AllowOrigins[1]":    {AllowOrigins: []string{"*", "app.example.com"}},
		"AllowOrigins[0]":    {AllowOrigins: []string{"https://app.*.com"}},
		"TrustedProxies[0]":  {TrustedProxies: []string{"localhost"}},
	} {
		if _, err := NewGateway(actors.NewSystem(nil), &o); err == nil || !strings.Contains(err.Error(), "Options."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	o := Options{CallsPerSecond: -1, MaxInFlight: -1, MaxConnections: -1, MaxConnectionsPerAddr: -1, PingInterval: -1, IdleTimeout: -1}
	if _, err := NewGateway(actors.NewSystem(nil), &o); err != nil {
		t.Errorf("no limits: %v", err)
	}
	if _, err := NewGateway(actors.NewSystem(nil), nil); err != nil {
		t.Errorf("nil: %v", err)
	}
}

func TestAdmitRefuses(t *testing.T) {
	post := upgrade("192.0.2.1:1")
	post.Method = "POST"
	twoKeys := upgrade("192.0.2.1:1")
	twoKeys.Header.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	http2 := upgrade("192.0.2.1:1")
	http2.ProtoMajor, http2.ProtoMinor = 2, 0
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		header string
	}{
		"post":            {post, 405, "Allow"},
		"plain get":       {upgrade("192.0.2.1:1", "Upgrade", "", "Connection", ""), 426, "Upgrade"},
		"other protocol":  {upgrade("192.0.2.1:1", "Upgrade", "h2c"), 426, "Upgrade"},
		"http/2":          {http2, 426, "Upgrade"},
		"version":         {upgrade("192.0.2.1:1", "Sec-WebSocket-Version", "8"), 400, "Sec-Websocket-Version"},
		"no key":          {upgrade("192.0.2.1:1", "Sec-WebSocket-Key", ""), 400, ""},
		"short key":       {upgrade("192.0.2.1:1", "Sec-WebSocket-Key", "c2hvcnQ="), 400, ""},
		"two keys":        {twoKeys, 400, ""},
		"other origin":    {upgrade("192.0.2.1:1", "Origin", "https://evil.example"), 403, ""},
		"unusable origin": {upgrade("192.0.2.1:1", "Origin", "null"), 403, ""},
	} {
		var told *Refusal
		g := newGateway(t, Options{Hooks: Hooks{Refused: func(i Info, r *Refusal) {
			if i.Addr != netip.MustParseAddr("192.0.2.1") {
				t.Errorf("%s: hook got %+v", name, i)
			}
			told = r
		}}})
		_, err := g.Admit(c.r)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Status != c.status || told != refusal {
			t.Errorf("%s: %v, hook %v", name, err, told)
			continue
		}
		w := httptest.NewRecorder()
		refusal.Write(w)
		if w.Code != c.status || !strings.Contains(w.Body.String(), refusal.Message) || c.header != "" && w.Header().Get(c.header) == "" {
			t.Errorf("%s: %d %v %q", name, w.Code, w.Header(), w.Body)
		}
		if c.status == 403 && !strings.Contains(refusal.Message, "AllowOrigins") {
			t.Errorf("%s: %q does not say how to allow it", name, refusal.Message)
		}
		if s := g.Stats(); s.Reserved != 0 || s.Refused != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestOrigins(t *testing.T) {
	const proxy = "10.1.2.3:99"
	for _, c := range []struct {
		origin, host string
		tls          bool
		allow        string
		header       string // value of X-Forwarded-*: host|proto
		remote       string
		ok           bool
	}{
		{origin: "", host: "example.com", ok: true},
		{origin: "http://example.com", host: "example.com", ok: true},
		{origin: "http://EXAMPLE.com:80", host: "example.COM", ok: true},
		{origin: "http://example.com", host: "example.com:80", ok: true},
		{origin: "http://example.com", host: "example.com:8080"},
		{origin: "http://example.com:8080", host: "example.com:8080", ok: true},
		{origin: "https://example.com", host: "example.com"},
		{origin: "https://example.com", host: "example.com", tls: true, ok: true},
		{origin: "https://example.com:443", host: "example.com", tls: true, ok: true},
		{origin: "http://example.com", host: "example.com", tls: true},
		{origin: "http://[::1]:3450", host: "[::1]:3450", ok: true},
		{origin: "http://sub.example.com", host: "example.com"},
		{origin: "http://example.com.evil.test", host: "example.com"},
		{origin: "http://example.com@evil.test", host: "example.com"},
		{origin: "http://evil.test/example.com", host: "example.com"},
		{origin: "file://", host: "example.com"},
		{origin: "null", host: "example.com"},
		{origin: "null", host: "example.com", allow: "*", ok: true},
		{origin: "https://app.test", host: "example.com", allow: "https://app.test", ok: true},
		{origin: "https://app.test:444", host: "example.com", allow: "https://app.test"},
		{origin: "http://app.test", host: "example.com", allow: "https://app.test"},
		{origin: "https://a.app.test", host: "example.com", allow: "https://*.app.test", ok: true},
		{origin: "https://a.b.app.test", host: "example.com", allow: "https://*.app.test", ok: true},
		{origin: "https://app.test", host: "example.com", allow: "https://*.app.test"},
		{origin: "https://evilapp.test", host: "example.com", allow: "https://*.app.test"},
		{origin: "https://a.app.test:8443", host: "example.com", allow: "https://*.app.test:8443", ok: true},
		// behind a proxy that ends TLS
		{origin: "https://example.com", host: "inner:80", header: "example.com|https", remote: proxy, ok: true},
		{origin: "https://example.com", host: "inner:80", header: "example.com, inner|wss, ws", remote: proxy, ok: true},
		{origin: "https://example.com", host: "inner:80", header: "example.com|https", remote: "192.0.2.1:1"},
		{origin: "https://example.com", host: "example.com", header: "|https", remote: proxy, ok: true},
	} {
		o := Options{TrustedProxies: []string{"10.0.0.0/8"}}
		if c.allow != "" {
			o.AllowOrigins = []string{c.allow}
		}
		if c.remote == "" {
			c.remote = "192.0.2.1:1"
		}
		host, proto, _ := strings.Cut(c.header, "|")
		r := upgrade(c.remote, "Origin", c.origin, "X-Forwarded-Host", host, "X-Forwarded-Proto", proto)
		r.Host = c.host
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		a, err := newGateway(t, o).Admit(r)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if a != nil {
			a.Release()
		}
	}
}

func TestAddr(t *testing.T) {
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.9", "192.0.2.1"}, // not from a proxy that we trust
		{"[::ffff:192.0.2.1]:5", "", "192.0.2.1"},
		{"[fe80::1%eth0]:5", "", "fe80::1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.9", "198.51.100.9"},
		{"[::ffff:10.0.0.1]:5", "198.51.100.9", "198.51.100.9"},
		{"10.0.0.1:5", "203.0.113.1, 198.51.100.9, 10.9.9.9", "198.51.100.9"}, // the left one may be forged
		{"10.0.0.1:5", "198.51.100.9:4711", "198.51.100.9"},
		{"10.0.0.1:5", "[2001:db8::7]:4711", "2001:db8::7"},
		{"10.0.0.1:5", "[2001:db8::7]", "2001:db8::7"},
		{"10.0.0.1:5", "2001:db8::7", "2001:db8::7"},
		{"10.0.0.1:5", "198.51.100.9, unknown", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.9, unknown, 10.7.7.7", "10.7.7.7"},
		{"10.0.0.1:5", "10.3.3.3, 10.4.4.4", "10.3.3.3"},
		{"172.16.0.9:5", "198.51.100.9", "198.51.100.9"},
		{"pipe", "198.51.100.9", "invalid IP"},
	} {
		g := newGateway(t, Options{TrustedProxies: []string{"10.0.0.0/8", "172.16.0.9"}})
		a, err := g.Admit(upgrade(c.remote, "X-Forwarded-For", c.forwarded))
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Addr().String(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
		a.Release()
	}
}

func TestOffersDeflate(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                                                  true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover":                  true,
		"permessage-deflate; server_max_window_bits=10":                                               false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits=9": true,
		"x-webkit-deflate-frame":      false,
		"permessage-deflate-extended": false,
		"permessage-deflate; unknown": false,
		"other, permessage-deflate":   true,
	} {
		if got := offersDeflate(http.Header{"Sec-Websocket-Extensions": {offer}}); got != want {
			t.Errorf("%q: %v", offer, got)
		}
	}
}

// Places are counted per address and in all, and come back however an admission ends.
func TestPlaces(t *testing.T) {
	status := func(err error) int {
		var r *Refusal
		if errors.As(err, &r) {
			return r.Status
		}
		return 0
	}
	g := newGateway(t, Options{MaxConnections: 4, MaxConnectionsPerAddr: 2})
	admit := func(addr string) (*Admission, int) {
		a, err := g.Admit(upgrade(addr))
		return a, status(err)
	}
	a, _ := admit("[2001:db8:1:2::1]:1")
	b, _ := admit("[2001:db8:1:2:ffff::1]:1")
	if _, s := admit("[2001:db8:1:2:3::]:1"); s != 429 {
		t.Fatalf("a third of one /64: %d", s)
	}
	c, _ := admit("[2001:db8:1:3::1]:1")
	d, _ := admit("192.0.2.1:1")
	if _, s := admit("192.0.2.2:1"); s != 503 {
		t.Fatalf("a fifth: %d", s)
	}
	a.Release()
	a.Release()
	if err := a.Upgrade(httptest.NewRecorder(), upgrade(""), Session{}); err == nil {
		t.Fatal("a released admission was used")
	}
	// Upgrade fails: no room, then a writer that cannot be hijacked.
	pid, err := g.sys.Register("nobody", (*process)(nil))
	if err != nil {
		t.Fatal(err)
	}
	if s := status(b.Upgrade(httptest.NewRecorder(), upgrade(""), Session{ID: "x"})); s != 500 {
		t.Fatalf("no room: %d", s)
	}
	if s := status(c.Upgrade(httptest.NewRecorder(), upgrade(""), Session{ID: "x", To: pid})); s != 500 {
		t.Fatalf("no hijacker: %d", s)
	}
	if s := status(d.Upgrade(httptest.NewRecorder(), upgrade(""), Session{ID: "x", To: pid, Format: wire.Format(9)})); s != 500 {
		t.Fatalf("no format: %d", s)
	}
	if s := g.Stats(); s.Reserved != 0 || len(g.perAddr) != 0 || s.Refused != 2 {
		t.Fatalf("%+v, %d addresses", s, len(g.perAddr))
	}
	g.Drain()
	if _, s := admit("192.0.2.2:1"); s != 503 {
		t.Fatalf("draining: %d", s)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, Options{HandshakeTimeout: 7 * time.Second})
		a, err := g.Admit(upgrade("192.0.2.1:1"))
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Until(a.Deadline()); got != 7*time.Second {
			t.Fatalf("deadline in %v", got)
		}
		time.Sleep(7 * time.Second)
		pid, _ := g.sys.Register("nobody", (*process)(nil))
		var r *Refusal
		if err := a.Upgrade(httptest.NewRecorder(), upgrade(""), Session{ID: "x", To: pid}); !errors.As(err, &r) || r.Status != 503 {
			t.Fatal(err)
		}
		if s := g.Stats(); s.Reserved != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

// A client that does not take the 101 answer is dropped at the deadline, and the room hears nothing.
func TestHandshakeAnswerNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transportKind{name: "pipe", pipe: true}, setup{})
		nc := e.dial()
		if _, err := nc.Write([]byte("GET /?id=a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := e.g.Stats(); s.Reserved != 1 || s.Connections != 0 {
			t.Fatalf("in the handshake: %+v", s)
		}
		time.Sleep(defaultHandshakeTimeout)
		synctest.Wait()
		if s := e.g.Stats(); s.Reserved != 0 || s.Accepted != 0 {
			t.Fatalf("after it: %+v", s)
		}
		if len(e.room.events) != 0 {
			t.Fatalf("the room got %T", e.room.events[0])
		}
		_ = nc.Close()
	})
}
