package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/gosocka/socka/wire"
)

// peer is a WebSocket client that knows nothing of contracts: it sends and shows frames as they are, and reads only when
// it is told to.
type peer struct {
	gws.BuiltinEventHandler
	t      testing.TB
	ws     *gws.Conn
	format wire.Format
	lastID int

	reading bool // the reading goroutine was started

	on     func(wire.Frame) // gets every frame on the reading goroutine, if set; it must not keep the frame's bytes
	frames chan message     // gets every frame otherwise
	pushes []message        // read, but not asked for yet

	quit   chan struct{} // closed at the end of the test
	closed chan struct{} // closed when the connection has ended
	code   uint16        // of the server's close frame, 0 without one
	reason string
}

// message is a frame with the bytes that it came in.
type message struct {
	wire.Frame
	text bool
	raw  []byte
}

// peerOptions change how a peer connects.
type peerOptions struct {
	header  http.Header
	wrap    func(net.Conn) net.Conn
	stalled bool             // do not read until resume is called
	on      func(wire.Frame) // see peer
}

// peer connects, and fails the test if that is refused.
func (s *server) peer(path string, f wire.Format, o peerOptions) *peer {
	s.t.Helper()
	p, res, err := s.handshake(path, f, o)
	if err != nil {
		status := ""
		if res != nil {
			status = res.Status
		}
		s.t.Fatalf("connecting to %s: %v %s", path, err, status)
	}
	return p
}

func (s *server) handshake(path string, f wire.Format, o peerOptions) (*peer, *http.Response, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	nc, err := s.dial(ctx, "tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	if o.wrap != nil {
		nc = o.wrap(nc)
	}
	if s.via.tls {
		config := s.clientTLS()
		config.ServerName = "example.com" // which the certificate of httptest names
		nc = tls.Client(nc, config)
	}
	url := s.url(path)
	if f != wire.JSON {
		sep := "?"
		if bytes.ContainsRune([]byte(path), '?') {
			sep = "&"
		}
		url += sep + "wire=" + f.String()
	}
	p := &peer{t: s.t, format: f, on: o.on, frames: make(chan message, 64), quit: make(chan struct{}), closed: make(chan struct{})}
	ws, res, err := gws.NewClientFromConn(p, &gws.ClientOption{
		Addr:              url,
		RequestHeader:     o.header,
		HandshakeTimeout:  patience,
		PermessageDeflate: gws.PermessageDeflate{Enabled: s.via.deflate},
	}, nc)
	if err != nil {
		return nil, res, err
	}
	p.ws = ws
	s.t.Cleanup(p.drop)
	if !o.stalled {
		p.resume()
	}
	return p, res, nil
}

// resume starts reading.
func (p *peer) resume() {
	_ = p.ws.SetDeadline(time.Time{})
	p.reading = true
	go p.ws.ReadLoop()
}

// drop ends the connection at once and lets go of what it holds. It may be called more than once.
func (p *peer) drop() {
	if p.ws == nil {
		return
	}
	close(p.quit)
	_ = p.ws.NetConn().Close()
	if p.reading {
		<-p.closed
	}
	p.ws, p.frames, p.pushes, p.on = nil, nil, nil, nil
}

// OnOpen implements gws.Event; gws's own would set a deadline.
func (p *peer) OnOpen(*gws.Conn) {}

// OnClose implements gws.Event.
func (p *peer) OnClose(_ *gws.Conn, err error) {
	var frame *gws.CloseError
	if errors.As(err, &frame) {
		p.code, p.reason = frame.Code, string(frame.Reason)
	}
	close(p.closed)
}

// OnPing implements gws.Event.
func (p *peer) OnPing(ws *gws.Conn, payload []byte) { _ = ws.WritePong(payload) }

// OnMessage implements gws.Event.
func (p *peer) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	text := m.Opcode == gws.OpcodeText
	raw := m.Bytes()
	if p.on == nil {
		raw = bytes.Clone(raw)
	}
	frame, err := wire.Decode(p.format, raw)
	if err != nil {
		p.t.Errorf("the server sent a frame that cannot be decoded: %v: %q", err, raw)
		return
	}
	if text != (p.format == wire.JSON) {
		p.t.Errorf("the server answered a %v client with a message of type %d: %q", p.format, m.Opcode, raw)
	}
	if p.on != nil {
		p.on(frame)
		return
	}
	select {
	case p.frames <- message{frame, text, raw}:
	case <-p.quit:
	}
}

