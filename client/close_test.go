package client_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
	"github.com/lxzan/gws"
)

// clientGoroutines counts the goroutines that run code of this package or were
// started by it.
func clientGoroutines() int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	n := 0
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "socka/client.(*") {
			n++
		}
	}
	return n
}

func TestCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{} // answers nothing
		var log errorLog
		c := newClient(t, srv, client.Options{OnError: log.add})
		if n := clientGoroutines(); n != 0 {
			t.Errorf("%d goroutines before Connect", n)
		}
		open(t, c)
		if n := clientGoroutines(); n != 4 {
			t.Errorf("%d goroutines while open, the documentation says 4", n)
		}
		pending := async(func() (textOut, error) { return client.Call(t.Context(), c, echo, textIn{"x"}) })
		synctest.Wait()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := c.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if n := clientGoroutines(); n > 3 { // the other closers
					t.Errorf("%d goroutines after Close", n)
				}
			})
		}
		wg.Wait()
		if n := clientGoroutines(); n != 0 {
			t.Errorf("%d goroutines after Close", n)
		}
		wantCode(t, (<-pending).err, contract.OutcomeUnknown, client.ErrClosed)
		_, err := client.Call(t.Context(), c, echo, textIn{"x"})
		wantCode(t, err, contract.Unavailable, client.ErrClosed)
		wantCode(t, client.Send(t.Context(), c, tell, textIn{"x"}), contract.Unavailable, client.ErrClosed)
		if err := c.Connect(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Connect after Close: %v", err)
		}
		ch, cancel := c.Changes()
		if _, ok := <-ch; ok {
			t.Error("a feed of a closed client is not closed")
		}
		cancel()
		synctest.Wait()
		var ce *gws.CloseError
		if len(srv.closes) != 1 || !errors.As(srv.closes[0], &ce) || ce.Code != 1000 {
			t.Errorf("the server saw %v, want one close with code 1000", srv.closes)
		}
	})
}

// Close waits for the server's close frame before it cuts the connection.
func TestCloseHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var watch *closeWatch
		c := newClient(t, srv, client.Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := srv.Dial(ctx, network, addr)
			watch = &closeWatch{Conn: conn}
			return watch, err
		}})
		open(t, c)
		c.Close()
		if !watch.seen.Load() || watch.early.Load() {
			t.Error("the connection was cut before the server had confirmed")
		}
	})
}

// closeWatch delays the close frame that is read from it, and notes whether it
// was closed before.
type closeWatch struct {
	net.Conn
	seen, early atomic.Bool
}

func (w *closeWatch) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 && p[0] == 0x88 {
		time.Sleep(500 * time.Millisecond)
		w.seen.Store(true)
	}
	return n, err
}

func (w *closeWatch) Close() error {
	if !w.seen.Load() {
		w.early.Store(true)
	}
	return w.Conn.Close()
}

// A peer that does not read cannot hold Close for more than a second.
func TestCloseOfStalledConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		hold := make(chan struct{})
		defer close(hold)
		srv.script = func(*session, wire.Frame) { <-hold }
		c := connect(t, srv, client.Options{})
		if err := client.Send(t.Context(), c, tell, textIn{"x"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.Close()
		if d := time.Since(start); d != time.Second {
			t.Errorf("Close took %v, want 1 s", d)
		}
		if n := clientGoroutines(); n != 0 {
			t.Errorf("%d goroutines after Close", n)
		}
	})
}

