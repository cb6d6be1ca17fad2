package load

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gosocka/socka/wire"
)

// A client is one connection. Its read goroutine is its only reader; who sends holds mu.
type client struct {
	r     *run
	nc    net.Conn
	shard *shard
	room  int

	buf    []byte // what was read and not yet taken is buf[:held]
	held   int
	frag   []byte // the beginning of a fragmented message
	inFrag bool
	served bool // a pong has come

	calls bool // whether it calls at all

	mu       sync.Mutex
	out      []byte // frames to be written
	payload  []byte
	sent     int64
	under    int     // calls that wait for an answer
	due      []int64 // when call n was due, at n%len(due); -1: no such call waits
	next     int64   // when the next call is due, in an open loop
	interval int64   // between calls; 0 in a closed loop
	broken   bool
}

// shard takes the results of some clients.
type shard struct {
	mu sync.Mutex
	results
	_ [64]byte
}

// results are counted from when a connection is open to when it is closed, those in the window in between also apart.
type results struct {
	sent, answered, failed, unexpected, received int64
	callsInWindow, pushesInWindow                int64
	connects, connectsInWindow                   int64 // of Churn

	call, push, late, connect, session histogram
}

func newClient(r *run, nc net.Conn, early []byte, i int) *client {
	c := &client{r: r, nc: nc, shard: &r.shards[i%len(r.shards)], room: i % r.cfg.Rooms, buf: make([]byte, max(r.bufferSize, 2*len(early)))}
	c.held = copy(c.buf, early)
	return c
}

// caller makes the client one that calls.
func (c *client) caller() {
	c.calls = true
	size := 1
	for size < c.r.cfg.Depth {
		size *= 2
	}
	c.due = make([]int64, size)
	for i := range c.due {
		c.due[i] = -1
	}
}

// read takes what comes until the connection ends.
func (c *client) read() {
	defer c.r.readers.Done()
	err := c.take(c.r.now()) // what came with the handshake
	for err == nil {
		var n int
		n, err = c.nc.Read(c.buf[c.held:])
		c.held += n
		if n > 0 {
			if failed := c.take(c.r.now()); failed != nil {
				err = failed
			}
		}
	}
	_ = c.nc.Close()
	if !c.served {
		c.r.unserved.Done()
	}
	c.r.lost(c, err)
}

// take handles all messages in the buffer.
func (c *client) take(now int64) error {
	if c.held == 0 {
		return nil
	}
	c.mu.Lock()
	c.shard.mu.Lock()
	before := c.shard.received
	taken, need, err := c.messages(now)
	pushes := c.shard.received - before
	c.shard.mu.Unlock()
	c.pumpLocked(now)
	c.mu.Unlock()
	if pushes > 0 {
		c.r.delivered(pushes, now)
	}
	c.held = copy(c.buf, c.buf[taken:c.held])
	if need > len(c.buf) {
		c.buf = append(make([]byte, 0, need), c.buf[:c.held]...)[:need]
	}
	return err
}

func (c *client) messages(now int64) (taken, need int, err error) {
	for {
		op, final, payload, size, need, err := parseFrame(c.buf[taken:c.held])
		if err != nil || size == 0 {
			return taken, need, err
		}
		taken += size
		switch {
		case op >= opClose:
			err = c.control(op, payload)
		case final && !c.inFrag && op != opContinuation:
			c.message(now, payload)
		default:
			if c.inFrag == (op != opContinuation) || len(c.frag)+len(payload) > maxFrame {
				return taken, 0, fmt.Errorf("the server sent fragments out of order, or of more than %d bytes", maxFrame)
			}
			c.frag, c.inFrag = append(c.frag, payload...), !final
			if final {
				c.message(now, c.frag)
				c.frag = c.frag[:0]
			}
		}
		if err != nil {
			return taken, 0, err
		}
	}
}

func (c *client) control(op byte, payload []byte) error {
	switch op {
	case opPong:
		if !c.served {
			c.served = true
			c.r.unserved.Done()
		}
	case opPing:
		c.out = appendFrame(c.out, opPong, payload)
	case opClose:
		code := uint16(1005)
		if len(payload) >= 2 {
			code = binary.BigEndian.Uint16(payload)
			payload = payload[2:]
		}
		c.out = appendFrame(c.out, opClose, binary.BigEndian.AppendUint16(nil, 1000))
		return closed{code, clip(string(payload))}
	}
	return nil
}