// write sends a message as it is.
func (p *peer) write(text bool, data []byte) {
	p.t.Helper()
	if err := p.ws.WriteMessage(opcode(text), data); err != nil {
		p.t.Fatalf("writing %q: %v", data, err)
	}
}

func opcode(text bool) gws.Opcode {
	if text {
		return gws.OpcodeText
	}
	return gws.OpcodeBinary
}

// send sends a request with a new id.
func (p *peer) send(rpc string, in any) (id string) {
	p.t.Helper()
	p.lastID++
	id = rpc + "-" + strconv.Itoa(p.lastID)
	p.write(p.format == wire.JSON, p.request(id, rpc, in))
	return id
}

// request makes a request; nil stands for {}.
func (p *peer) request(id, rpc string, in any) []byte {
	p.t.Helper()
	if in == nil {
		in = struct{}{}
	}
	body, err := wire.Marshal(p.format, in)
	if err != nil {
		p.t.Fatal(err)
	}
	return wire.AppendRequest(nil, p.format, id, rpc, body)
}

// read returns the next message.
func (p *peer) read() message {
	p.t.Helper()
	select {
	case m := <-p.frames:
		return m
	default:
	}
	select {
	case m := <-p.frames:
		return m
	case <-p.closed:
		select { // what came before the end counts
		case m := <-p.frames:
			return m
		default:
		}
		p.t.Fatalf("the connection ended (%d %q) where a message was expected", p.code, p.reason)
	case <-time.After(patience):
		p.t.Fatal("no message came")
	}
	panic("unreachable")
}

// answer returns the next answer, which must be that to id; pushes before it are kept for push.
func (p *peer) answer(id string) message {
	p.t.Helper()
	for {
		m := p.read()
		if m.Kind == wire.ServerEvent {
			p.pushes = append(p.pushes, m)
			continue
		}
		if m.ID != id {
			p.t.Fatalf("an answer to %q came where that to %q was due: %q", m.ID, id, m.raw)
		}
		return m
	}
}

// call makes a call and returns its answer.
func (p *peer) call(rpc string, in any) message {
	p.t.Helper()
	return p.answer(p.send(rpc, in))
}

// push returns the next push, which must have this name, and reads its body into dst unless that is nil.
func (p *peer) push(event string, dst any) message {
	p.t.Helper()
	var m message
	if len(p.pushes) > 0 {
		m, p.pushes = p.pushes[0], p.pushes[1:]
	} else {
		m = p.read()
	}
	if m.Kind != wire.ServerEvent || m.Event != event {
		p.t.Fatalf("a push %s was due, but this came: %q", event, m.raw)
	}
	if dst != nil {
		p.unmarshal(m.Body, dst)
	}
	return m
}

func (p *peer) unmarshal(body []byte, dst any) {
	p.t.Helper()
	if err := wire.Unmarshal(p.format, body, dst); err != nil {
		p.t.Fatalf("%v in %q", err, body)
	}
}

// quiet fails the test if anything else than the answer to a call made now comes next: nothing is on its way.
func (p *peer) quiet() {
	p.t.Helper()
	id := p.send("ping", nil)
	if m := p.read(); m.Kind != wire.ServerResponse || m.ID != id || len(p.pushes) > 0 {
		p.t.Fatalf("nothing was due, but this came: %q (and %d pushes before)", m.raw, len(p.pushes))
	}
}

// leave closes the connection in good order.
func (p *peer) leave() { _ = p.ws.WriteClose(1000, nil) }

// end waits for the end of the connection and checks the server's close frame. Frames that come before it are dropped.
func (p *peer) end(code uint16) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case <-p.frames:
			continue
		case <-p.closed:
			if p.code != code {
				p.t.Fatalf("the connection ended with %d %q, want %d", p.code, p.reason, code)
			}
		case <-timeout:
			p.t.Fatalf("the connection never ended, want close code %d", code)
		}
		return
	}
}
