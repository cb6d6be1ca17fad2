package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
	"github.com/lxzan/gws"
)

func TestBadURLs(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"://", "missing protocol"},
		{"ftp://host/", "scheme"},
		{"ws:///room", "no host"},
		{"ws://host/room#x", "fragment"},
		{"ws://host/?wire=xml", "xml"},
		{"ws://host/?wire=json", "leave one of them out"},
		{"ws://host/?a=%zz", "%zz"},
	} {
		c := client.New(tt.url, &client.Options{Wire: wire.Msgpack, Logger: slog.New(slog.DiscardHandler)})
		err := c.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.url, err, tt.want)
		}
		_, err = client.Call(t.Context(), c, void, contract.None{})
		wantCode(t, err, contract.Unavailable, client.ErrNotConnected)
		c.Close()
	}
}

// What is wrong with a URL is told without its query and its password.
func TestBadURLsKeepSecrets(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"ws://ada:secret@host:port/room?sid=secret", "port"},
		{"ws://ada:secret@ho st/room?sid=secret", "character"},
		{"ftp://ada:secret@host/room?sid=secret", "ftp://host/room"},
		{"ws:///room?sid=secret", "no host"},
		{"ws://ada:secret@host/room?sid=secret#x", "fragment"},
		{"ws://ada:secret@host/room?sid=secret&wire=xml", "xml"},
		{"ws://ada:secret@host/room?sid=secret&wire=json", "leave one of them out"},
		{"ws://ada:secret@host/room?sid=secret;b", "semicolon"},
	} {
		var log bytes.Buffer
		c := client.New(tt.url, &client.Options{Wire: wire.Msgpack, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		err := c.Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.url, err, tt.want)
		}
		c.Close()
		if told := fmt.Sprint(err, &log); strings.Contains(told, "secret") {
			t.Errorf("%s: the secret is told: %s", tt.url, told)
		}
	}
}

func TestNeverConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		srv.setDialErr(errRefused)
		c := newClient(t, srv, client.Options{})
		_, err := client.Call(t.Context(), c, void, contract.None{})
		wantCode(t, err, contract.Unavailable, client.ErrNotConnected)
		changes, cancel := c.Changes()
		defer cancel()
		if err := c.Connect(t.Context()); !errors.Is(err, errRefused) {
			t.Errorf("Connect: %v", err)
		}
		if change := wantChanges(t, changes, "idle>connecting", "connecting>idle"); !errors.Is(change.Err, errRefused) {
			t.Errorf("change %+v", change)
		}
		_, err = client.Call(t.Context(), c, void, contract.None{})
		wantCode(t, err, contract.Unavailable, client.ErrNotConnected, errRefused)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(srv.dialled()); n != 1 {
			t.Errorf("%d attempts: the first connection is asked for once", n)
		}
		srv.setDialErr(nil)
		open(t, c)
		if err := c.Connect(t.Context()); err != nil {
			t.Errorf("Connect while open: %v", err)
		}
	})
}

// answer makes refuse functions that write text and read no further.
func answer(text string) func(net.Conn, *http.Request) bool {
	return func(conn net.Conn, _ *http.Request) bool {
		go func() { _, _ = io.WriteString(conn, text) }()
		return true
	}
}

