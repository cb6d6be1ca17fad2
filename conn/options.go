package conn

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/gosocka/socka/wire"
)

// Options configure a [Gateway]. Nil and every zero field mean the stated default. A negative value means no limit where a
// field says so, and is an error elsewhere.
type Options struct {
	// MaxMessageBytes bounds one inbound message, after decompression. A larger one closes the connection with
	// [CloseMessageTooBig]. Default 65,536; at most 1 GiB.
	MaxMessageBytes int

	// CallsPerSecond and CallBurst bound the messages of one connection by a token bucket. A call above the bound is
	// answered with the code "rate_limited" and the time to wait. Defaults 200 per second and 400. A negative
	// CallsPerSecond means no limit; CallBurst is at most 16,777,216.
	CallsPerSecond float64
	CallBurst      int

	// MaxInFlight bounds the unanswered calls of one connection; a further one is answered with the code
	// "resource_exhausted". Default 128; negative: no limit.
	MaxInFlight int

	// OutboxBytes bounds the frames of one connection that its socket has not taken yet. What happens at the bound is
	// the policy of each push (actors.Policy); at the end of it the connection is closed with [CloseSlowConsumer].
	// One frame is always taken when nothing else waits, however large. Default 1 MiB.
	OutboxBytes int

	// MaxConnections bounds the connections of the gateway, handshakes included. Default 50,000; negative: no limit.
	MaxConnections int

	// MaxConnectionsPerAddr bounds the connections from one IPv4 address or one IPv6 /64. Transports without IP
	// addresses (pipes, Unix sockets) are not counted. Default 1,024; negative: no limit.
	MaxConnectionsPerAddr int

	// HandshakeTimeout is the time from Admit until the 101 answer is written. Default 10 s.
	HandshakeTimeout time.Duration

	// PingInterval is the silence after which a client is pinged. Default 25 s; negative: no pings.
	PingInterval time.Duration

	// IdleTimeout is the silence after which a connection is closed with [CloseIdle]: not one byte came, no pong
	// either. It must be longer than PingInterval. Default 60 s; negative: no limit. Both are checked in steps of a
	// fifth of the shortest of PingInterval, IdleTimeout and WriteTimeout, so that they come late by up to a step.
	IdleTimeout time.Duration

	// WriteTimeout is how long one write to a socket may make no progress at all before the client counts as stalled.
	// It also bounds the writing of everything that is queued once a connection is to be closed. Default 10 s.
	WriteTimeout time.Duration

	// CloseTimeout is how long the peer may take to answer a close frame. Default 3 s.
	CloseTimeout time.Duration

	// AllowOrigins lists the origins that may connect beside the server's own: "https://app.example.com",
	// "https://*.example.com" for all subdomains (not example.com itself), "*" for all. Requests without an Origin
	// header come from no browser and are not checked. Default: none.
	AllowOrigins []string

	// TrustedProxies lists the addresses and CIDR prefixes of the proxies whose X-Forwarded-For, X-Forwarded-Host and
	// X-Forwarded-Proto headers are believed. Default: none.
	TrustedProxies []string

	// Compress turns on permessage-deflate, without context takeover, for clients that offer it. Messages below 512
	// bytes are not compressed. Default off: it costs more CPU than it saves on a fast network.
	Compress bool

	// Logger takes what no hook takes. Default slog.Default().
	Logger *slog.Logger

	// Hooks observe connections.
	Hooks Hooks
}

// Hooks are optional functions that observe a gateway. They are called on the goroutines of connections, several at once,
// and must return soon. They are given no URL: its query may hold secrets.
type Hooks struct {
	// Malformed is told of an inbound message that is no clientRequest. A connection reports 10 of them at once and
	// one a second after that. Default: logged as a warning.
	Malformed func(Info, error)
	// Closed is called once per connection, when nothing of it is left but its Info.
	Closed func(Info, CloseInfo)
	// Refused is told of a handshake that Admit refused. Of the Info only Addr is set.
	Refused func(Info, *Refusal)
}

