package conn

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// patience ends a test that would hang. No test depends on how long anything takes.
const patience = 5 * time.Minute

// room is a scripted room: it records what it gets and does what on says.
type room struct {
	sys *actors.System
	pid *actors.PID
	on  func(r *room, msg any) // nil: echo every call

	mu     sync.Mutex
	cond   *sync.Cond
	events []any
}

func (r *room) Receive(msg any) {
	if r.on != nil {
		r.on(r, msg)
	} else {
		echo(r, msg)
	}
	r.mu.Lock()
	r.events = append(r.events, msg)
	r.cond.Broadcast()
	r.mu.Unlock()
}

func (r *room) Stopped(error) {}

// wait blocks until an event satisfies match and returns it. Events are looked at once by each kind of wait.
func (r *room) wait(t testing.TB, match func(any) bool) any {
	t.Helper()
	timer := time.AfterFunc(patience, func() { r.mu.Lock(); r.cond.Broadcast(); r.mu.Unlock() })
	defer timer.Stop()
	end := time.Now().Add(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for _, e := range r.events {
			if match(e) {
				return e
			}
		}
		if !time.Now().Before(end) {
			t.Fatalf("the room never got what the test waits for; it got %d messages", len(r.events))
		}
		r.cond.Wait()
	}
}

func (r *room) detach(t testing.TB, session string) *actors.Detach {
	t.Helper()
	return r.wait(t, func(m any) bool { d, ok := m.(*actors.Detach); return ok && d.Session == session }).(*actors.Detach)
}

func (r *room) attach(t testing.TB, session string) *actors.Attach {
	t.Helper()
	return r.wait(t, func(m any) bool { a, ok := m.(*actors.Attach); return ok && a.Session == session }).(*actors.Attach)
}

func (r *room) detaches(session string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.events {
		if d, ok := m.(*actors.Detach); ok && d.Session == session {
			n++
		}
	}
	return n
}

// echo answers a call with its body, or as the gateway refused it.
func echo(r *room, msg any) {
	c, ok := msg.(*actors.Call)
	if !ok {
		return
	}
	if c.Refused != nil {
		r.sys.Send(c.From, &actors.Answer{Number: c.Number, Frame: wire.AppendError(nil, c.Format, *c.Refused)})
		return
	}
	r.sys.Send(c.From, &actors.Answer{Number: c.Number, Frame: wire.AppendResponse(nil, c.Format, c.ID, c.RPC, c.Body)})
}

// transportKind is one way to connect.
type transportKind struct {
	name    string
	pipe    bool
	tls     bool
	deflate bool
}

var transports = []transportKind{
	{name: "tcp"},
	{name: "tls", tls: true},
	{name: "pipe", pipe: true},
	{name: "deflate", deflate: true},
	{name: "pipe deflate", pipe: true, deflate: true},
}

// env is a gateway behind an HTTP server, with one room.
type env struct {
	t    testing.TB
	kind transportKind
	sys  *actors.System
	g    *Gateway
	room *room
	srv  *http.Server
	ln   net.Listener
	addr string
	ids  atomic.Int64
	logs *logBuffer

	closed chan closedConn
	wrap   func(net.Conn) net.Conn // the server's side of each connection
}

type closedConn struct {
	Info
	CloseInfo
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type setup struct {
	opts Options
	on   func(*room, any)
	wrap func(net.Conn) net.Conn
}

func start(t testing.TB, kind transportKind, s setup) *env {
	t.Helper()
	e := &env{t: t, kind: kind, logs: new(logBuffer), closed: make(chan closedConn, 4096), wrap: s.wrap}
	opts := s.opts
	opts.Compress = opts.Compress || kind.deflate
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(e.logs, nil))
	}
	if opts.Hooks.Closed == nil {
		opts.Hooks.Closed = func(i Info, c CloseInfo) { e.closed <- closedConn{i, c} }
	}
	e.sys = actors.NewSystem(&actors.Options{Logger: opts.Logger})
	var err error
	if e.g, err = NewGateway(e.sys, &opts); err != nil {
		t.Fatal(err)
	}
	e.room = &room{sys: e.sys, on: s.on}
	e.room.cond = sync.NewCond(&e.room.mu)
	if e.room.pid, err = e.sys.Spawn("room", e.room); err != nil {
		t.Fatal(err)
	}
	if kind.pipe {
		e.ln = newPipeListener()
	} else if e.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	e.addr = e.ln.Addr().String()
	ln := e.ln
	if s.wrap != nil {
		ln = wrapListener{ln, s.wrap}
	}
	if kind.tls {
		ln = tls.NewListener(ln, serverTLS())
	}
	e.srv = &http.Server{Handler: e, ErrorLog: slog.NewLogLogger(opts.Logger.Handler(), slog.LevelInfo)}
	go e.srv.Serve(ln)
	t.Cleanup(e.stop)
	return e
}

