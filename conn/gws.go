package conn

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/lxzan/gws"
)

// This file has what connections with permessage-deflate need: gws answers their handshake, reads and inflates what comes
// in and deflates what goes out. It writes into our hands, see transport.Write. All others are read by inbound.

// handler receives gws's events, for all connections.
type handler struct{}

func of(s *gws.Conn) *connection { return (*connection)(s.NetConn().(*transport)) }

func (handler) OnOpen(*gws.Conn) {}

// OnClose learns what the peer's close frame said.
func (handler) OnClose(s *gws.Conn, err error) {
	var said *gws.CloseError
	if !errors.As(err, &said) {
		return
	}
	c := of(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peerSaid = true
	if c.end.ByPeer {
		c.end.Code, c.end.Reason = said.Code, string(bytes.ToValidUTF8(said.Reason, []byte("\uFFFD")))
		if said.Code == 0 {
			c.end.Code = closeNoStatus
		}
	}
}

func (handler) OnPing(s *gws.Conn, payload []byte) {
	c := of(s)
	c.yield()
	c.pong(payload)
}

func (handler) OnPong(s *gws.Conn, _ []byte) { of(s).yield() }

func (handler) OnMessage(s *gws.Conn, m *gws.Message) {
	c := of(s)
	c.yield()
	text := m.Opcode == gws.OpcodeText
	if !c.shutting.Load() {
		c.reader.inOurs = true
		c.message(text, m.Bytes())
		c.reader.inOurs = false
	}
	_ = m.Close()
}

// transport is the connection as gws sees it: a net.Conn.
type transport connection

// Read is gws's way to the socket. While the connection closes it keeps gws reading, so that the peer's close frame is
// seen, until readBy.
func (t *transport) Read(p []byte) (int, error) {
	c := (*connection)(t)
	c.send()
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	for {
		n, err := c.nc.Read(p)
		c.hear(n)
		if n > 0 {
			return n, nil // an error comes again
		}
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && c.noticeDeadline() {
			continue
		}
		c.reader.err = err
		return 0, err
	}
}

// Write takes what gws writes: the answer to the handshake, which goes out at once, then whole frames. Data frames are
// those that a flusher has gws compress. A close frame is gws's answer to the peer's, or to a fault of the peer.
func (t *transport) Write(p []byte) (int, error) {
	c := (*connection)(t)
	switch {
	case !c.open:
		return c.nc.Write(p)
	case p[0]&opcodeMask == opcodeClose:
		c.closeByGws(parseCloseFrame(p))
	case p[0]&opcodeMask <= binaryFrame&opcodeMask:
		*c.captured = append(*c.captured, p...)
	}
	return len(p), nil
}

// closeByGws begins the end that gws asks for on the read goroutine.
func (c *connection) closeByGws(code uint16, reason string) {
	if c.reader.err != nil {
		return // the stream broke: gws says good-bye to nobody
	}
	switch {
	case code == CloseInternal && strings.Contains(reason, "too large"): // what gws makes of every failure to decompress
		c.fault(CloseMessageTooBig, "", nil)
	case code == CloseInternal:
		c.fault(CloseInvalidData, "message cannot be decompressed", nil)
	case code == CloseProtocolError, code == CloseInvalidData, code == CloseMessageTooBig:
		c.fault(code, "", nil)
	default: // the answer to the peer's close frame; OnClose puts in what the peer said
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closing {
			c.endLocked(CloseInfo{Code: code, ByPeer: true}, dropQueue, newCloseFrame(code, ""))
		}
	}
}

// Close is called by gws after its close frame: the connection closes in its own time. Only a handshake is ended by it.
func (t *transport) Close() error {
	if !t.open {
		return t.nc.Close()
	}
	return nil
}

func (t *transport) LocalAddr() net.Addr  { return t.nc.LocalAddr() }
func (t *transport) RemoteAddr() net.Addr { return t.nc.RemoteAddr() }

// SetDeadline is called by gws around the handshake, whose end stands since Admit.
func (t *transport) SetDeadline(d time.Time) error {
	if !d.IsZero() {
		d = t.handshakeBy
	}
	return t.nc.SetDeadline(d)
}

func (t *transport) SetReadDeadline(time.Time) error  { return nil }
func (t *transport) SetWriteDeadline(time.Time) error { return nil }
