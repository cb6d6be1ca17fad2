package client

import (
	"bytes"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

const (
	// maxHandshakeBytes bounds the server's answer to the upgrade request.
	maxHandshakeBytes = 64 << 10
	// writeChunk is what one write deadline covers, in bytes: a large message on
	// a slow link is progress, a chunk that stays is not.
	writeChunk = 32 << 10
)

// transport is the net.Conn that gws works on.
//
// During the handshake, which one goroutine at a time runs, it holds the request
// back until the answer is read, so that a peer which does not read cannot leave
// a goroutine of gws behind; it bounds the answer; and it does not close, so that
// the body of a refusal can be read.
//
// Afterwards it notes when something was read, gives every write a deadline, and
// in a close handshake of our own keeps gws from closing before the peer has
// confirmed. kill always closes.
type transport struct {
	net.Conn          // below it TLS, if any
	raw      net.Conn // the connection that was dialled
	timeout  time.Duration

	handshake bool
	request   bytes.Buffer
	answered  int

	broken   bool          // a write failed; writes are serialized by gws
	closing  atomic.Bool   // our close handshake has begun
	progress atomic.Uint64 // grows whenever reading gets on
}

var (
	errHandshakeSize = errors.New("the server's answer is too long")
	errBroken        = errors.New("an earlier write failed")
)

func newTransport(top, raw net.Conn, timeout time.Duration) *transport {
	return &transport{Conn: top, raw: raw, timeout: timeout, handshake: true}
}

// upgraded ends the handshake. It is called before the connection is shared.
func (t *transport) upgraded() {
	t.handshake = false
	t.request = bytes.Buffer{}
}

func (t *transport) Read(p []byte) (int, error) {
	if !t.handshake {
		n, err := t.Conn.Read(p)
		if n > 0 {
			t.progress.Add(1)
		}
		return n, err
	}
	if t.request.Len() > 0 {
		if _, err := t.request.WriteTo(t.Conn); err != nil {
			return 0, err
		}
	}
	if t.answered >= maxHandshakeBytes {
		return 0, errHandshakeSize
	}
	n, err := t.Conn.Read(p)
	t.answered += n
	return n, err
}

func (t *transport) Write(p []byte) (int, error) {
	if t.handshake {
		return t.request.Write(p)
	}
	if t.broken {
		return 0, errBroken // no close frame behind half a message
	}
	// The deadline is taken away again: TLS may write a record of its own while
	// reading, and must not find an old one.
	defer t.Conn.SetWriteDeadline(time.Time{})
	written := 0
	for {
		chunk := p[written:min(len(p), written+writeChunk)]
		err := t.Conn.SetWriteDeadline(time.Now().Add(t.timeout))
		if err == nil {
			var n int
			n, err = t.Conn.Write(chunk)
			written += n
		}
		t.broken = err != nil
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

func (t *transport) Close() error {
	if t.handshake || t.closing.Load() {
		return nil
	}
	return t.Conn.Close()
}

// kill cuts the connection, whatever is being read or written.
func (t *transport) kill() { _ = t.raw.Close() }
