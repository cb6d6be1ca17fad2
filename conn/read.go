package conn

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

const (
	// yieldEvery is how many frames a connection is served before others get their turn.
	yieldEvery = 64
	// floodMalformed is how many malformed messages without a good one between them close a connection.
	floodMalformed = 100
	// floodBursts is how many times CallBurst calls in a row are refused before the connection is closed.
	floodBursts = 10
	// reportBurst and reportsPerSecond bound how often one connection's malformed messages are reported.
	reportBurst      = 10
	reportsPerSecond = 1
)

// Codes of refused calls.
const (
	codeInvalidInput      = "invalid_input"
	codeRateLimited       = "rate_limited"
	codeResourceExhausted = "resource_exhausted"
)

var errTextOnMsgpack = errors.New("socka: unexpected JSON frame in msgpack mode")

// reader is the state of the read goroutine; nobody else touches it.
type reader struct {
	err    error        // of the last read
	number uint64       // of the last call
	first  *actors.Call // received and not yet sent to the room
	last   *actors.Call
	over   bool   // nothing more is to be read
	inOurs bool   // code of ours runs, not gws
	proof  *probe // those that input came for which is not yet parsed
	input  input
	parser inbound

	frames    int
	tokens    float64
	refilled  time.Time
	refused   int // calls refused in a row
	malformed int // malformed messages in a row
	reports   float64
	reported  time.Time
}

// run is the read goroutine.
func (c *connection) run() {
	c.readLoop()
	c.mu.Lock()
	if !c.closing {
		err := c.reader.err
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		c.breakLocked(CloseInfo{Code: closeAbnormal, Err: err})
	}
	c.readOver, c.lingers = true, true
	_ = c.nc.SetReadDeadline(c.readBy)
	if c.reader.err != nil && !errors.Is(c.reader.err, io.EOF) {
		c.breakLocked(CloseInfo{}) // the stream is broken, or the time to close is up
	}
	c.mu.Unlock()
	c.detach()
	if c.reader.err == nil {
		c.drain()
	}
	<-c.flushed
	_ = c.nc.Close()
	c.gone()
}

// readLoop reads until the peer's close frame, a fault or the end of the stream.
func (c *connection) readLoop() {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
		}
	}()
	switch {
	case c.deflate:
		c.socket.ReadLoop()
	case c.direct != nil:
		c.readReady()
	default:
		c.readBlocking()
	}
}

// panicked ends a connection whose reader panicked: by a fault of ours, or of gws, which panics on a frame whose length has
// the highest bit set. Whatever gws panics on, it is the peer's frame that did it.
func (c *connection) panicked(v any) {
	end := CloseInfo{Code: CloseInternal, Reason: "internal error", Err: fmt.Errorf("conn: panic: %v", v)}
	if c.deflate && !c.reader.inOurs {
		end = CloseInfo{Code: CloseProtocolError, Reason: "protocol error", Err: fmt.Errorf("conn: impossible frame: %v", v)}
	} else {
		c.g.opts.Logger.Error("panic in a connection", "session", c.info.Session, "panic", v, "stack", string(debug.Stack()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(end, keepQueue)
}

// noticeDeadline is how the reader learns that the connection closes, or of a nudge. It returns false if its time is up.
func (c *connection) noticeDeadline() bool {
	c.mu.Lock()
	if c.broken || c.lingers {
		c.mu.Unlock()
		return false
	}
	if !c.closing {
		_ = c.nc.SetReadDeadline(time.Time{})
		c.mu.Unlock()
		return true
	}
	c.lingers = true
	_ = c.nc.SetReadDeadline(c.readBy)
	c.mu.Unlock()
	c.detach()
	return true
}

// nudge has a reader that waits look for input.
func (c *connection) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		_ = c.nc.SetReadDeadline(past)
	}
}

// drain throws input away until the peer closes its side or readBy. Closing a TCP socket with unread input would reset it,
// and the reset may overtake the close frame. So once the close frame is written only the outbound half is closed, where the
// transport has halves, and the rest is left to the peer for CloseTimeout.
func (c *connection) drain() {
	buf := make([]byte, 4<<10)
	for shut := false; !c.isBroken(); {
		if !shut && c.isDone() {
			shut = true
			if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			} else if c.peerSaid {
				return
			}
			_ = c.nc.SetReadDeadline(time.Now().Add(c.g.opts.CloseTimeout))
		}
		_, err := c.nc.Read(buf)
		if err != nil && (shut || !errors.Is(err, os.ErrDeadlineExceeded) || !c.isDone()) {
			return
		}
	}
}

func (c *connection) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func (c *connection) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// yield lets others have their turn once in a while: a connection is read as long as there is input.
func (c *connection) yield() {
	if c.reader.frames++; c.reader.frames%yieldEvery == 0 {
		runtime.Gosched()
	}
}