// message handles one message. c.mu and the shard's mu are held.
func (c *client) message(now int64, data []byte) {
	s, r := c.shard, c.r
	m := r.scanner.scan(data)
	inWindow := now >= r.from.Load() && now < r.to.Load()
	switch m.kind {
	case pushMessage:
		s.received++
		if inWindow {
			s.pushesInWindow++
		}
		if due := m.n * 1000; m.n >= 0 && r.counts(due) {
			s.push.add(now - due)
		}
	case answerMessage, failureMessage:
		slot := -1
		if c.calls && m.n >= 0 && m.n < c.sent && c.sent-m.n <= int64(len(c.due)) {
			slot = int(m.n) & (len(c.due) - 1)
		}
		if slot < 0 || c.due[slot] < 0 {
			s.unexpected++
			return
		}
		due := c.due[slot]
		c.due[slot] = -1
		c.under--
		if m.kind == failureMessage {
			s.failed++
			r.callFailed(m.frame)
			return
		}
		s.answered++
		r.worked.Store(true)
		if inWindow {
			s.callsInWindow++
		}
		if r.counts(due) {
			s.call.add(now - due)
		}
	}
}

// pump sends what is due.
func (c *client) pump(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pumpLocked(now)
}

func (c *client) pumpLocked(now int64) {
	defer c.flush()
	r := c.r
	mask := int64(len(c.due) - 1)
	for c.calls && !c.broken && r.sending.Load() && c.under < r.cfg.Depth && c.due[c.sent&mask] < 0 {
		due := now
		switch {
		case c.interval > 0:
			if c.next > now || c.next >= r.to.Load() {
				return
			}
			due = c.next
			c.next += c.interval
		case !r.mayPublish():
			return
		}
		c.due[c.sent&mask] = due
		c.payload = r.appendCall(c.payload[:0], c.sent, due)
		c.out = appendFrame(c.out, r.op, c.payload)
		c.sent++
		c.under++
		if c.interval > 0 && r.counts(due) {
			c.lateness(now - due)
		}
		r.published(c)
	}
}

func (c *client) lateness(d int64) {
	c.shard.mu.Lock()
	c.shard.late.add(d)
	c.shard.mu.Unlock()
}

// flush writes all frames at once. It blocks while the server's socket takes no more, which a depth times the size of the
// body within the socket buffers avoids.
func (c *client) flush() {
	if len(c.out) == 0 {
		return
	}
	if !c.broken {
		_, err := c.nc.Write(c.out)
		c.broken = err != nil // the reader learns why
	}
	c.out = c.out[:0]
}

// leave says good-bye and hangs up.
func (c *client) leave() {
	_ = c.nc.SetDeadline(time.Now().Add(time.Second)) // also frees who is blocked in a write
	c.mu.Lock()
	c.out = appendFrame(c.out, opClose, binary.BigEndian.AppendUint16(nil, 1000))
	c.flush()
	c.mu.Unlock()
	_ = c.nc.Close()
}

// rest gives what had to wait to the end: calls without an answer, and calls that were due and never sent.
func (c *client) rest(end int64) (unanswered, unsent int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	c.shard.sent += c.sent
	for _, due := range c.due {
		if due >= 0 {
			unanswered++
			if c.r.counts(due) {
				c.shard.call.add(end - due)
			}
		}
	}
	if c.interval == 0 {
		return unanswered, 0
	}
	for ; c.next < c.r.to.Load(); c.next += c.interval {
		unsent++
		if c.r.counts(c.next) {
			c.shard.call.add(end - c.next)
			c.shard.late.add(end - c.next)
		}
	}
	return unanswered, unsent
}

// closed is the end of a connection by a close frame.
type closed struct {
	code   uint16
	reason string
}

// Error says what to raise, for the codes of this project's server.
func (e closed) Error() string {
	hint := ""
	switch e.code {
	case 4429:
		hint = "; raise conn.Options.CallsPerSecond and MaxInFlight"
	case 4501:
		hint = "; the server made more than this connection was read: lower the rate or the depth, or raise conn.Options.OutboxBytes"
	case 4503:
		hint = "; raise Definition.MaxSessions (1,000 by default), or spread the load with -rooms"
	}
	return fmt.Sprintf("the server closed the connection with %d %s%s", e.code, e.reason, hint)
}

// appendCall appends a request.
func (r *run) appendCall(dst []byte, n, due int64) []byte {
	body := r.body
	if body == nil {
		body = r.numbered(due / 1000)
	}
	return wire.AppendRequest(dst, r.cfg.Wire, r.cfg.Call+"-"+strconv.FormatInt(n, 10), r.cfg.Call, body)
}

// numbered makes the body that carries a number. It was tried before, so that nothing can fail.
func (r *run) numbered(n int64) []byte {
	body, _ := r.cfg.body(n)
	if r.cfg.Wire == wire.Msgpack {
		body, _ = wire.Transcode(nil, wire.Msgpack, wire.JSON, body)
	}
	return body
}