// stop ends everything and finds what does not end.
func (e *env) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.g.Close(ctx); err != nil {
		e.t.Errorf("Gateway.Close: %v", err)
	}
	for end := time.Now().Add(patience); ; runtime.Gosched() { // handshakes end on the HTTP server's goroutines
		s := e.g.Stats()
		if s.Connections == 0 && s.Reserved == 0 {
			break
		}
		if s.Connections > 0 || time.Now().After(end) {
			e.t.Errorf("after Close: %+v", s)
			break
		}
	}
	if strings.Contains(e.logs.String(), secret) {
		e.t.Errorf("the query of a handshake was logged: %s", e.logs)
	}
	_ = e.srv.Close()
	if err := e.sys.Close(ctx); err != nil {
		e.t.Error(err)
	}
}

// ServeHTTP is what a room server does, in short: /?id=ID&wire=FORMAT.
func (e *env) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := e.g.Admit(r)
	if err != nil {
		refuse(w, err)
		return
	}
	defer a.Release()
	q := r.URL.Query()
	format, err := wire.ParseFormat(q.Get("wire"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := a.Upgrade(w, r, Session{ID: q.Get("id"), Kind: "test", Room: "r", Format: format, To: e.room.pid, Data: q.Get("data")}); err != nil {
		refuse(w, err)
	}
}

func refuse(w http.ResponseWriter, err error) {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		refusal.Write(w)
	}
}

// dial connects without a handshake.
func (e *env) dial() net.Conn {
	e.t.Helper()
	var nc net.Conn
	var err error
	if e.kind.pipe {
		nc, err = e.ln.(*pipeListener).dial()
	} else {
		nc, err = net.Dial("tcp", e.addr)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	if e.kind.tls {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	return nc
}

// client is a WebSocket client that shows every frame.
type client struct {
	t      testing.TB
	nc     net.Conn
	br     *bufio.Reader
	id     string
	format wire.Format
	res    *http.Response
}

func (e *env) connect(format wire.Format, header ...string) *client {
	e.t.Helper()
	c := e.handshake(format, header...)
	if c.res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(c.res.Body)
		e.t.Fatalf("handshake: %s: %s", c.res.Status, body)
	}
	if got := c.res.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		e.t.Fatalf("Sec-WebSocket-Accept is %q", got)
	}
	if got, want := c.res.Header.Get("Sec-WebSocket-Extensions") != "", e.kind.deflate; got != want {
		e.t.Fatalf("deflate negotiated: %v, want %v", got, want)
	}
	return c
}

// handshake sends an upgrade request; header holds names and values that replace or add to the usual ones.
func (e *env) handshake(format wire.Format, header ...string) *client {
	e.t.Helper()
	c := &client{t: e.t, nc: e.dial(), id: "s" + strconv.FormatInt(e.ids.Add(1), 10), format: format}
	h := http.Header{
		"Host": {"example.test"}, "Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"}, "Sec-Websocket-Protocol": {"chat"},
	}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	req := &bytes.Buffer{}
	fmt.Fprintf(req, "GET /?id=%s&wire=%s&sid=%s HTTP/1.1\r\n", c.id, format, secret)
	_ = h.Write(req)
	req.WriteString("\r\n")
	e.t.Cleanup(func() { _ = c.nc.Close() })
	_ = c.nc.SetDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write(req.Bytes()); err != nil {
		e.t.Fatal(err)
	}
	c.br = bufio.NewReader(c.nc)
	var err error
	if c.res, err = http.ReadResponse(c.br, nil); err != nil {
		e.t.Fatal(err)
	}
	if got := c.res.Header.Get("Sec-WebSocket-Protocol"); got != "" {
		e.t.Fatalf("the server picked the sub-protocol %q", got)
	}
	return c
}

// frame makes a masked client frame.
func frame(first byte, payload []byte) []byte {
	f := appendHeader(nil, first, len(payload))
	f[1] |= 0x80
	mask := [4]byte{1, 2, 3, 4}
	f = append(f, mask[:]...)
	for i, b := range payload {
		f = append(f, b^mask[i&3])
	}
	return f
}

func (c *client) write(p []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(p); err != nil {
		c.t.Fatalf("client write: %v", err)
	}
}

