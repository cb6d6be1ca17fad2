package client_test

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
	"github.com/lxzan/gws"
)

// The contract that the tests share.
var (
	testContract = contract.New("test")

	echo  = contract.NewCall[textIn, textOut](testContract, "echo")
	void  = contract.NewCall[contract.None, contract.None](testContract, "void")
	tell  = contract.NewOneWay[textIn](testContract, "tell")
	line  = contract.NewPush[lineRow](testContract, "line")
	count = contract.NewPush[int](testContract, "count")
)

type textIn struct {
	Text string `json:"text" jsonschema:"maxLength=2000"`
}

type textOut struct {
	Text string `json:"text" jsonschema:"minLength=1"`
}

type lineRow struct {
	N    int    `json:"n"`
	Text string `json:"text,omitempty"`
}

// server is a scripted peer: it answers what script says, over net.Pipe.
type server struct {
	format   wire.Format
	compress bool
	// script handles one request on the goroutine that reads the connection.
	script func(s *session, f wire.Frame)
	// refuse, if set, sees every upgrade request and may answer it itself.
	refuse func(conn net.Conn, r *http.Request) bool
	opened func(s *session)
	pings  func(s *session, payload []byte) // default: answered

	mu       sync.Mutex
	sessions []*session
	requests []*http.Request
	dials    []time.Time
	closes   []error
	dialErr  error
}

// session is the server's end of one connection.
type session struct {
	srv *server
	ws  *gws.Conn
	net net.Conn
}

// Dial is for client.Options.Dial.
func (s *server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.dialErr != nil {
		return nil, s.dialErr
	}
	near, far := net.Pipe()
	go s.serve(far)
	return near, nil
}

func (s *server) serve(conn net.Conn) {
	br := bufio.NewReader(conn)
	r, err := http.ReadRequest(br)
	if err != nil {
		conn.Close()
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if s.refuse != nil && s.refuse(conn, r) {
		return
	}
	sess := &session{srv: s, net: conn}
	up := gws.NewUpgrader(sess, &gws.ServerOption{
		PermessageDeflate: gws.PermessageDeflate{Enabled: s.compress, Threshold: 1, PoolSize: 1},
		ResponseHeader:    http.Header{},
	})
	ws, err := up.UpgradeFromConn(conn, br, r)
	if err != nil {
		return
	}
	sess.ws = ws
	s.mu.Lock()
	s.sessions = append(s.sessions, sess)
	s.mu.Unlock()
	ws.ReadLoop()
}

// last returns the newest session.
func (s *server) last() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) == 0 {
		return nil
	}
	return s.sessions[len(s.sessions)-1]
}

func (s *server) dialled() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

func (s *server) setDialErr(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialErr = err
}

func (s *session) OnOpen(*gws.Conn) {
	if s.srv.opened != nil {
		s.srv.opened(s)
	}
}

func (s *session) OnClose(_ *gws.Conn, err error) {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	s.srv.closes = append(s.srv.closes, err)
}

func (s *session) OnPing(_ *gws.Conn, payload []byte) {
	if s.srv.pings != nil {
		s.srv.pings(s, payload)
		return
	}
	_ = s.ws.WritePong(payload)
}
func (s *session) OnPong(*gws.Conn, []byte) {}

func (s *session) OnMessage(_ *gws.Conn, m *gws.Message) {
	f, err := wire.Decode(s.srv.format, m.Bytes())
	if err != nil {
		panic(err)
	}
	if s.srv.script != nil {
		s.srv.script(s, f)
	}
}

func (s *session) opcode() gws.Opcode {
	if s.srv.format == wire.JSON {
		return gws.OpcodeText
	}
	return gws.OpcodeBinary
}

// raw sends bytes as one message. Errors show as a client that is gone.
func (s *session) raw(b []byte) { _ = s.ws.WriteMessage(s.opcode(), b) }

func (s *session) respond(f wire.Frame, body []byte) {
	s.raw(wire.AppendResponse(nil, s.srv.format, f.ID, f.RPC, body))
}

func (s *session) fail(e wire.ErrorFrame) { s.raw(wire.AppendError(nil, s.srv.format, e)) }

func (s *session) push(def *contract.PushDef, v any) {
	body, err := def.Encode(s.srv.format, v)
	if err != nil {
		panic(err)
	}
	s.raw(wire.AppendEvent(nil, s.srv.format, def.Name(), body))
}

// echoScript answers echo with its input and void with nothing.
func echoScript(s *session, f wire.Frame) {
	switch f.RPC {
	case "echo":
		s.respond(f, f.Body)
	case "void":
		s.respond(f, nil)
	}
}

// errorLog collects what OnError gets.
type errorLog struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorLog) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorLog) all() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]error(nil), l.errs...)
}

// newClient returns a client of srv that logs nothing and is closed at the end.
func newClient(t *testing.T, srv *server, o client.Options) *client.Client {
	t.Helper()
	if o.Dial == nil {
		o.Dial = srv.Dial
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnError == nil {
		o.OnError = func(err error) { t.Errorf("OnError: %v", err) }
	}
	o.Wire = srv.format
	c := client.New("ws://test/room?name=Ada", &o)
	t.Cleanup(func() { c.Close() })
	return c
}

func connect(t *testing.T, srv *server, o client.Options) *client.Client {
	t.Helper()
	c := newClient(t, srv, o)
	open(t, c)
	return c
}

// open connects, and lets the server's side get there too. It runs in a bubble.
func open(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.Connect(t.Context()); err != nil {
		t.Fatalf("Connect: %v", err)
	}
	synctest.Wait()
}

func wantCode(t *testing.T, err error, code contract.Code, is ...error) {
	t.Helper()
	if got := contract.CodeOf(err); got != code {
		t.Errorf("code %q, want %q (error: %v)", got, code, err)
	}
	for _, target := range is {
		if !errors.Is(err, target) {
			t.Errorf("error %q does not match %q", err, target)
		}
	}
}

// async runs f and returns a channel that gets its result.
func async[T any](f func() (T, error)) <-chan outcome[T] {
	ch := make(chan outcome[T], 1)
	go func() {
		v, err := f()
		ch <- outcome[T]{v, err}
	}()
	return ch
}

type outcome[T any] struct {
	v   T
	err error
}
