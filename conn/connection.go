package conn

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lxzan/gws"

	"github.com/gosocka/socka/actors"
)

// connection is one WebSocket. Its life:
//
//	open ──close(): by the room, a limit, the sweeper, gws──▶ closing ──▶ gone
//	     ──the peer's close frame, a broken stream──────────▶
//
// closing is set once, under mu, with the code and reason that stand. From then on nothing is queued, no Call is sent,
// and a flusher runs, or has run, that writes what is left of the queue and the close frame; it closes flushed at its end.
// The reader notices at its next read, answers the probes, sends the Detach at once and reads on until the peer's close
// frame or readBy.
type connection struct {
	g    *Gateway
	info Info
	pid  *actors.PID

	routing  sync.Mutex  // held while anything is sent to the room, so that a Move comes before or after it; before mu
	to       *actors.PID // the room, under routing
	detached bool        // the Detach was sent; under routing, and the reader's to set

	nc          net.Conn
	raw         net.Conn  // nc, or what is under it if it is a tls.Conn, whose Close may block
	socket      *gws.Conn // only with permessage-deflate
	tls         bool
	deflate     bool
	open        bool // the handshake is over, and the gateway has it; set under mu, before the first goroutine starts
	handshakeBy time.Time
	early       []byte // input that the HTTP server had read already, with permessage-deflate

	index   int     // in the gateway's table, under its lock
	watched watched // the sweeper's

	heard    atomic.Uint32 // heardInput, heardAsked
	unsure   atomic.Bool   // the end of the stream may have come with the last input
	answered atomic.Uint64 // the number of the last answered call
	shutting atomic.Bool   // closing, for the reader
	writes   atomic.Uint32 // counts up at the begin and the end of each write: odd while one is in progress

	reader reader // the read goroutine's

	flushFunc func() // (*connection).flush, made once: starting a flusher then allocates nothing

	direct syscall.RawConn // of a socket to which may be written without waiting, else nil

	mu       sync.Mutex
	out      outbox
	left     []byte // what a direct write has left to the next flusher
	stuck    uint32 // the write that the sweeper woke
	holding  bool   // what waits may wait for Flush
	flushing bool   // a flusher runs
	closing  bool
	broken   bool          // closing, and nothing can be written any more
	end      CloseInfo     // how it ends, once closing
	farewell []byte        // the close frame, until a flusher takes it
	flushed  chan struct{} // made when closing begins, closed when the last flusher is done
	readBy   time.Time     // when reading ends, once closing
	done     bool          // flushed is closed
	lingers  bool          // the reader knows, and its deadline is readBy
	readOver bool          // gws reads no more
	peerSaid bool          // the peer's close frame came
	captured *[]byte       // where gws's data frames go; the flusher's
	probes   *probe        // that wait for input, oldest first
}

// process is the connection as rooms see it.
type process connection

func newConnection(g *Gateway, addr netip.Addr, s Session) *connection {
	c := &connection{
		g:    g,
		info: Info{Session: s.ID, Kind: s.Kind, Room: s.Room, Format: s.Format, Addr: addr},
		to:   s.To,
		out:  outbox{limit: g.opts.OutboxBytes},
	}
	c.flushFunc = c.flush
	c.reader.parser.limit = g.opts.MaxMessageBytes
	now := time.Now()
	c.watched.heard = now
	c.reader.tokens, c.reader.refilled = float64(g.opts.CallBurst), now
	c.reader.reports, c.reader.reported = reportBurst, now
	return c
}

// Deliver takes a message of a room: *actors.Push, *actors.Answer, *actors.Close, *actors.Probe or *actors.Move. It does
// not block. After the end of the connection the last two are answered, and all else is ignored.
func (p *process) Deliver(msg any) { p.take(msg, false) }

// Hold implements actors.Holder.
func (p *process) Hold(msg any) bool { return p.take(msg, true) }

func (p *process) take(msg any, hold bool) (held bool) {
	c := (*connection)(p)
	full := false
	switch m := msg.(type) {
	case *actors.Push:
		frame := m.Frames[c.info.Format]
		if frame == nil {
			c.g.opts.Logger.Error("a push without a frame for the connection's format was dropped", "session", c.info.Session, "format", c.info.Format.String())
			return false
		}
		p.makeRoom(frame)
		held, full = c.enqueueLocked(item{frame: frame, push: m}, hold)
		c.mu.Unlock()
	case *actors.Answer:
		p.makeRoom(m.Frame)
		held, full = c.answerLocked(m, hold)
		c.mu.Unlock()
	case *actors.Close:
		c.close(m.Code, m.Reason, keepQueue)
	case *actors.Probe:
		c.probe(m)
	case *actors.Move:
		c.move(m.To)
	default:
		c.g.opts.Logger.Error("a connection got a message that it does not know", "session", c.info.Session, "type", typeName(msg))
	}
	if full {
		p.Flush()
	}
	return held
}

// makeRoom locks mu and sees to it that what is held is no reason to call the peer slow: nobody has tried to send it.
func (p *process) makeRoom(frame []byte) {
	c := (*connection)(p)
	c.mu.Lock()
	for c.holding && !c.flushing && c.out.bytes()+frameSize(len(frame)) > c.out.limit {
		c.mu.Unlock()
		p.Flush()
		c.mu.Lock()
	}
}

