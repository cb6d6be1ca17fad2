package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

var errRefused = errors.New("refused by the test")

// drain returns what waits in a change feed, as "from>to".
func drain(ch <-chan client.StatusChange) (got []string, last client.StatusChange) {
	for {
		select {
		case change, ok := <-ch:
			if !ok {
				return append(got, "end"), last
			}
			got = append(got, fmt.Sprintf("%v>%v", change.From, change.To))
			last = change
		default:
			return got, last
		}
	}
}

func wantChanges(t *testing.T, ch <-chan client.StatusChange, want ...string) client.StatusChange {
	t.Helper()
	got, last := drain(ch)
	if !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
	return last
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var ids []string
		srv.script = func(s *session, f wire.Frame) { ids = append(ids, f.ID); echoScript(s, f) }
		c := newClient(t, srv, client.Options{})
		changes, cancel := c.Changes()
		defer cancel()
		if c.Status() != client.Idle {
			t.Errorf("status %v before Connect", c.Status())
		}
		open(t, c)
		if _, err := client.Call(t.Context(), c, echo, textIn{"1"}); err != nil {
			t.Fatal(err)
		}
		wantChanges(t, changes, "idle>connecting", "connecting>open")

		_ = srv.last().ws.WriteClose(1012, []byte("restart"))
		synctest.Wait()
		lost := wantChanges(t, changes, "open>reconnecting")
		var ce *client.ConnectionError
		if lost.Code != 1012 || !errors.As(lost.Err, &ce) || ce.Reason != "restart" || !lost.At.Equal(time.Now()) {
			t.Errorf("change %+v", lost)
		}
		// A call made meanwhile waits for the connection; ids go on.
		start := time.Now()
		out, err := client.Call(t.Context(), c, echo, textIn{"2"})
		if err != nil || out.Text != "2" {
			t.Fatalf("call while reconnecting: %v, %v", out, err)
		}
		if d := time.Since(start); d < 800*time.Millisecond || d > 1200*time.Millisecond {
			t.Errorf("back after %v, want 1 s ± 20 %%", d)
		}
		wantChanges(t, changes, "reconnecting>open")
		if !slices.Equal(ids, []string{"echo-1", "echo-2"}) {
			t.Errorf("ids %v", ids)
		}
		if a, b := srv.requests[0].URL.String(), srv.requests[1].URL.String(); a != b {
			t.Errorf("came back to %q, not %q", b, a)
		}
		c.Close()
		if end := wantChanges(t, changes, "open>closed", "end"); end.Err != nil || end.Code != 0 {
			t.Errorf("own Close: %+v", end)
		}
	})
}

// The waits between attempts double up to Max, each within its jitter, and start
// again only after a connection that lasted.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{})
		srv.setDialErr(errRefused)
		lostAt := time.Now()
		srv.last().net.Close()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		check := func(from time.Time, dials []time.Time, seconds ...float64) {
			t.Helper()
			if len(dials) < len(seconds) {
				t.Fatalf("%d attempts, want at least %d", len(dials), len(seconds))
			}
			for i, s := range seconds {
				d := dials[i].Sub(from).Seconds()
				if d < s*0.8 || d > s*1.2 {
					t.Errorf("attempt %d after %.3f s, want %v s ± 20 %%", i+1, d, s)
				}
				from = dials[i]
			}
		}
		check(lostAt, srv.dialled()[1:], 1, 2, 4, 8, 16, 30, 30, 30)
		if c.Status() != client.Reconnecting {
			t.Errorf("status %v", c.Status())
		}

		srv.setDialErr(nil)
		time.Sleep(time.Minute) // at least one attempt; then open for a while
		synctest.Wait()
		if c.Status() != client.Open {
			t.Fatalf("status %v", c.Status())
		}
		time.Sleep(time.Minute) // longer than Max: counting starts again
		synctest.Wait()
		n := len(srv.dialled())
		lostAt = time.Now()
		srv.last().net.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// Open for less than Max: counting goes on.
		again := srv.dialled()[n:]
		check(lostAt, again, 1)
		lostAt = time.Now()
		srv.last().net.Close()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		check(lostAt, srv.dialled()[n+1:], 2)
	})
}

