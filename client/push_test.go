package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

func TestPushesInOrder(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &server{format: f, script: echoScript}
				var got []string
				c := newClient(t, srv, client.Options{})
				client.On(c, line, func(r lineRow) { got = append(got, fmt.Sprint("a", r.N)) })
				off := client.On(c, line, func(r lineRow) { got = append(got, fmt.Sprint("b", r.N)) })
				client.On(c, count, func(n int) { got = append(got, fmt.Sprint("n", n)) })
				srv.opened = func(s *session) { s.push(line.Def(), lineRow{N: 1}) } // at once on attach
				open(t, c)
				s := srv.last()
				s.push(count.Def(), 2)
				synctest.Wait()
				off()
				off()
				s.push(line.Def(), lineRow{N: 3})
				synctest.Wait()
				if want := []string{"a1", "b1", "n2", "a3"}; !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		})
	}
}

func TestHandlersNeverOverlapAndMayCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		srv.script = func(s *session, f wire.Frame) {
			time.Sleep(time.Second) // virtual: pushes pile up behind the call
			s.respond(f, f.Body)
		}
		var got []int
		running := false
		c := newClient(t, srv, client.Options{})
		client.On(c, count, func(n int) {
			if running {
				t.Error("two handlers at a time")
			}
			running = true
			if _, err := client.Call(t.Context(), c, echo, textIn{"from a handler"}); err != nil {
				t.Error(err)
			}
			running = false
			got = append(got, n)
		})
		open(t, c)
		for n := range 5 {
			srv.last().push(count.Def(), n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestOnceAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		c := connect(t, srv, client.Options{})
		s := srv.last()
		var once, all []int
		client.Once(c, count, func(n int) { once = append(once, n) })
		client.Once(c, count, func(n int) { t.Errorf("an ended Once got %d", n) })()
		client.On(c, count, func(n int) { all = append(all, n) })
		even := async(func() (int, error) {
			n, err := client.Wait(t.Context(), c, count, func(n int) bool { return n%2 == 0 })
			if want := []int{1, 3, 4}; !slices.Equal(all, want) {
				t.Errorf("when Wait returned the handlers had seen %v, want %v", all, want)
			}
			return n, err
		})
		first := async(func() (int, error) { return client.Wait(t.Context(), c, count, nil) })
		synctest.Wait()
		for _, n := range []int{1, 3, 4} {
			s.push(count.Def(), n)
		}
		if r := <-first; r.v != 1 || r.err != nil {
			t.Errorf("Wait without match: %+v", r)
		}
		if r := <-even; r.v != 4 || r.err != nil {
			t.Errorf("Wait for an even number: %+v", r)
		}
		s.push(count.Def(), 6)
		synctest.Wait()
		if !slices.Equal(once, []int{1}) {
			t.Errorf("Once got %v", once)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Wait(ctx, c, line, nil)
		wantCode(t, err, contract.DeadlineExceeded, context.DeadlineExceeded)

		// A reconnect in between does not matter, Close ends it.
		waiting := async(func() (lineRow, error) { return client.Wait(t.Context(), c, line, nil) })
		s.net.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		srv.last().push(line.Def(), lineRow{N: 7})
		if r := <-waiting; r.v.N != 7 || r.err != nil {
			t.Errorf("Wait across a reconnect: %+v", r)
		}
		waiting = async(func() (lineRow, error) { return client.Wait(t.Context(), c, line, nil) })
		synctest.Wait()
		c.Close()
		wantCode(t, (<-waiting).err, contract.Unavailable, client.ErrClosed)
		_, err = client.Wait(t.Context(), c, line, nil)
		wantCode(t, err, contract.Unavailable, client.ErrClosed)
	})
}

func TestBadPushesAndPanicsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var log errorLog
		boom := errors.New("boom")
		c := connect(t, srv, client.Options{OnError: func(err error) {
			log.add(err)
			panic("OnError panics too")
		}})
		var got []int
		client.On(c, line, func(r lineRow) {
			if r.N == 2 {
				panic(boom)
			}
		})
		client.On(c, line, func(r lineRow) { got = append(got, r.N) })
		s := srv.last()
		s.raw([]byte(`{"socka":"serverEvent","v":1,"event":"line","body":{"n":"one"}}`))
		s.push(line.Def(), lineRow{N: 2})
		s.push(line.Def(), lineRow{N: 3})
		synctest.Wait()
		if !slices.Equal(got, []int{2, 3}) {
			t.Errorf("delivered %v, want [2 3]", got)
		}
		errs := log.all()
		if len(errs) != 2 {
			t.Fatalf("reported %v, want two errors", errs)
		}
		wantCode(t, errs[0], contract.InvalidOutput)
		var p *client.PanicError
		if !errors.As(errs[1], &p) || !errors.Is(errs[1], boom) || !strings.Contains(string(p.Stack), "push_test.go") {
			t.Errorf("panic reported as %v", errs[1])
		}
	})
}

// PushQueue pushes wait, one more is with the handler and one in the reader's
// hands; then nothing more is read, and everything goes on when the handler does.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue, all = 4, 20
		srv := &server{}
		c := connect(t, srv, client.Options{PushQueue: queue, PingInterval: -1})
		var got []int
		gate := make(chan struct{})
		client.On(c, count, func(n int) { <-gate; got = append(got, n) })
		sent := 0
		go func() {
			for n := range all {
				srv.last().push(count.Def(), n)
				sent++
			}
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if want := 1 + queue + 1; sent != want {
			t.Errorf("%d pushes were read, want %d", sent, want)
		}
		close(gate)
		synctest.Wait()
		if len(got) != all || !slices.IsSorted(got) {
			t.Errorf("delivered %v, want 0 to %d", got, all-1)
		}
	})
}

// A handler that calls while the queue is full waits for an answer that cannot be
// read. The keepalive turns that into a lost connection.
func TestStuckHandlerLosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		srv.script = func(s *session, f wire.Frame) {
			for n := range 10 {
				s.push(count.Def(), n)
			}
			s.respond(f, f.Body)
		}
		c := connect(t, srv, client.Options{PushQueue: 2})
		var errs []error
		client.Once(c, count, func(int) {
			_, err := client.Call(context.Background(), c, echo, textIn{"x"})
			errs = append(errs, err)
		})
		go srv.last().push(count.Def(), 0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(errs) != 1 {
			t.Fatalf("the handler's call did not return")
		}
		wantCode(t, errs[0], contract.OutcomeUnknown, client.ErrConnectionLost)
		if c.Status() != client.Open {
			t.Errorf("status %v afterwards", c.Status())
		}
	})
}
