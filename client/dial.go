package client

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gosocka/socka/wire"
	"github.com/lxzan/gws"
)

// maxErrorBody is how much of a refusal's body is kept, in bytes.
const maxErrorBody = 4 << 10

// compressThreshold is the size in bytes below which a message is not worth
// compressing.
const compressThreshold = 512

// publicURL is what errors and logs say of a URL: its query and its credentials may
// be secrets.
func publicURL(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// parseURL checks the address of a room and settles the encoding: what the URL's
// parameter wire and the option say must agree, a default agrees with anything.
func parseURL(raw string, f wire.Format) (*url.URL, wire.Format, error) {
	u, err := url.Parse(raw)
	if err != nil {
		var whole *url.Error // prints the URL
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return nil, f, fmt.Errorf("socka: the URL cannot be read: %w", err)
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http", "https":
		u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	default:
		return nil, f, fmt.Errorf("socka: URL %q: the scheme must be ws or wss", publicURL(u))
	}
	if u.Hostname() == "" {
		return nil, f, fmt.Errorf("socka: URL %q: it names no host", publicURL(u))
	}
	if u.Fragment != "" {
		return nil, f, fmt.Errorf("socka: URL %q: a WebSocket URL has no fragment", publicURL(u))
	}
	if f != wire.JSON && f != wire.Msgpack {
		return nil, f, fmt.Errorf("socka: Options.Wire: unknown encoding %v", f)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, f, fmt.Errorf("socka: URL %q: %w", publicURL(u), err)
	}
	if q.Has("wire") {
		named, err := wire.ParseFormat(q.Get("wire"))
		if err != nil {
			return nil, f, fmt.Errorf("socka: URL %q: %w", publicURL(u), err)
		}
		if f != wire.JSON && f != named {
			return nil, f, fmt.Errorf("socka: URL %q asks for %v, Options.Wire for %v: leave one of them out", publicURL(u), named, f)
		}
		return u, named, nil
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "wire=" + f.String()
	return u, f, nil
}

// dial makes one attempt to connect. It ends with ctx, with the client, and after
// HandshakeTimeout. The connection it returns is not started.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()

	u := *c.url
	user := u.User
	u.User = nil
	secure := u.Scheme == "wss"
	port := u.Port()
	if port == "" {
		port = "80"
		if secure {
			port = "443"
		}
	}
	raw, err := c.opts.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("socka: dial: %w", err)
	}
	// From here on the end of ctx shows as a connection that is cut.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	cn, err := c.upgrade(ctx, raw, &u, user, secure)
	if !stop() && err == nil {
		err = fmt.Errorf("socka: handshake: %w", ctx.Err())
	}
	if err != nil {
		_ = raw.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("socka: handshake: %w", ctx.Err())
		}
		return nil, err
	}
	return cn, nil
}

// upgrade runs TLS and the WebSocket handshake over raw.
func (c *Client) upgrade(ctx context.Context, raw net.Conn, u *url.URL, user *url.Userinfo, secure bool) (*conn, error) {
	top := raw
	if secure {
		cfg := c.opts.TLS.Clone() // a nil Config clones to nil
		if cfg == nil {
			cfg = new(tls.Config)
		}
		if cfg.ServerName == "" {
			cfg.ServerName = u.Hostname()
		}
		tlsConn := tls.Client(raw, cfg)
		if err := tlsConn.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("socka: TLS: %w", err)
		}
		top = tlsConn
	}
	t := newTransport(top, raw, c.opts.PingTimeout)
	cn := newConn(c, t)
	ws, resp, err := gws.NewClientFromConn(cn, &gws.ClientOption{
		Addr:               u.String(),
		RequestHeader:      requestHeader(c.opts.Header, user),
		HandshakeTimeout:   c.opts.HandshakeTimeout + time.Second, // ctx ends first
		ReadMaxPayloadSize: c.opts.MaxMessageBytes,
		// roundTrip refuses larger ones, gws would close the connection.
		WriteMaxPayloadSize: 1 << 30,
		PermessageDeflate:   gws.PermessageDeflate{Enabled: c.opts.Compress, Threshold: compressThreshold},
		Logger:              discard{},
	}, t)
	if err == nil && resp.Header.Get("Sec-Websocket-Protocol") != "" {
		err = fmt.Errorf("the server chose the subprotocol %q, none was asked for", clip(resp.Header.Get("Sec-Websocket-Protocol"), 100))
	}
	if err != nil {
		if resp == nil {
			return nil, fmt.Errorf("socka: handshake: %w", err)
		}
		refusal := &HandshakeError{StatusCode: resp.StatusCode, Err: err}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			refusal.Err = fmt.Errorf("the server answered %s", clip(resp.Status, 100))
			_ = t.SetDeadline(time.Now().Add(closeWait))
			refusal.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		}
		return nil, refusal
	}
	t.upgraded()
	cn.ws = ws
	return cn, nil
}

// requestHeader returns the caller's headers without those of the handshake, and
// with the credentials of the URL unless the caller set others.
func requestHeader(h http.Header, user *url.Userinfo) http.Header {
	out := http.Header{}
	for k, v := range h {
		k = http.CanonicalHeaderKey(k)
		if k == "Connection" || k == "Upgrade" || strings.HasPrefix(k, "Sec-Websocket-") {
			continue
		}
		out[k] = append(out[k], v...)
	}
	if user != nil && out.Get("Authorization") == "" {
		password, _ := user.Password()
		out.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	return out
}

// discard is the logger given to gws, whose only use of it is a recovery that is
// not turned on.
type discard struct{}

func (discard) Error(...any) {}