func TestHandshakeRefused(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name, answer string
		status, body int
		want         string
	}{
		{"401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nwho are", 401, 7, "401 Unauthorized: who are"},
		{"503 that never ends", "HTTP/1.1 503 Service Unavailable\r\n\r\n" + long, 503, 4096, "503"},
		{"500 with a short body", "HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nabc", 500, 3, "500"},
		{"101 without upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, 0, "Connection"},
		{"101 with a wrong accept", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", 101, 0, "Accept"},
		{"not HTTP", "SSH-2.0-x\r\n\r\n", 0, 0, "malformed"},
		{"endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat(long, 10) + "\r\n\r\n", 0, 0, "too long"},
		{"nothing", "", 0, 0, "deadline"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &server{refuse: answer(tt.answer)}
				c := newClient(t, srv, client.Options{})
				start := time.Now()
				err := c.Connect(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error %v, want one that says %q", err, tt.want)
				}
				var he *client.HandshakeError
				if errors.As(err, &he) != (tt.status != 0) {
					t.Fatalf("error %#v", err)
				}
				if he != nil && (he.StatusCode != tt.status || len(he.Body) != tt.body) {
					t.Errorf("status %d, %d bytes of body; want %d, %d", he.StatusCode, len(he.Body), tt.status, tt.body)
				}
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("it took %v", d)
				}
				synctest.Wait()
				if n := clientGoroutines(); n != 0 || c.Status() != client.Idle {
					t.Errorf("%d goroutines left, status %v", n, c.Status())
				}
			})
		})
	}
}

func TestSubprotocolIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		srv.refuse = func(conn net.Conn, r *http.Request) bool {
			up := gws.NewUpgrader(gws.BuiltinEventHandler{}, &gws.ServerOption{ResponseHeader: http.Header{"X": {"y\r\nSec-WebSocket-Protocol: chat"}}})
			_, _ = up.UpgradeFromConn(conn, nil, r) // fails if the client is gone by its end
			return true
		}
		var he *client.HandshakeError
		if err := newClient(t, srv, client.Options{}).Connect(t.Context()); !errors.As(err, &he) || !strings.Contains(err.Error(), "chat") {
			t.Errorf("error %v", err)
		}
	})
}

// A dial that hangs, or a peer that does not even read the request, ends with
// HandshakeTimeout or ctx, and leaves no goroutine.
func TestHandshakeTimeouts(t *testing.T) {
	dials := map[string]func(ctx context.Context, _, _ string) (net.Conn, error){
		"dial": func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
		"request": func(context.Context, string, string) (net.Conn, error) {
			near, _ := net.Pipe()
			return near, nil
		},
	}
	for name, dial := range dials {
		for _, scheme := range []string{"ws", "wss"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := client.New(scheme+"://test/", &client.Options{Dial: dial, HandshakeTimeout: 3 * time.Second, Logger: slog.New(slog.DiscardHandler)})
					defer c.Close()
					start := time.Now()
					if err := c.Connect(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
						t.Errorf("error %v after %v", err, time.Since(start))
					}
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(time.Second, cancel)
					start = time.Now()
					if err := c.Connect(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
						t.Errorf("error %v after %v", err, time.Since(start))
					}
					synctest.Wait()
					if n := clientGoroutines(); n != 0 {
						t.Errorf("%d goroutines left", n)
					}
				})
			})
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var addr string
		h := http.Header{"X-Token": {"t"}, "Origin": {"https://example.com"}, "Sec-Websocket-Protocol": {"chat"}, "Connection": {"close"}}
		c := client.New("https://ada:pw@example.com/ws/a%20b?x=1", &client.Options{Header: h, Logger: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, network, a string) (net.Conn, error) {
				addr = network + " " + a
				return nil, errRefused
			}})
		h.Set("X-Token", "changed afterwards")
		if err := c.Connect(t.Context()); !errors.Is(err, errRefused) || addr != "tcp example.com:443" {
			t.Errorf("dialled %q: %v", addr, err)
		}
		c = client.New("http://ada:pw@example.com/ws/a%20b?x=1", &client.Options{Header: h, Dial: srv.Dial, Logger: slog.New(slog.DiscardHandler)})
		defer c.Close()
		open(t, c)
		r := srv.requests[0]
		if r.Host != "example.com" || r.RequestURI != "/ws/a%20b?x=1&wire=json" {
			t.Errorf("asked %q for %q", r.Host, r.RequestURI)
		}
		user, pw, _ := r.BasicAuth()
		if user != "ada" || pw != "pw" || r.Header.Get("X-Token") != "changed afterwards" || r.Header.Get("Origin") != "https://example.com" {
			t.Errorf("headers %v", r.Header)
		}
		if r.Header.Get("Sec-Websocket-Protocol") != "" || r.Header.Get("Connection") != "Upgrade" {
			t.Errorf("headers of the handshake were overridden: %v", r.Header)
		}
	})
}

