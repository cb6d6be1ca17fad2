package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/room"
)

// patience ends a test that would hang.
const patience = 3 * time.Minute

// eventually waits until cond holds. what says, for the failure, what did not come true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !holds(cond) {
		t.Fatalf("it never came true that %s", what)
	}
}

// holds waits until cond holds, or gives up. It is the one place here that waits by looking again and again.
func holds(cond func() bool) bool {
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			return false
		}
		<-time.After(time.Millisecond)
	}
	return true
}

// transport is a way in which bytes travel.
type transport struct {
	name               string
	tls, pipe, deflate bool
}

var (
	overTCP = transport{name: "tcp"}
	overTLS = transport{name: "tls", tls: true}

	transports = []transport{overTCP, overTLS, {name: "pipe", pipe: true}, {name: "deflate", deflate: true}}
)

// record keeps events of one sort.
type record[T any] struct {
	mu   sync.Mutex
	list []T
}

func (r *record[T]) add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, v)
}

func (r *record[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]T(nil), r.list...)
}

func (r *record[T]) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
}

// wait waits for the n-th event and returns it.
func (r *record[T]) wait(t testing.TB, what string, n int) T {
	t.Helper()
	eventually(t, what, func() bool { return len(r.all()) >= n })
	return r.all()[n-1]
}

// server is a room.Server behind a real HTTP server.
type server struct {
	*room.Server
	t    testing.TB
	via  transport
	http *httptest.Server

	closes   record[room.CloseEvent]
	detaches record[room.SessionEvent]
	invalid  record[room.ValidationErrorEvent]
	failed   record[room.HandlerErrorEvent]
}

// setup changes how a server is made.
type setup struct {
	via         transport
	opts        room.Options // Hooks, Logger and Conn.Compress are set by serve
	narrowFirst bool         // see narrowFirst
}

// serve starts a server. When the test ends it is shut down, which must succeed and leave no goroutine.
func serve(t testing.TB, s setup, defs ...room.AnyDefinition) *server {
	t.Helper()
	srv := &server{t: t, via: s.via}
	opts := s.opts
	opts.Conn.Compress = s.via.deflate
	opts.Logger = slog.New(slog.DiscardHandler)
	opts.Hooks = room.Hooks{
		Close: srv.closes.add, Detach: srv.detaches.add, ValidationError: srv.invalid.add, HandlerError: srv.failed.add,
	}
	var err error
	if srv.Server, err = room.NewServer(&opts, defs...); err != nil {
		t.Fatal(err)
	}
	srv.http = httptest.NewUnstartedServer(srv.Server)
	srv.http.Config.ErrorLog = slog.NewLogLogger(opts.Logger.Handler(), slog.LevelInfo)
	if s.via.pipe {
		_ = srv.http.Listener.Close()
		srv.http.Listener = newPipeListener()
	}
	if s.narrowFirst && !s.via.pipe {
		srv.http.Listener = &narrowFirst{Listener: srv.http.Listener}
	}
	if s.via.tls {
		srv.http.StartTLS()
	} else {
		srv.http.Start()
	}
	t.Cleanup(srv.stop)
	return srv
}

// stop shuts the server down and finds what does not end.
func (s *server) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		s.t.Errorf("Shutdown: %v", err)
	}
	s.http.Close()
	if !holds(func() bool { return goroutines() == "" }) {
		s.t.Errorf("goroutines are left after Shutdown:\n%s", goroutines())
	}
}

// library finds the library's goroutines, those of the engine and of the WebSocket library included.
var library = regexp.MustCompile(`gosocka/socka/(room|conn|actors|client|wire)\.|asynkron/protoactor-go|lxzan/gws`)

// goroutines returns the stacks of the library's goroutines.
func goroutines() string {
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for i, g := range strings.Split(string(buf), "\n\n") {
		if i > 0 && library.MatchString(g) { // the first is the caller itself
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

// url gives the WebSocket URL of a path such as "lab/r?name=Ada".
func (s *server) url(path string) string {
	return "ws" + strings.TrimPrefix(s.http.URL, "http") + "/ws/" + path
}

// clientTLS trusts the server's certificate.
func (s *server) clientTLS() *tls.Config {
	if !s.via.tls {
		return nil
	}
	return s.http.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}

// dial opens a connection below TLS.
func (s *server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p, ok := s.http.Listener.(*pipeListener); ok {
		return p.dial(ctx)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// client makes a Go client that is closed with the test. Reconnecting is off unless the options say something about it.
func (s *server) client(path string, opts client.Options) *client.Client {
	s.t.Helper()
	if opts.Reconnect == (client.ReconnectOptions{}) {
		opts.Reconnect.Disabled = true
	}
	opts.Dial, opts.TLS, opts.Compress = s.dial, s.clientTLS(), s.via.deflate
	opts.Logger = slog.New(slog.DiscardHandler)
	c := client.New(s.url(path), &opts)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// connected is client, connected.
func (s *server) connected(path string, opts client.Options) *client.Client {
	s.t.Helper()
	c := s.client(path, opts)
	if err := c.Connect(bounded(s.t)); err != nil {
		s.t.Fatalf("connecting to %s: %v", path, err)
	}
	return c
}

// bounded is a context that ends with the test, or after patience.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// pipeListener accepts the ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	mine, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return mine, nil
	case <-l.closed:
		return nil, errors.New("the pipe's listener is closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe.test:80" }
