package conn

import (
	"errors"
	"os"
	"strconv"
	"sync"
)

const (
	// readBufferSize is what is read at once from a connection.
	readBufferSize = 16 << 10
	// blockingBufferSize is the same where the buffer must be there before there is anything to read.
	blockingBufferSize = 4 << 10
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBufferSize); return &b }}

// input is what was read and is not yet parsed: buf[:n]. It holds a buffer only while there is something in it, or while
// a read that waits needs it.
type input struct {
	buf    []byte
	n      int
	need   int     // bytes that the next frame needs
	pooled *[]byte // buf, if it is of the pool
}

// space returns where to read to, which is never empty.
func (in *input) space() []byte {
	switch {
	case in.buf == nil:
		in.pooled = readBuffers.Get().(*[]byte)
		in.buf = *in.pooled
	case in.n == len(in.buf): // a large frame; its bytes, not what it announces, decide how much memory it gets
		grown := make([]byte, min(max(in.need, in.n+1), 2*in.n))
		copy(grown, in.buf)
		in.drop()
		in.buf = grown
	}
	return in.buf[in.n:]
}

// consumed takes bytes away from the front.
func (in *input) consumed(taken int) {
	in.n = copy(in.buf, in.buf[taken:in.n])
}

// rest gives the buffer back if there is nothing in it.
func (in *input) rest() {
	if in.n == 0 {
		in.drop()
	}
}

func (in *input) drop() {
	if in.pooled != nil {
		readBuffers.Put(in.pooled)
	}
	in.buf, in.pooled = nil, nil
}

// readBlocking reads from a transport whose reads wait.
func (c *connection) readBlocking() {
	in := &c.reader.input
	for over := c.parse(); !over; over = c.parse() {
		if in.n == 0 && len(in.buf) != blockingBufferSize {
			in.drop()
			in.buf = make([]byte, blockingBufferSize)
		}
		n, err := c.nc.Read(in.space())
		c.hear(n)
		in.n += n
		switch {
		case n > 0: // an error comes again
		case err != nil && errors.Is(err, os.ErrDeadlineExceeded) && c.noticeDeadline():
		case err != nil:
			c.reader.err = err
			return
		}
	}
}

// parse handles the frames that are there, and sends what they ask for. It returns true when reading is over.
func (c *connection) parse() (over bool) {
	in := &c.reader.input
	taken := 0
	for !over {
		f, n, need, fault := c.reader.parser.next(in.buf[taken:in.n])
		if fault != nil {
			c.fault(fault.code, "", fault)
			over = true
			break
		}
		if n == 0 {
			in.need = need
			break
		}
		taken += n
		c.yield()
		switch f.kind {
		case textMessage, binaryMessage:
			if !c.shutting.Load() {
				c.message(f.kind == textMessage, f.payload)
			}
		case pingControl:
			c.pong(append([]byte(nil), f.payload...))
		case closeControl:
			c.peerCloses(f.payload)
			over = true
		}
	}
	in.consumed(taken)
	c.send()
	return over
}

// fault begins the end after a fault of the peer: reason is for the peer, "" for the usual text of the code.
func (c *connection) fault(code uint16, reason string, err error) {
	switch {
	case reason != "":
	case code == CloseInvalidData:
		reason = "text is not UTF-8"
	case code == CloseMessageTooBig:
		reason = "a message is larger than " + strconv.Itoa(c.g.opts.MaxMessageBytes) + " bytes"
	default:
		reason = "protocol error"
	}
	if err == nil {
		err = errors.New("conn: " + reason)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(CloseInfo{Code: code, Reason: reason, Err: err}, keepQueue)
}

// peerCloses takes the peer's close frame.
func (c *connection) peerCloses(payload []byte) {
	said, reason, reply := parseClose(payload)
	if reply == CloseProtocolError || reply == CloseInvalidData {
		c.fault(reply, "", nil)
	}
	if said == 0 {
		said = closeNoStatus
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peerSaid = true
	if !c.closing {
		c.endLocked(CloseInfo{Code: said, Reason: reason, ByPeer: true}, dropQueue, newCloseFrame(reply, ""))
	}
}