// message handles one inbound message. data is the caller's.
func (c *connection) message(text bool, data []byte) {
	if text && c.info.Format == wire.Msgpack {
		c.bad(errTextOnMsgpack)
		return
	}
	wait := c.spend()
	call := actors.NewCall()
	f, err := wire.Scan(c.info.Format, call.Copy(data))
	if err == nil && f.Kind != wire.ClientRequest {
		err = fmt.Errorf("socka: a %s from a client", f.Kind)
	}
	if err != nil {
		var m *wire.MalformedError
		if errors.As(err, &m) && m.HasID {
			c.refuse(wire.ErrorFrame{ID: m.ID, RPC: m.RPC, Error: m.Reason, Code: codeInvalidInput})
		}
		c.bad(err)
		return
	}
	c.reader.malformed = 0
	o := &c.g.opts
	if wait > 0 {
		c.limited(wire.ErrorFrame{ID: f.ID, RPC: f.RPC, Error: "too many calls; slow down", Code: codeRateLimited, RetryAfter: wait})
		return
	}
	if c.unanswered() >= uint64(o.MaxInFlight) {
		c.limited(wire.ErrorFrame{ID: f.ID, RPC: f.RPC, Error: "more than " + strconv.Itoa(o.MaxInFlight) + " calls wait for an answer", Code: codeResourceExhausted})
		return
	}
	c.reader.refused = 0
	call.ID, call.RPC, call.Body = f.ID, f.RPC, f.Body
	c.add(call)
}

// add numbers a call and puts it to those that are to be sent.
func (c *connection) add(call *actors.Call) {
	r := &c.reader
	r.number++
	call.From, call.Session, call.Number, call.Format = c.pid, c.info.Session, r.number, c.info.Format
	if r.last == nil {
		r.first = call
	} else {
		r.last.Follow(call)
	}
	r.last = call
}

func (c *connection) unanswered() uint64 { return c.reader.number - c.answered.Load() }

// spend takes a token from the bucket, or returns the milliseconds until there is one.
func (c *connection) spend() int64 {
	o, r := &c.g.opts, &c.reader
	if math.IsInf(o.CallsPerSecond, 1) {
		return 0
	}
	now := time.Now()
	r.tokens = min(float64(o.CallBurst), r.tokens+now.Sub(r.refilled).Seconds()*o.CallsPerSecond)
	r.refilled = now
	if r.tokens >= 1 {
		r.tokens--
		return 0
	}
	return int64(math.Ceil((1 - r.tokens) / o.CallsPerSecond * 1000))
}

// limited refuses a call at a limit, and closes the connection of a client that takes no notice.
func (c *connection) limited(e wire.ErrorFrame) {
	c.g.counters.limited.Add(1)
	c.refuse(e)
	most := floodBursts * c.g.opts.CallBurst
	if c.reader.refused++; c.reader.refused > most {
		c.close(CloseFlood, "calls went on after "+strconv.Itoa(most)+" were refused in a row", keepQueue)
	}
}

// refuse sends the room a call that is not to run, so that its answer stands in its place among the others. What waits
// for an answer is bounded with those too.
func (c *connection) refuse(e wire.ErrorFrame) {
	e.HasCode = true
	o := &c.g.opts
	if o.MaxInFlight < math.MaxInt && c.unanswered() >= uint64(o.MaxInFlight+floodBursts*o.CallBurst) {
		c.close(CloseFlood, "calls went on while none were answered", keepQueue)
		return
	}
	e.ID, e.RPC = strings.Clone(e.ID), strings.Clone(e.RPC) // of a frame, whose bytes belong to somebody else
	c.add(&actors.Call{ID: e.ID, RPC: e.RPC, Refused: &e})
}

// bad reports a malformed message.
func (c *connection) bad(err error) {
	c.g.counters.malformed.Add(1)
	r := &c.reader
	if r.malformed++; r.malformed >= floodMalformed {
		c.close(CloseFlood, strconv.Itoa(floodMalformed)+" malformed messages in a row", keepQueue)
	}
	now := time.Now()
	r.reports = min(reportBurst, r.reports+now.Sub(r.reported).Seconds()*reportsPerSecond)
	r.reported = now
	if r.reports < 1 {
		return
	}
	r.reports--
	if hook := c.g.opts.Hooks.Malformed; hook != nil {
		hook(c.info, err)
		return
	}
	c.g.opts.Logger.Warn("malformed message", "session", c.info.Session, "kind", c.info.Kind, "room", c.info.Room, "error", err)
}

func typeName(v any) string { return fmt.Sprintf("%T", v) }