// Info says which connection a hook is about.
type Info struct {
	Session string // the public session id
	Kind    string // of the room
	Room    string // its id
	Format  wire.Format
	Addr    netip.Addr // invalid for transports without IP addresses
}

// CloseInfo says how a connection ended.
type CloseInfo struct {
	Code        uint16 // 1005 for a peer's close frame without a code, 1006 when there was no close frame
	Reason      string
	ByPeer      bool  // the peer sent its close frame first
	Err         error // what broke the connection, nil after a close in good order
	OutboxBytes int   // bytes of frames that the socket did not take any more
}

// Defaults of Options.
const (
	defaultMaxMessageBytes       = 64 << 10
	defaultCallsPerSecond        = 200
	defaultCallBurst             = 400
	defaultMaxInFlight           = 128
	defaultOutboxBytes           = 1 << 20
	defaultMaxConnections        = 50_000
	defaultMaxConnectionsPerAddr = 1_024
	defaultHandshakeTimeout      = 10 * time.Second
	defaultPingInterval          = 25 * time.Second
	defaultIdleTimeout           = 60 * time.Second
	defaultWriteTimeout          = 10 * time.Second
	defaultCloseTimeout          = 3 * time.Second

	mostMessageBytes = 1 << 30
	mostBurst        = 1 << 24
)

// resolve returns a copy with the defaults filled in: math.MaxInt stands for no limit, a zero duration for never.
func (o *Options) resolve() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	var err error
	bad := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf("conn: Options."+format, args...)
		}
	}
	count := func(name string, v *int, def int, unlimited bool) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0 && unlimited:
			*v = math.MaxInt
		case *v < 0:
			bad("%s is %d: use a positive number, or 0 for %d", name, *v, def)
		}
	}
	duration := func(name string, v *time.Duration, def time.Duration, never bool) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0 && never:
			*v = 0
		case *v < 0:
			bad("%s is %v: use a positive duration, or 0 for %v", name, *v, def)
		}
	}
	count("MaxMessageBytes", &c.MaxMessageBytes, defaultMaxMessageBytes, false)
	if c.MaxMessageBytes > mostMessageBytes {
		bad("MaxMessageBytes is %d: at most %d", c.MaxMessageBytes, mostMessageBytes)
	}
	switch r := c.CallsPerSecond; {
	case r == 0:
		c.CallsPerSecond = defaultCallsPerSecond
	case math.IsNaN(r):
		bad("CallsPerSecond is not a number")
	case r < 0:
		c.CallsPerSecond = math.Inf(1)
	}
	count("CallBurst", &c.CallBurst, defaultCallBurst, false)
	if c.CallBurst > mostBurst {
		bad("CallBurst is %d: at most %d", c.CallBurst, mostBurst)
	}
	count("MaxInFlight", &c.MaxInFlight, defaultMaxInFlight, true)
	count("OutboxBytes", &c.OutboxBytes, defaultOutboxBytes, false)
	count("MaxConnections", &c.MaxConnections, defaultMaxConnections, true)
	count("MaxConnectionsPerAddr", &c.MaxConnectionsPerAddr, defaultMaxConnectionsPerAddr, true)
	duration("HandshakeTimeout", &c.HandshakeTimeout, defaultHandshakeTimeout, false)
	duration("PingInterval", &c.PingInterval, defaultPingInterval, true)
	duration("IdleTimeout", &c.IdleTimeout, defaultIdleTimeout, true)
	duration("WriteTimeout", &c.WriteTimeout, defaultWriteTimeout, false)
	duration("CloseTimeout", &c.CloseTimeout, defaultCloseTimeout, false)
	if c.PingInterval > 0 && c.IdleTimeout > 0 && c.IdleTimeout <= c.PingInterval {
		bad("IdleTimeout (%v) must be longer than PingInterval (%v), or quiet clients are cut off before they are asked", c.IdleTimeout, c.PingInterval)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, err
}