// requestFrame is a call with a JSON object as its body.
func (c *client) requestFrame(id, rpc, body string) []byte {
	if c.format == wire.Msgpack {
		b, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, []byte(body))
		if err != nil {
			c.t.Fatal(err)
		}
		return frame(binaryFrame, wire.AppendRequest(nil, wire.Msgpack, id, rpc, b))
	}
	return frame(textFrame, wire.AppendRequest(nil, wire.JSON, id, rpc, []byte(body)))
}

func (c *client) request(id, rpc, body string) { c.t.Helper(); c.write(c.requestFrame(id, rpc, body)) }

// read returns the next frame, inflated.
func (c *client) read() (first byte, payload []byte, err error) {
	var h [10]byte
	if _, err := io.ReadFull(c.br, h[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	switch {
	case n > 127:
		return 0, nil, errors.New("a masked frame from a server")
	case n == 126:
		if _, err := io.ReadFull(c.br, h[2:4]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(h[2:4]))
	case n == 127:
		if _, err := io.ReadFull(c.br, h[2:10]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(h[2:10])
	}
	if n > 1<<28 {
		return 0, nil, fmt.Errorf("impossible frame length %d", n)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return 0, nil, err
	}
	if h[0]&0x40 != 0 {
		r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
		if payload, err = io.ReadAll(r); err != nil {
			return 0, nil, fmt.Errorf("inflate: %w", err)
		}
	}
	switch h[0] &^ 0x40 {
	case textFrame, binaryFrame, closeFrame, pingFrame, pongFrame:
	default:
		return 0, nil, fmt.Errorf("impossible frame %#x", h[0])
	}
	return h[0] &^ 0x40, payload, nil
}

// next returns the next envelope; other frames fail the test.
func (c *client) next() wire.Frame {
	c.t.Helper()
	first, payload, err := c.read()
	if err != nil {
		c.t.Fatalf("client read: %v", err)
	}
	want := byte(textFrame)
	if c.format == wire.Msgpack {
		want = binaryFrame
	}
	if first != want {
		c.t.Fatalf("frame %#x, want %#x; payload %q", first, want, payload)
	}
	f, err := wire.Decode(c.format, payload)
	if err != nil {
		c.t.Fatalf("%v: %q", err, payload)
	}
	return f
}

// closing reads on to the close frame, answers it, and reads to the end of the stream.
func (c *client) closing() (code uint16, reason string, before int) {
	c.t.Helper()
	for {
		first, payload, err := c.read()
		if err != nil {
			c.t.Fatalf("no close frame after %d frames: %v", before, err)
		}
		if first != closeFrame {
			before++
			continue
		}
		if len(payload) >= 2 {
			code, reason = binary.BigEndian.Uint16(payload), string(payload[2:])
		}
		_, _ = c.nc.Write(frame(closeFrame, payload))
		if n, err := io.Copy(io.Discard, c.br); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			c.t.Fatalf("after the close frame: %d bytes, %v", n, err)
		} else if n > 0 {
			c.t.Fatalf("%d bytes after the close frame", n)
		}
		_ = c.nc.Close()
		return code, reason, before
	}
}

func (c *client) expectClose(code uint16) (reason string) {
	c.t.Helper()
	got, reason, _ := c.closing()
	if got != code {
		c.t.Fatalf("closed with %d %q, want %d", got, reason, code)
	}
	return reason
}

// end waits until nothing is left of a connection on the server.
func (e *env) end(c *client) closedConn {
	e.t.Helper()
	for {
		select {
		case g := <-e.closed:
			if g.Session == c.id {
				return g
			}
			e.closed <- g
		case <-time.After(patience):
			e.t.Fatal("the connection never ended")
		}
	}
}

// push sends a push of n bytes of text to a session.
func (e *env) push(to *actors.PID, p actors.Policy, key, text string) {
	e.sys.Send(to, newPush(p, key, text))
}

func newPush(p actors.Policy, key, text string) *actors.Push {
	body := []byte(strconv.Quote(text))
	mp, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, body)
	if err != nil {
		panic(err)
	}
	return &actors.Push{Policy: p, Key: key, Frames: [2][]byte{
		wire.AppendEvent(nil, wire.JSON, "e", body), wire.AppendEvent(nil, wire.Msgpack, "e", mp),
	}}
}

// text is the text of such a push.
func text(t testing.TB, format wire.Format, f wire.Frame) string {
	t.Helper()
	v, err := wire.Parse(format, f.Body)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := v.(string)
	return s
}

// pipeListener is an in-memory net.Listener.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

type wrapListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrapListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

var serverTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}}
})

// unhex reads the hex of testdata.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