func TestGivingUp(t *testing.T) {
	refusal := func(status int) func(net.Conn, *http.Request) bool {
		return func(conn net.Conn, _ *http.Request) bool {
			go func() {
				fmt.Fprintf(conn, "HTTP/1.1 %d Some Text\r\nContent-Length: 13\r\n\r\nsorry, friend", status)
				conn.Close()
			}()
			return true
		}
	}
	closing := func(code uint16) func(s *server) {
		return func(s *server) { _ = s.last().ws.WriteClose(code, []byte("bye")) }
	}
	refusing := func(status int) func(s *server) {
		return func(s *server) {
			s.refuse = refusal(status)
			s.last().net.Close()
		}
	}
	for _, tt := range []struct {
		name string
		o    client.ReconnectOptions
		do   func(*server)
		want client.Status
		code int
		http int
	}{
		{name: "close 1000", do: closing(1000), want: client.Open},
		{name: "close 1011", do: closing(1011), want: client.Open},
		{name: "close 4399", do: closing(4399), want: client.Open},
		{name: "close 4400", do: closing(4400), want: client.Closed, code: 4400},
		{name: "close 4499", do: closing(4499), want: client.Closed, code: 4499},
		{name: "close 4500", do: closing(4500), want: client.Open},
		{name: "disabled", o: client.ReconnectOptions{Disabled: true}, do: closing(1001), want: client.Closed, code: 1001},
		{name: "http 400", do: refusing(400), want: client.Closed, http: 400},
		{name: "http 401", do: refusing(401), want: client.Closed, http: 401},
		{name: "http 408", do: refusing(408), want: client.Reconnecting},
		{name: "http 425", do: refusing(425), want: client.Reconnecting},
		{name: "http 429", do: refusing(429), want: client.Reconnecting},
		{name: "http 503", do: refusing(503), want: client.Reconnecting},
		{name: "3 attempts", o: client.ReconnectOptions{MaxAttempts: 3}, do: refusing(503), want: client.Closed, http: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &server{script: echoScript}
				c := connect(t, srv, client.Options{Reconnect: tt.o})
				changes, cancel := c.Changes()
				defer cancel()
				tt.do(srv)
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if c.Status() != tt.want {
					t.Fatalf("status %v, want %v", c.Status(), tt.want)
				}
				if tt.want != client.Closed {
					return
				}
				got, last := drain(changes)
				if got[len(got)-1] != "end" || last.To != client.Closed || last.Code != tt.code {
					t.Errorf("changes %v, the last %+v", got, last)
				}
				_, err := client.Call(t.Context(), c, echo, textIn{"x"})
				wantCode(t, err, contract.Unavailable, client.ErrClosed)
				for _, err := range []error{err, last.Err, c.Connect(t.Context())} {
					var ce *client.ConnectionError
					var he *client.HandshakeError
					switch {
					case tt.code != 0 && (!errors.As(err, &ce) || ce.Code != tt.code):
						t.Errorf("error %v has not the close code", err)
					case tt.http != 0 && (!errors.As(err, &he) || he.StatusCode != tt.http || string(he.Body) != "sorry, friend"):
						t.Errorf("error %v has not the HTTP status and body", err)
					}
				}
				if tt.o.MaxAttempts != 0 && len(srv.dialled()) != 1+tt.o.MaxAttempts {
					t.Errorf("%d attempts, want %d", len(srv.dialled())-1, tt.o.MaxAttempts)
				}
			})
		})
	}
}