func TestCloseInEveryStatus(t *testing.T) {
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	t.Run("idle", func(t *testing.T) {
		c := client.New("ws://test/", nil)
		waiting := async(func() (int, error) { return client.Wait(t.Context(), c, count, nil) })
		c.Close()
		wantCode(t, (<-waiting).err, contract.Unavailable, client.ErrClosed)
		if c.Status() != client.Closed {
			t.Errorf("status %v", c.Status())
		}
	})
	t.Run("connecting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, &server{}, client.Options{Dial: hang})
			first := async(func() (struct{}, error) { return struct{}{}, c.Connect(t.Context()) })
			synctest.Wait()
			second := async(func() (struct{}, error) { return struct{}{}, c.Connect(t.Context()) })
			call := async(func() (textOut, error) { return client.Call(t.Context(), c, echo, textIn{"x"}) })
			synctest.Wait()
			start := time.Now()
			c.Close()
			for _, ch := range []<-chan outcome[struct{}]{first, second} {
				if r := <-ch; !errors.Is(r.err, client.ErrClosed) {
					t.Errorf("Connect: %v", r.err)
				}
			}
			wantCode(t, (<-call).err, contract.Unavailable, client.ErrClosed)
			if d := time.Since(start); d != 0 {
				t.Errorf("the attempt went on for %v", d)
			}
		})
	})
	t.Run("reconnecting", func(t *testing.T) {
		for _, after := range []time.Duration{0, 5 * time.Second} { // waiting, dialling
			synctest.Test(t, func(t *testing.T) {
				srv := &server{}
				dial := srv.Dial
				c := newClient(t, srv, client.Options{Dial: func(ctx context.Context, n, a string) (net.Conn, error) { return dial(ctx, n, a) }})
				open(t, c)
				dial = hang
				srv.last().net.Close()
				time.Sleep(after)
				synctest.Wait()
				if c.Status() != client.Reconnecting {
					t.Fatalf("status %v", c.Status())
				}
				start := time.Now()
				c.Close()
				if d := time.Since(start); d != 0 || clientGoroutines() != 0 {
					t.Errorf("Close took %v and left %d goroutines", d, clientGoroutines())
				}
			})
		}
	})
}

// Close may be called by a handler, drops what waits, and starts no handler more.
func TestCloseInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{})
		var got []int
		client.On(c, count, func(n int) {
			time.Sleep(time.Second) // the others arrive
			got = append(got, n)
			c.Close()
		})
		client.On(c, count, func(n int) { t.Errorf("a handler started after Close, with %d", n) })
		for n := range 3 {
			srv.last().push(count.Def(), n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != 1 || clientGoroutines() != 0 {
			t.Errorf("handled %v, %d goroutines left", got, clientGoroutines())
		}
	})
}

// When the server ends it, what was received is handled, and no Close is needed.
func TestServerEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{})
		var got []int
		client.On(c, count, func(n int) { time.Sleep(time.Second); got = append(got, n) })
		for n := range 3 {
			srv.last().push(count.Def(), n)
		}
		_ = srv.last().ws.WriteClose(4403, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != 3 || clientGoroutines() != 0 || c.Status() != client.Closed {
			t.Errorf("handled %v, %d goroutines left, %v", got, clientGoroutines(), c.Status())
		}
	})
}

// A frame that cannot be, its length beyond 63 bits, costs the connection and nothing else.
func TestImpossibleFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{Reconnect: client.ReconnectOptions{Disabled: true}})
		feed, cancel := c.Changes()
		defer cancel()
		if _, err := srv.last().net.Write([]byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}); err != nil {
			t.Fatal(err)
		}
		change := <-feed
		var panicked *client.PanicError
		if change.To != client.Closed || !errors.Is(change.Err, client.ErrConnectionLost) || !errors.As(change.Err, &panicked) {
			t.Errorf("changed to %v: %v", change.To, change.Err)
		}
	})
}

// A subscriber that does not read loses the oldest changes, and no others.
func TestChangesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := newClient(t, srv, client.Options{})
		slow, cancelSlow := c.Changes()
		defer cancelSlow()
		gone, cancelGone := c.Changes()
		cancelGone()
		cancelGone()
		if _, ok := <-gone; ok {
			t.Error("a cancelled feed is not closed")
		}
		srv.setDialErr(errRefused)
		for range 50 {
			if err := c.Connect(t.Context()); !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
		}
		c.Close()
		got, last := drain(slow)
		if len(got) != 65 || got[63] != "idle>closed" || got[64] != "end" || last.To != client.Closed {
			t.Fatalf("%d changes, ending with %v", len(got), got[max(0, len(got)-3):])
		}
		for i := range 63 {
			if want := []string{"connecting>idle", "idle>connecting"}[i%2]; got[i] != want {
				t.Fatalf("change %d is %s, want %s", i, got[i], want)
			}
		}
	})
}