// tooLarge pushes a message that is larger than the client takes.
func TestOversizedMessageClosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{MaxMessageBytes: 1000, Reconnect: client.ReconnectOptions{Disabled: true}})
		changes, cancel := c.Changes()
		defer cancel()
		s := srv.last()
		go s.push(line.Def(), lineRow{Text: strings.Repeat("x", 1000)})
		change := <-changes
		if change.To != client.Closed || !errors.Is(change.Err, client.ErrConnectionLost) {
			t.Errorf("change %+v", change)
		}
		synctest.Wait()
		var ce *gws.CloseError
		if len(srv.closes) != 1 || !errors.As(srv.closes[0], &ce) || ce.Code != 1009 {
			t.Errorf("the server saw %v, want close code 1009", srv.closes)
		}
	})
}

// Real sockets: TCP and TLS, both formats, with and without deflate.
func TestOverSockets(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
			for _, deflate := range []bool{false, true} {
				t.Run(fmt.Sprintf("tls=%v %v deflate=%v", secure, f, deflate), func(t *testing.T) {
					srv := &server{format: f, compress: deflate, script: func(s *session, f wire.Frame) {
						s.push(line.Def(), lineRow{N: 1, Text: "before the answer"})
						echoScript(s, f)
					}}
					h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						sess := &session{srv: srv}
						ws, err := gws.NewUpgrader(sess, &gws.ServerOption{
							PermessageDeflate: gws.PermessageDeflate{Enabled: deflate, Threshold: 1, PoolSize: 1},
						}).Upgrade(w, r)
						if err != nil {
							t.Error(err)
							return
						}
						sess.ws = ws
						ws.ReadLoop()
					})
					web := httptest.NewUnstartedServer(h)
					web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
					o := &client.Options{Wire: f, Compress: deflate, Logger: slog.New(slog.DiscardHandler)}
					if secure {
						web.StartTLS()
						pool := x509.NewCertPool()
						pool.AddCert(web.Certificate())
						o.TLS = &tls.Config{RootCAs: pool}
						untrusting := client.New(web.URL, &client.Options{Logger: o.Logger})
						var unknown *tls.CertificateVerificationError
						if err := untrusting.Connect(t.Context()); !errors.As(err, &unknown) {
							t.Errorf("an unknown authority: %v", err)
						}
						untrusting.Close()
					} else {
						web.Start()
					}
					defer web.Close()
					c := client.New(web.URL+"/room", o)
					pushed := make(chan lineRow, 1)
					client.Once(c, line, func(r lineRow) { pushed <- r })
					if err := c.Connect(t.Context()); err != nil {
						t.Fatal(err)
					}
					for _, text := range []string{"hi", strings.Repeat("long ", 400)} {
						out, err := client.Call(t.Context(), c, echo, textIn{text})
						if err != nil || out.Text != text {
							t.Fatalf("%q, %v", out.Text, err)
						}
					}
					if r := <-pushed; r.N != 1 {
						t.Errorf("push %+v", r)
					}
					c.Close()
				})
			}
		}
	}
}

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		srv := &server{}
		c := client.New("ws://ada:secret@test/room?token=secret", &client.Options{
			Dial: srv.Dial, Logger: slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		open(t, c)
		srv.last().raw([]byte("{"))
		synctest.Wait()
		c.Close()
		for _, want := range []string{"socka client: open", "socka client: closed", "level=WARN", "ws://test/room"} {
			if !strings.Contains(buf.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, &buf)
			}
		}
		if strings.Contains(buf.String(), "secret") {
			t.Errorf("the log tells secrets:\n%s", &buf)
		}
	})
}