// What was sent may have run; what no connection has taken waits for the next.
func TestLostConnectionFailsPendingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		seen := 0
		srv.script = func(s *session, f wire.Frame) { seen++ }
		c := connect(t, srv, client.Options{})
		sent := async(func() (textOut, error) { return client.Call(t.Context(), c, echo, textIn{"1"}) })
		synctest.Wait()
		srv.last().net.Close()
		r := <-sent
		wantCode(t, r.err, contract.OutcomeUnknown, client.ErrConnectionLost)
		if errors.Is(r.err, client.ErrClosed) {
			t.Errorf("%v matches ErrClosed", r.err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := client.Call(ctx, c, echo, textIn{"2"})
		wantCode(t, err, contract.DeadlineExceeded, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "was not sent") {
			t.Errorf("error %q", err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if seen != 1 || c.Status() != client.Open {
			t.Errorf("%d requests arrived, want 1: nothing is sent again; status %v", seen, c.Status())
		}
	})
}

// A peer that stops reading: the write makes no progress, the connection is given
// up, and the call that was half written did not run.
func TestStalledWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		hold := make(chan struct{})
		srv.script = func(*session, wire.Frame) { <-hold }
		c := connect(t, srv, client.Options{PingInterval: -1})
		first := async(func() (textOut, error) { return client.Call(t.Context(), c, echo, textIn{"1"}) })
		synctest.Wait()
		// The server reads through a buffer of 4 KiB: this is more than fits.
		big := strings.Repeat("é", 2000)
		second := async(func() (struct{}, error) {
			for range 3 {
				if err := client.Send(t.Context(), c, tell, textIn{big}); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		})
		start := time.Now()
		wantCode(t, (<-second).err, contract.Unavailable, client.ErrConnectionLost)
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("given up after %v, want PingTimeout", d)
		}
		wantCode(t, (<-first).err, contract.OutcomeUnknown, client.ErrConnectionLost)
		close(hold)
	})
}

func TestPingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{script: echoScript}
		var pings atomic.Int64
		var deaf atomic.Bool
		srv.pings = func(s *session, payload []byte) {
			pings.Add(1)
			if !deaf.Load() {
				_ = s.ws.WritePong(payload)
			}
		}
		c := connect(t, srv, client.Options{})
		start := time.Now()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if c.Status() != client.Open || len(srv.dialled()) != 1 {
			t.Fatalf("an idle connection was lost: %v", c.Status())
		}
		if n := pings.Load(); n != 120 {
			t.Errorf("%d pings in an hour, want 120", n)
		}
		changes, cancel := c.Changes()
		defer cancel()
		deaf.Store(true)
		change := <-changes
		if change.To != client.Reconnecting || !errors.Is(change.Err, client.ErrConnectionLost) || !strings.Contains(change.Err.Error(), "ping") {
			t.Errorf("change %+v", change)
		}
		if d := time.Since(start); d != time.Hour+40*time.Second {
			t.Errorf("found dead after %v, want 1h0m40s", d)
		}
		deaf.Store(false)
		// Whatever is read counts as life, not pongs alone.
		time.Sleep(5 * time.Second)
		synctest.Wait()
		deaf.Store(true)
		for range 60 {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if _, err := client.Call(t.Context(), c, echo, textIn{"x"}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestPingsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pong := make(chan string, 1)
		srv := &server{}
		c := newClient(t, srv, client.Options{PingInterval: -1, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := srv.Dial(ctx, network, addr)
			return &pongWatch{conn, pong}, err
		}})
		open(t, c)
		if err := srv.last().ws.WritePing([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got := <-pong; got != "hello" {
			t.Errorf("pong %q", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if c.Status() != client.Open {
			t.Errorf("status %v without pings", c.Status())
		}
	})
}

// pongWatch unmasks the pongs that are written to it.
type pongWatch struct {
	net.Conn
	pong chan string
}

func (w *pongWatch) Write(p []byte) (int, error) {
	if len(p) > 6 && p[0] == 0x8a {
		payload := slices.Clone(p[6:])
		for i := range payload {
			payload[i] ^= p[2+i%4]
		}
		w.pong <- string(payload)
	}
	return w.Conn.Write(p)
}
