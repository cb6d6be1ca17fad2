package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gosocka/socka/wire"
)

// Options are the settings of a [Client]. The zero value, or a nil pointer,
// means the defaults stated here.
type Options struct {
	// Wire is the encoding of the connection. Default: the one that the
	// parameter wire of the URL names, else JSON. It is added to the URL as
	// wire=NAME, which is how servers of this module are told, whatever their own
	// default is; a URL that names another one is refused by Connect. Servers of
	// @firtoz/socka ignore the parameter and must be set up for the same encoding.
	Wire wire.Format

	// Header is sent with every upgrade request, such as Authorization, Cookie
	// or Origin. The headers of the WebSocket handshake itself (Connection,
	// Upgrade, Sec-WebSocket-*) are left out of it: no subprotocol is ever asked
	// for. Default: none.
	Header http.Header

	// TLS is used for wss URLs. Default: the system's roots, and the host of the
	// URL as server name.
	TLS *tls.Config

	// Compress offers permessage-deflate, each message compressed by itself.
	// Messages below 512 bytes go as they are. Default: false.
	Compress bool

	// Dial opens the connection below WebSocket and TLS. Network is "tcp", addr
	// is host:port. Default: a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// HandshakeTimeout bounds one attempt to connect: dialling, TLS and the
	// upgrade together. Default: 10 s.
	HandshakeTimeout time.Duration

	// PingInterval is the time between the pings that keep a connection alive
	// and find out that it is dead. Default: 30 s. Negative: no pings.
	PingInterval time.Duration

	// PingTimeout is how long after a ping something (a pong or anything else)
	// must have been read, and how long a write may make no progress, before the
	// connection is given up. Default: 10 s.
	PingTimeout time.Duration

	// Reconnect says whether and when a lost connection is opened again.
	Reconnect ReconnectOptions

	// MaxMessageBytes is the size of the largest message, in bytes after
	// decompression, in either direction. A larger one from the server closes
	// the connection (close code 1009); a larger call fails with
	// contract.ResourceExhausted before it is sent. Default: 4 MiB.
	MaxMessageBytes int

	// PushQueue is the number of pushes that may wait for their handlers. When
	// that many wait, or as many as fill 4 times MaxMessageBytes, the client
	// stops reading from the connection until a handler returns. Default: 1024.
	PushQueue int

	// Observe is shown every frame that the server sends, before anything is
	// done with it, on the reading goroutine: it must be quick, must not call the
	// client, and must not keep the frame's bytes. For logs and tests.
	Observe func(wire.Frame)

	// Logger gets the changes of status (Debug, those with an error Info), the
	// attempts to reconnect that failed (Warn), and, if OnError is nil, what it
	// would get (Warn). Default: [slog.Default].
	Logger *slog.Logger

	// OnError gets the failures that belong to no call: a frame that is
	// malformed, a push that fails its schema, an error for an id that nobody
	// waits for (as a one-way call's is), a handler that panicked. It runs as a
	// push handler does: one at a time, in order with them, and it may call the
	// server. Default: they are logged.
	OnError func(error)
}

// ReconnectOptions say whether and when a lost connection is opened again. The
// n-th attempt starts min(Max, Initial·2^(n−1)) after the loss or the attempt
// before it, changed at random by up to the fraction Jitter. Counting starts
// again after a connection that stayed open for at least Max.
type ReconnectOptions struct {
	// Disabled makes the loss of the connection final. Default: false.
	Disabled bool
	// Initial is the wait before the first attempt. Default: 1 s.
	Initial time.Duration
	// Max is the longest wait, before jitter. Default: 30 s.
	Max time.Duration
	// Jitter is the fraction by which a wait may be shorter or longer, at most
	// 1. Default: 0.2. Negative: none.
	Jitter float64
	// MaxAttempts is the number of attempts after which the client gives up.
	// Default: 0, no limit.
	MaxAttempts int
}

// queueMessages is how many messages of MaxMessageBytes the push queue holds at
// most.
const queueMessages = 4

// withDefaults returns a copy of o with every default in place.
func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Header = d.Header.Clone()
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	positive := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	positive(&d.HandshakeTimeout, 10*time.Second)
	positive(&d.PingTimeout, 10*time.Second)
	d.PingInterval = cmp.Or(d.PingInterval, 30*time.Second)
	if d.MaxMessageBytes <= 0 {
		d.MaxMessageBytes = 4 << 20
	}
	if d.PushQueue <= 0 {
		d.PushQueue = 1024
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	r := &d.Reconnect
	positive(&r.Initial, time.Second)
	positive(&r.Max, 30*time.Second)
	r.Jitter = min(max(cmp.Or(r.Jitter, 0.2), 0), 1)
	return d
}
