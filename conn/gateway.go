package conn

import (
	"context"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lxzan/gws"

	"github.com/gosocka/socka/actors"
)

// Gateway holds the connections of a node. Its methods may be called from any goroutine.
type Gateway struct {
	sys      *actors.System
	opts     Options // resolved
	origins  *origins
	upgrader *gws.Upgrader

	mu       sync.Mutex
	draining bool
	closed   bool
	reserved int // places: connections and handshakes
	perAddr  map[netip.Addr]int
	conns    []*connection // each knows its index
	sweeping bool          // the sweeper runs

	running  sync.WaitGroup // connections in conns, and the sweeper
	stop     chan struct{}  // closed by Close: ends the sweeper
	counters counters
}

type counters struct {
	accepted, refused, limited, malformed, dropped, slow atomic.Int64
}

// Stats are figures of a gateway at one moment. Those marked as totals count from its start.
type Stats struct {
	Connections int    // open or closing
	ByFormat    [2]int // the same by wire.Format
	Reserved    int    // places taken: connections and handshakes on their way
	QueuedBytes int    // in all outboxes

	Accepted      int64 // total of connections
	Refused       int64 // total of handshakes that Admit refused
	CallsLimited  int64 // total of calls refused at a limit
	Malformed     int64 // total of malformed messages
	PushesDropped int64 // total of pushes that DropOldest lost
	SlowConsumers int64 // total of connections closed with CloseSlowConsumer
}

// NewGateway makes a gateway whose connections reach rooms through sys. It runs nothing while it has no connections. The
// error names the faulty field of opts.
func NewGateway(sys *actors.System, opts *Options) (*Gateway, error) {
	resolved, err := opts.resolve()
	if err != nil {
		return nil, err
	}
	origins, err := newOrigins(resolved.AllowOrigins, resolved.TrustedProxies)
	if err != nil {
		return nil, err
	}
	g := &Gateway{sys: sys, opts: resolved, origins: origins, perAddr: make(map[netip.Addr]int), stop: make(chan struct{})}
	g.upgrader = gws.NewUpgrader(handler{}, &gws.ServerOption{
		ParallelGolimit:     1,
		ReadMaxPayloadSize:  resolved.MaxMessageBytes,
		WriteMaxPayloadSize: mostMessageBytes,
		ReadBufferSize:      4 << 10,
		CheckUtf8Enabled:    true,
		HandshakeTimeout:    resolved.HandshakeTimeout,
		NewSession:          func() gws.SessionStorage { return nil }, // the handler finds its connection through the transport
		Authorize:           func(*http.Request, gws.SessionStorage) bool { return true },
		PermessageDeflate:   gws.PermessageDeflate{Enabled: resolved.Compress, Threshold: compressFrom, PoolSize: min(16, 2*runtime.GOMAXPROCS(0))},
	})
	return g, nil
}

// reserve takes a place, or says why there is none.
func (g *Gateway) reserve(addr netip.Addr) *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining:
		return &Refusal{http.StatusServiceUnavailable, "the server is stopping; try again", http.Header{"Retry-After": {"1"}}}
	case g.reserved >= g.opts.MaxConnections:
		return &Refusal{http.StatusServiceUnavailable, "the server is at its capacity; try again later", http.Header{"Retry-After": {"10"}}}
	}
	if addr.IsValid() {
		key := countedAs(addr)
		if g.perAddr[key] >= g.opts.MaxConnectionsPerAddr {
			return &Refusal{http.StatusTooManyRequests, "too many connections from your address", http.Header{"Retry-After": {"10"}}}
		}
		g.perAddr[key]++
	}
	g.reserved++
	return nil
}

func (g *Gateway) release(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.releaseLocked(addr)
}

func (g *Gateway) releaseLocked(addr netip.Addr) {
	g.reserved--
	if !addr.IsValid() {
		return
	}
	key := countedAs(addr)
	if g.perAddr[key]--; g.perAddr[key] == 0 {
		delete(g.perAddr, key)
	}
}

// insert puts an open connection into the table; its place moves with it. It returns false after Close.
func (g *Gateway) insert(c *connection) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Add(1)
	c.index = len(g.conns)
	g.conns = append(g.conns, c)
	if !g.sweeping && g.sweepStep() > 0 {
		g.sweeping = true
		g.running.Add(1)
		go g.sweep()
	}
	return true
}

// remove takes a connection out and frees its place.
func (g *Gateway) remove(c *connection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.conns) - 1
	g.conns[c.index] = g.conns[last]
	g.conns[c.index].index = c.index
	g.conns[last] = nil
	g.conns = g.conns[:last]
	g.releaseLocked(c.info.Addr)
}

// each calls f for the connections in the table, from the last to the first, without holding the table's lock. Since the
// last one fills the place of one that goes, no connection is passed over that was there from beginning to end; one may be
// visited twice.
func (g *Gateway) each(f func(*connection)) {
	const batch = 256
	var some [batch]*connection
	for end := int(^uint(0) >> 1); end > 0; {
		g.mu.Lock()
		end = min(end, len(g.conns))
		n := copy(some[:], g.conns[max(0, end-batch):end])
		g.mu.Unlock()
		for i := n - 1; i >= 0; i-- {
			f(some[i])
		}
		end -= n
	}
}

// CloseRoom closes connections of a room with a code and a reason, after what is queued for them: those that which says yes
// to, given the session's id; nil: all. It looks at all connections of the gateway: it is for a room that does not know
// its own any more.
func (g *Gateway) CloseRoom(kind, room string, code uint16, reason string, which func(session string) bool) {
	g.each(func(c *connection) {
		if c.info.Room == room && c.info.Kind == kind && (which == nil || which(c.info.Session)) {
			c.close(code, reason, keepQueue)
		}
	})
}

// Drain refuses all further handshakes with 503. Connections go on.
func (g *Gateway) Drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
}

// Close drains and closes every connection with CloseGoingAway, after what is queued for it, and returns when no goroutine
// of the gateway is left. When ctx ends first it cuts the connections that are left, waits for the goroutines all the
// same, and returns ctx's error. It may be called more than once.
func (g *Gateway) Close(ctx context.Context) error {
	g.mu.Lock()
	g.draining = true
	if !g.closed {
		g.closed = true
		close(g.stop)
	}
	g.mu.Unlock()
	g.each(func(c *connection) { c.close(CloseGoingAway, "server stops", keepQueue) })

	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		g.each((*connection).cut)
		<-done
		return context.Cause(ctx)
	}
}

// Stats returns the figures of this moment. It visits every connection.
func (g *Gateway) Stats() Stats {
	s := Stats{
		Accepted: g.counters.accepted.Load(), Refused: g.counters.refused.Load(), CallsLimited: g.counters.limited.Load(),
		Malformed: g.counters.malformed.Load(), PushesDropped: g.counters.dropped.Load(), SlowConsumers: g.counters.slow.Load(),
	}
	g.mu.Lock()
	conns := make([]*connection, len(g.conns))
	copy(conns, g.conns)
	s.Reserved = g.reserved
	g.mu.Unlock()
	s.Connections = len(conns)
	for _, c := range conns {
		s.ByFormat[c.info.Format&1]++
		s.QueuedBytes += c.queued()
	}
	return s
}
