package conn

import (
	"errors"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lxzan/gws"

	"github.com/gosocka/socka/wire"
)

const (
	// chunkBytes is about what one write to a socket carries.
	chunkBytes = 64 << 10
	// copyBytes is the size from which a frame is written from where it is instead of being copied.
	copyBytes = 32 << 10
	// compressFrom is the size from which a message is compressed for a client that takes it.
	compressFrom = 512
	// tlsPiece is the most that one write to a TLS connection gets. A TLS write that times out is lost for good, so the
	// progress of one must be a matter of little.
	tlsPiece = 16 << 10
)

// scratch is what a flusher needs while it runs.
type scratch struct {
	batch []item
	buf   []byte

	direct bool   // write without waiting, and keep in left what the socket does not take
	left   []byte // nil if it has taken all
	try    attempt
}

var scratches = sync.Pool{New: func() any { return newScratch() }}

func newScratch() *scratch {
	s := new(scratch)
	s.try.init()
	return s
}

// wakeLocked starts a flusher unless one runs.
func (c *connection) wakeLocked() {
	if !c.flushing && !c.done {
		c.flushing = true
		go c.flushFunc()
	}
}

// Flush implements actors.Holder. It is the flusher itself where it need not wait for the socket.
func (p *process) Flush() {
	c := (*connection)(p)
	c.mu.Lock()
	c.holding = false
	switch {
	case c.flushing || c.done || c.out.waiting == 0:
		c.mu.Unlock()
	case c.direct == nil || c.closing:
		c.wakeLocked()
		c.mu.Unlock()
	default:
		c.flushing = true
		c.flushLocked(true)
	}
}

// flush is the flusher on a goroutine of its own.
func (c *connection) flush() {
	c.mu.Lock()
	c.flushLocked(false)
}

// flushLocked is the flusher: at any time the only one who writes to the socket after the handshake. It takes what is
// queued, joins it into as few writes as possible, and ends when nothing is left. A direct one does not wait for the
// socket: where it would have to, another goroutine goes on. flushLocked unlocks mu.
func (c *connection) flushLocked(direct bool) {
	s := scratches.Get().(*scratch)
	s.direct = direct
	var err error
	if left := c.left; left != nil {
		c.left = nil
		c.mu.Unlock()
		err = c.write(s, left)
		c.mu.Lock()
		c.settleLocked(err)
	}
	for c.nextLocked(s) {
		c.mu.Unlock()
		err = c.writeBatch(s)
		c.mu.Lock()
		if s.left != nil && err == nil {
			c.left, s.left = s.left, nil
			c.mu.Unlock()
			go c.flushFunc()
			s.release()
			return
		}
		c.settleLocked(err)
	}
	c.flushing = false
	if c.closing {
		c.finishLocked()
	}
	c.mu.Unlock()
	s.release()
}

// settleLocked says what came of a write.
func (c *connection) settleLocked(err error) {
	if err != nil {
		c.failLocked(err)
	} else {
		c.out.settle()
	}
}

func (s *scratch) release() {
	clear(s.batch)
	s.batch, s.left = s.batch[:0], nil
	scratches.Put(s)
}

// nextLocked takes the next batch: control frames into buf, messages into batch, and the close frame when it is the only
// thing left.
func (c *connection) nextLocked(s *scratch) bool {
	s.buf = s.buf[:0]
	if c.done {
		return false
	}
	if c.out.hasPong {
		s.buf = appendHeader(s.buf, pongFrame, len(c.out.pong))
		s.buf = append(s.buf, c.out.pong...)
		c.out.pong, c.out.hasPong = nil, false
	}
	if c.out.ping {
		s.buf = appendHeader(s.buf, pingFrame, 0)
		c.out.ping = false
	}
	s.batch = c.out.take(s.batch[:0], chunkBytes)
	if len(s.batch) == 0 && c.farewell != nil {
		s.buf = append(s.buf, c.farewell...)
		c.farewell = nil
	}
	return len(s.batch) > 0 || len(s.buf) > 0
}