// answerLocked ends a call. Answers come in the order of the calls, so one number tells what is unanswered.
func (c *connection) answerLocked(m *actors.Answer, hold bool) (held, full bool) {
	last := c.answered.Load()
	if m.Number != last+1 {
		if !c.closing {
			c.g.opts.Logger.Error("an answer is out of order", "session", c.info.Session, "room", c.info.Room, "number", m.Number, "expected", last+1)
		}
		if m.Number <= last {
			return false, false
		}
	}
	c.answered.Store(m.Number)
	if len(m.Frame) == 0 {
		m.Release()
		return false, false
	}
	return c.enqueueLocked(item{frame: m.Frame, answer: m}, hold)
}

// enqueueLocked queues a message. What is held is written by Flush, all else by a flusher, which is started unless one
// runs. It returns true if Flush must be called: sometime, or if much is held now.
func (c *connection) enqueueLocked(it item, hold bool) (held, full bool) {
	if c.closing {
		return false, false
	}
	dropped, ok := c.out.add(it)
	if dropped > 0 {
		c.g.counters.dropped.Add(int64(dropped))
	}
	switch {
	case !ok:
		c.g.counters.slow.Add(1)
		c.closeLocked(CloseInfo{Code: CloseSlowConsumer, Reason: "too much is waiting to be read"}, dropQueue)
	case !hold:
		c.wakeLocked()
	case c.flushing: // it takes this too
	case c.out.waiting >= min(chunkBytes, c.out.limit/2):
		return false, true
	case !c.holding:
		c.holding = true
		return true, false
	}
	return false, false
}

// ping queues a ping unless one waits.
func (c *connection) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.out.ping = true
		c.wakeLocked()
	}
}

// pong queues the answer to a ping; it replaces one that still waits (RFC 6455 section 5.5.3).
func (c *connection) pong(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.out.pong, c.out.hasPong = payload, true
		c.wakeLocked()
	}
}

func (c *connection) queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.bytes()
}

// fate says what becomes of the queue when a connection closes.
type fate bool

const (
	keepQueue fate = false
	dropQueue fate = true
)

// close begins the end: what is queued goes out unless it is dropped, then the close frame. Only the first close counts.
func (c *connection) close(code uint16, reason string, queue fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(CloseInfo{Code: code, Reason: reason}, queue)
}

func (c *connection) closeLocked(end CloseInfo, queue fate) {
	if c.closing {
		return
	}
	if end.Code == 0 {
		end.Code = CloseNormal
	}
	if !sendable(end.Code) {
		c.g.opts.Logger.Error("a close code that cannot be sent was replaced", "code", end.Code, "session", c.info.Session)
		end.Code = CloseInternal
	}
	end.Reason = closeReason(end.Reason)
	c.endLocked(end, queue, newCloseFrame(end.Code, end.Reason))
}

// endLocked sets closing. frame is the close frame, nil for none.
func (c *connection) endLocked(end CloseInfo, queue fate, frame []byte) {
	c.closing = true
	c.shutting.Store(true)
	c.end = end
	c.farewell = frame
	c.flushed = make(chan struct{})
	if queue == dropQueue {
		c.end.OutboxBytes += c.out.waiting
		c.out.clear()
	}
	c.out.ping, c.out.hasPong, c.out.pong = false, false, nil
	writeBy := time.Now().Add(c.g.opts.WriteTimeout)
	c.readBy = writeBy.Add(c.g.opts.CloseTimeout)
	_ = c.nc.SetWriteDeadline(writeBy)
	_ = c.nc.SetReadDeadline(past) // wakes the reader
	c.wakeLocked()
}

// past is a deadline that ends what is in progress.
var past = time.Unix(1, 0)

// breakLocked ends a connection to which nothing can be written any more. It leaves an earlier end as it was.
func (c *connection) breakLocked(end CloseInfo) {
	if !c.closing {
		c.closing = true
		c.shutting.Store(true)
		c.end = end
		c.flushed = make(chan struct{})
	} else if c.end.Err == nil && c.farewell != nil {
		c.end.Err = end.Err
	}
	c.broken = true
	c.end.OutboxBytes += c.out.bytes()
	c.out.settle()
	c.out.clear()
	c.farewell = nil
	if c.direct != nil { // closing it waits for the reader, who may wait for mu; it closes the socket itself
		_ = c.nc.SetDeadline(past)
	} else {
		_ = c.raw.Close()
	}
	if !c.flushing {
		c.doneLocked()
	}
}

func (c *connection) doneLocked() {
	if !c.done {
		c.done = true
		close(c.flushed)
	}
}

// cut ends the connection without any courtesy.
func (c *connection) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakLocked(CloseInfo{Code: closeAbnormal, Err: net.ErrClosed})
}

// gone is the last act of the read goroutine: the flusher has ended.
func (c *connection) gone() {
	c.g.sys.Unregister(c.pid)
	c.g.remove(c)
	if hook := c.g.opts.Hooks.Closed; hook != nil {
		c.mu.Lock()
		end := c.end
		c.mu.Unlock()
		hook(c.info, end)
	}
	c.g.running.Done()
}
