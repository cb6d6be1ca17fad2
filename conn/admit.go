package conn

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Refusal is the error of a handshake that was refused before anything was written: the caller answers it as an HTTP
// response, for example with [Refusal.Write].
type Refusal struct {
	Status  int         // HTTP status
	Message string      // for the client, one line
	Header  http.Header // to be added to the response, may be nil
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("conn: handshake refused (%d): %s", e.Status, e.Message)
}

// Write sends the refusal as a plain-text response.
func (e *Refusal) Write(w http.ResponseWriter) {
	for k, v := range e.Header {
		w.Header()[k] = v
	}
	http.Error(w, e.Message, e.Status)
}

// Admission is a reserved place for one connection. Exactly one of Release and Upgrade gives it back; calling Release in
// any case, deferred, is right.
type Admission struct {
	g        *Gateway
	addr     netip.Addr
	deadline time.Time
	key      string // Sec-WebSocket-Key
	deflate  bool

	once sync.Once
}

// Addr is the client's address, as the proxy settings make it out. It is invalid for transports without IP addresses.
func (a *Admission) Addr() netip.Addr { return a.addr }

// Deadline is when the handshake times out: Upgrade refuses after it.
func (a *Admission) Deadline() time.Time { return a.deadline }

// Release gives the place back if it was not used. It may be called more than once, and after Upgrade it does nothing.
func (a *Admission) Release() { a.once.Do(func() { a.g.release(a.addr) }) }

// Admit checks that a request is a WebSocket handshake (RFC 6455 section 4.2.1) which may connect, and reserves a place for it. Nothing is
// written and the room is not asked: that is between Admit and Upgrade. The error is a *Refusal:
//
//   - 405, 426: not a WebSocket handshake, with the Allow or Upgrade header that says what would be;
//   - 400: a faulty one;
//   - 403: an origin that is not allowed, the message saying how to allow it;
//   - 429: too many connections from the client's address;
//   - 503: the gateway is full or drains.
func (g *Gateway) Admit(r *http.Request) (*Admission, error) {
	a := &Admission{g: g, addr: g.origins.addr(r)}
	refusal := a.check(r)
	if refusal == nil {
		refusal = g.reserve(a.addr)
	}
	if refusal != nil {
		g.counters.refused.Add(1)
		if hook := g.opts.Hooks.Refused; hook != nil {
			hook(Info{Addr: a.addr}, refusal)
		}
		return nil, refusal
	}
	a.deadline = time.Now().Add(g.opts.HandshakeTimeout)
	return a, nil
}

func (a *Admission) check(r *http.Request) *Refusal {
	if r.Method != http.MethodGet {
		return &Refusal{http.StatusMethodNotAllowed, "connect by WebSocket: the method must be GET", http.Header{"Allow": {"GET"}}}
	}
	if r.ProtoMajor != 1 || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		return &Refusal{http.StatusUpgradeRequired, "connect by WebSocket (HTTP/1.1 with the headers Connection: Upgrade and Upgrade: websocket)",
			http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}}
	}
	if strings.TrimSpace(r.Header.Get("Sec-Websocket-Version")) != "13" {
		return &Refusal{http.StatusBadRequest, "Sec-WebSocket-Version must be 13", http.Header{"Sec-Websocket-Version": {"13"}}}
	}
	a.key = strings.TrimSpace(r.Header.Get("Sec-Websocket-Key"))
	if k, err := base64.StdEncoding.DecodeString(a.key); err != nil || len(k) != 16 || len(r.Header.Values("Sec-Websocket-Key")) != 1 {
		return &Refusal{http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64", nil}
	}
	if err := a.g.origins.check(r); err != nil {
		return &Refusal{http.StatusForbidden, err.Error(), nil}
	}
	a.deflate = a.g.opts.Compress && offersDeflate(r.Header)
	return nil
}

// offersDeflate reports whether the client offers permessage-deflate in a way that can be taken up without parameters but
// the two no_context_takeover (RFC 7692 section 7.1): an offer that demands a smaller window of the server is passed over.
func offersDeflate(h http.Header) bool {
	for _, line := range h.Values("Sec-Websocket-Extensions") {
	offers:
		for offer := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) != "permessage-deflate" {
				continue
			}
			for param := range strings.SplitSeq(params, ";") {
				key, _, _ := strings.Cut(param, "=")
				switch strings.TrimSpace(key) {
				case "", "server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits":
				default:
					continue offers
				}
			}
			return true
		}
	}
	return false
}

// hasToken reports whether a header that is a list contains a token, whatever its case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}
