package conn

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// Session says for whom a connection is opened.
type Session struct {
	// ID is the public session id. It must be unique in the gateway's system: the connection is the process "conn/"+ID.
	ID string
	// Kind and Room name the room, for hooks and logs.
	Kind, Room string
	// Format is what the connection speaks from the first message to the last.
	Format wire.Format
	// To is the room's address; it gets an actors.Attach, then actors.Calls, then one actors.Detach, unless an actors.Move
	// says another one for the rest.
	To *actors.PID
	// Data goes into the Attach; the connection keeps no reference to it.
	Data any
}

// Upgrade turns the request that was admitted into a connection: it takes the socket from the HTTP server, answers 101,
// sends the room an Attach and returns, so that the handler may end. w may be any http.ResponseWriter that can be hijacked,
// also through Unwrap (http.ResponseController). No sub-protocol is ever picked (socka v1 wire).
//
// After an error nothing was sent to the room and the place is free. While the error is a *Refusal, the caller still has to
// answer the request; otherwise the socket is closed.
func (a *Admission) Upgrade(w http.ResponseWriter, r *http.Request, s Session) error {
	err := errors.New("conn: this admission was used or released before")
	a.once.Do(func() { err = a.upgrade(w, r, s) })
	return err
}

func (a *Admission) upgrade(w http.ResponseWriter, _ *http.Request, s Session) (err error) {
	g := a.g
	inserted := false
	defer func() {
		if !inserted {
			g.release(a.addr)
		}
	}()
	switch {
	case s.ID == "" || s.To == nil:
		return &Refusal{http.StatusInternalServerError, "internal error: a session needs an id and a room", nil}
	case s.Format != wire.JSON && s.Format != wire.Msgpack:
		return &Refusal{http.StatusInternalServerError, "internal error: unknown wire format " + s.Format.String(), nil}
	case !time.Now().Before(a.deadline):
		return &Refusal{http.StatusServiceUnavailable, fmt.Sprintf("the handshake took longer than %v; try again", g.opts.HandshakeTimeout), nil}
	}
	c := newConnection(g, a.addr, s)
	c.pid, err = g.sys.Register(processName(s.ID), (*process)(c))
	if err != nil {
		return &Refusal{http.StatusInternalServerError, "internal error: the session id is in use", nil}
	}
	defer func() {
		if !inserted {
			g.sys.Unregister(c.pid)
		}
	}()
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		g.opts.Logger.Error("the HTTP server's connection cannot be hijacked; is there a middleware that hides it?", "error", err)
		return &Refusal{http.StatusInternalServerError, "internal error: this server cannot upgrade connections", nil}
	}
	c.deflate = a.deflate
	c.use(nc, rw, a.deadline)
	if c.deflate {
		err = c.acceptWithGws(a.key)
	} else {
		err = c.accept(a.key)
	}
	if err != nil {
		_ = nc.Close()
		return fmt.Errorf("conn: answering the handshake: %w", err)
	}
	if !g.insert(c) {
		_ = nc.SetWriteDeadline(a.deadline)
		_, _ = nc.Write(newCloseFrame(CloseGoingAway, "server stops"))
		_ = nc.Close()
		return errors.New("conn: the gateway closed during the handshake")
	}
	inserted = true
	g.counters.accepted.Add(1)
	c.attach(s.Data)
	go c.run()
	return nil
}

// accept answers the handshake (RFC 6455 section 4.2.2).
func (c *connection) accept(key string) error {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_ = c.nc.SetDeadline(c.handshakeBy)
	_, err := c.nc.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
	_ = c.nc.SetDeadline(time.Time{})
	return err
}

// acceptWithGws has gws answer a handshake with permessage-deflate.
func (c *connection) acceptWithGws(key string) (err error) {
	// gws gets a request of its own: it reads headers less exactly than Admit did.
	header := http.Header{}
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	header.Set("Sec-WebSocket-Version", "13")
	header.Set("Sec-WebSocket-Key", key)
	header.Set("Sec-WebSocket-Extensions", "permessage-deflate")
	c.socket, err = c.g.upgrader.Upgrade(hijacked{c: c}, &http.Request{Method: http.MethodGet, Header: header})
	return err
}

// use gives a new connection its socket.
func (c *connection) use(nc net.Conn, rw *bufio.ReadWriter, deadline time.Time) {
	c.nc = nc
	c.handshakeBy = deadline
	if n := rw.Reader.Buffered(); n > 0 { // the client wrote on before it had the answer
		early, _ := rw.Reader.Peek(n)
		if c.deflate {
			c.early = bytes.Clone(early)
		} else {
			c.reader.input = input{buf: bytes.Clone(early), n: n}
		}
	}
	c.raw = nc
	if t, ok := nc.(*tls.Conn); ok {
		c.tls, c.raw = true, t.NetConn()
	}
	if !c.deflate {
		c.direct = directly(nc)
	}
}

// hijacked hands gws the transport in place of the socket. The reader is gws's own, from its pool: the HTTP server's would
// keep the request alive.
type hijacked struct {
	http.ResponseWriter
	c *connection
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return (*transport)(h.c), nil, nil }