// writeBatch writes buf and the messages behind it.
func (c *connection) writeBatch(s *scratch) error {
	first := byte(textFrame)
	opcode := gws.OpcodeText
	if c.info.Format == wire.Msgpack {
		first, opcode = binaryFrame, gws.OpcodeBinary
	}
	for i, it := range s.batch {
		switch {
		case c.deflate && len(it.frame) >= compressFrom && gwsTakes(first, it.frame):
			c.captured = &s.buf
			if err := c.socket.WriteMessage(opcode, it.frame); err != nil && !errors.Is(err, gws.ErrConnClosed) { // else a close frame follows
				return err
			}
		case len(it.frame) >= copyBytes:
			s.buf = appendHeader(s.buf, first, len(it.frame))
			if err := c.write(s, s.buf); err != nil {
				return err
			}
			s.buf = s.buf[:0]
			if err := c.write(s, it.frame); err != nil {
				return err
			}
		default:
			s.buf = appendHeader(s.buf, first, len(it.frame))
			s.buf = append(s.buf, it.frame...)
		}
		if it.answer != nil {
			it.answer.Release()
		}
		s.batch[i] = item{}
	}
	err := c.write(s, s.buf)
	if cap(s.buf) > 2*chunkBytes {
		s.buf = nil
	}
	return err
}

// gwsTakes reports whether gws will make a frame of p. If it did not, it would close the connection on the wrong goroutine.
func gwsTakes(first byte, p []byte) bool {
	return len(p) <= mostMessageBytes && (first == binaryFrame || utf8.Valid(p))
}

// write writes all of p. No deadline is set per write, which would cost more than the rest: the sweeper wakes a write that
// makes no progress for WriteTimeout, and closing sets one deadline for all that is left.
func (c *connection) write(s *scratch, p []byte) error {
	if s.direct {
		return c.writeDirect(s, p)
	}
	for len(p) > 0 {
		piece := p
		if c.tls && len(piece) > tlsPiece {
			piece = piece[:tlsPiece]
		}
		began := c.writes.Add(1)
		n, err := c.nc.Write(piece)
		c.writes.Add(1)
		p = p[n:]
		if err != nil && !c.mayGoOn(began, n, err) {
			return err
		}
	}
	return nil
}

// writeDirect writes what the socket takes at once, and keeps the rest.
func (c *connection) writeDirect(s *scratch, p []byte) error {
	n := 0
	if s.left == nil {
		var err error
		n, err = s.try.write(c.direct, p)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // a deadline may be the sweeper's for an earlier write
			return err
		}
	}
	if n < len(p) {
		s.left = append(s.left, p[n:]...)
	}
	return nil
}

// mayGoOn reports whether a write that timed out is to be continued: some of it went out, or the sweeper meant an earlier one.
func (c *connection) mayGoOn(began uint32, n int, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.tls {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing { // one deadline for all that is left, unless the sweeper's came just before
		return !c.broken && time.Now().Before(c.readBy.Add(-c.g.opts.CloseTimeout))
	}
	if n == 0 && c.stuck == began {
		return false
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	return true
}

// wakeWriter ends the write that is in progress if it still is the one given.
func (c *connection) wakeWriter(write uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing && c.writes.Load() == write {
		c.stuck = write
		_ = c.nc.SetWriteDeadline(past)
	}
}

// failLocked ends the connection after a failed write.
func (c *connection) failLocked(err error) {
	end := CloseInfo{Code: closeAbnormal, Err: err}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		end.Code, end.Reason = CloseSlowConsumer, "nothing was read for "+c.g.opts.WriteTimeout.String()
		if !c.closing {
			c.g.counters.slow.Add(1)
		}
	}
	c.breakLocked(end)
}

// finishLocked is called when the last flusher of a closing connection ends.
func (c *connection) finishLocked() {
	if c.done {
		return
	}
	c.doneLocked()
	if c.broken {
		return // the reader was woken to end
	}
	c.readBy = time.Now().Add(c.g.opts.CloseTimeout)
	switch {
	case c.readOver:
		_ = c.nc.SetReadDeadline(past) // see drain
	case c.lingers:
		_ = c.nc.SetReadDeadline(c.readBy)
	}
}
