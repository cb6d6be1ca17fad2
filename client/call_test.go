package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

func TestCallBothFormatsAndDeflate(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		for _, deflate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v deflate=%v", f, deflate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := &server{format: f, compress: deflate}
					var ids []string
					srv.script = func(s *session, f wire.Frame) { ids = append(ids, f.ID); echoScript(s, f) }
					c := connect(t, srv, client.Options{Compress: deflate})
					long := strings.Repeat("héllo <b> ", 200)
					for _, text := range []string{"hi", long} {
						out, err := client.Call(t.Context(), c, echo, textIn{text})
						if err != nil || out.Text != text {
							t.Fatalf("echo: %q, %v", out.Text, err)
						}
					}
					if _, err := client.Call(t.Context(), c, void, contract.None{}); err != nil {
						t.Fatal(err)
					}
					if want := []string{"echo-1", "echo-2", "void-3"}; !slices.Equal(ids, want) {
						t.Errorf("ids %q, want %q", ids, want)
					}
					r := srv.requests[0]
					wantQuery := map[wire.Format]string{wire.JSON: "name=Ada&wire=json", wire.Msgpack: "name=Ada&wire=msgpack"}[f]
					if r.URL.RawQuery != wantQuery {
						t.Errorf("query %q, want %q", r.URL.RawQuery, wantQuery)
					}
					if offered := r.Header.Get("Sec-Websocket-Extensions") != ""; offered != deflate {
						t.Errorf("deflate offered: %v, want %v", offered, deflate)
					}
					if p := r.Header.Get("Sec-Websocket-Protocol"); p != "" {
						t.Errorf("asked for the subprotocol %q", p)
					}
				})
			})
		}
	}
}

func TestCallErrors(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &server{format: f}
				var log errorLog
				c := connect(t, srv, client.Options{OnError: log.add, MaxMessageBytes: 4000})
				call := func(script func(s *session, r wire.Frame)) error {
					srv.script = script
					_, err := client.Call(t.Context(), c, echo, textIn{"x"})
					return err
				}
				value := func(js string) []byte {
					b, err := wire.Transcode(nil, f, wire.JSON, []byte(js))
					if err != nil {
						t.Fatal(err)
					}
					return b
				}

				err := call(func(s *session, r wire.Frame) {
					s.fail(wire.ErrorFrame{ID: r.ID, RPC: r.RPC, Error: "denied", Code: "FORBIDDEN", HasCode: true,
						Data: value(`{"need":"admin","level":3}`), RetryAfter: 1500})
				})
				var e *contract.Error
				if !errors.As(err, &e) || e.Code != "FORBIDDEN" || e.Message != "denied" || e.RetryAfter != 1500*time.Millisecond {
					t.Fatalf("error %#v", err)
				}
				if want := map[string]any{"need": "admin", "level": json.Number("3")}; !reflect.DeepEqual(e.Data, want) {
					t.Errorf("data %#v, want %#v", e.Data, want)
				}

				wantCode(t, call(func(s *session, r wire.Frame) {
					s.fail(wire.ErrorFrame{ID: r.ID, Error: "Unknown call: echo"})
				}), contract.Unknown)
				wantCode(t, call(func(s *session, r wire.Frame) { s.respond(r, value(`{"text":""}`)) }), contract.InvalidOutput)
				wantCode(t, call(func(s *session, r wire.Frame) { s.respond(r, nil) }), contract.InvalidOutput)
				wantCode(t, call(func(s *session, r wire.Frame) {
					r.RPC = "other"
					s.respond(r, r.Body)
				}), contract.InvalidOutput)

				calls := 0
				srv.script = func(*session, wire.Frame) { calls++ }
				_, err = client.Call(t.Context(), c, echo, textIn{strings.Repeat("x", 2001)})
				wantCode(t, err, contract.InvalidInput)
				if !strings.Contains(err.Error(), "text") {
					t.Errorf("%q does not name the field", err)
				}
				_, err = client.Call(t.Context(), c, echo, textIn{strings.Repeat("😀", 1500)})
				wantCode(t, err, contract.ResourceExhausted)
				synctest.Wait()
				if calls != 0 {
					t.Errorf("%d calls were sent that must not be", calls)
				}
				if got := log.all(); len(got) != 0 {
					t.Errorf("reported: %v", got)
				}
			})
		})
	}
}

// A second answer to an id, and one after ctx ended, are ignored; answers may
// come in any order.
func TestAnswersFindTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var held []wire.Frame
		srv.script = func(s *session, f wire.Frame) {
			f.Body = slices.Clone(f.Body)
			held = append(held, f)
		}
		c := connect(t, srv, client.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Call(ctx, c, echo, textIn{"late"})
		wantCode(t, err, contract.DeadlineExceeded, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), "may have run") {
			t.Errorf("error %q", err)
		}
		var results []<-chan outcome[textOut]
		for i := range 5 {
			results = append(results, async(func() (textOut, error) {
				return client.Call(t.Context(), c, echo, textIn{fmt.Sprint(i)})
			}))
		}
		synctest.Wait()
		slices.Reverse(held)
		for _, f := range held {
			srv.last().respond(f, f.Body)
			srv.last().respond(f, []byte(`{"text":"again"}`))
		}
		for i, ch := range results {
			if r := <-ch; r.err != nil || r.v.Text != fmt.Sprint(i) {
				t.Errorf("call %d: %+v", i, r)
			}
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		_, err = client.Call(ctx, c, echo, textIn{"never"})
		wantCode(t, err, contract.Canceled, context.Canceled)
		synctest.Wait()
		if len(held) != 6 {
			t.Errorf("%d requests arrived, want 6", len(held))
		}
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		var got []string
		srv.script = func(s *session, f wire.Frame) {
			got = append(got, f.ID+string(f.Body))
			if strings.Contains(string(f.Body), "bad") {
				s.fail(wire.ErrorFrame{ID: f.ID, RPC: f.RPC, Error: "no", Code: "not_now", HasCode: true})
			}
		}
		var log errorLog
		c := connect(t, srv, client.Options{OnError: log.add})
		for _, text := range []string{"a", "bad", "c"} {
			if err := client.Send(t.Context(), c, tell, textIn{text}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		want := []string{`tell-1{"text":"a"}`, `tell-2{"text":"bad"}`, `tell-3{"text":"c"}`}
		if !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		errs := log.all()
		if len(errs) != 1 {
			t.Fatalf("reported %v, want one error", errs)
		}
		wantCode(t, errs[0], "not_now")
		if !strings.Contains(errs[0].Error(), "tell-2") {
			t.Errorf("%q does not name the id", errs[0])
		}
		wantCode(t, client.Send(t.Context(), c, tell, textIn{strings.Repeat("x", 2001)}), contract.InvalidInput)
	})
}

// The peer's own server sends what this client must survive.
func TestBadFramesAreReported(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &server{format: f, script: echoScript}
				var log errorLog
				c := connect(t, srv, client.Options{OnError: log.add})
				s := srv.last()
				s.raw([]byte(`{"socka":`))
				s.raw(wire.AppendRequest(nil, f, "a-1", "a", nil))
				s.fail(wire.ErrorFrame{ID: "ghost-9", Error: "lost"})
				other := wire.JSON + wire.Msgpack - f
				_ = s.ws.WriteMessage((&session{srv: &server{format: other}}).opcode(), wire.AppendEvent(nil, other, "line", nil))
				s.raw(wire.AppendEvent(nil, f, "nobody", nil)) // a push without a subscriber: silence
				synctest.Wait()
				want := []string{"", "clientRequest", "ghost-9", "Options.Wire"}
				errs := log.all()
				if len(errs) != len(want) {
					t.Fatalf("reported %q, want %d errors", errs, len(want))
				}
				for i, w := range want {
					if !strings.Contains(errs[i].Error(), w) {
						t.Errorf("error %d: %q does not contain %q", i, errs[i], w)
					}
				}
				if _, err := client.Call(t.Context(), c, echo, textIn{"still"}); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// Many goroutines on one connection: every answer is the right one, no frame is
// split, and each goroutine's calls are sent in its order.
func TestConcurrentCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		next := map[string]int{}
		srv.script = func(s *session, f wire.Frame) {
			var in textIn
			if err := wire.Unmarshal(wire.JSON, f.Body, &in); err != nil {
				t.Error(err)
			}
			who, n, _ := strings.Cut(in.Text, ":")
			if n != fmt.Sprint(next[who]) {
				t.Errorf("%s sent %s, want %d", who, n, next[who])
			}
			next[who]++
			if f.RPC == "echo" {
				s.respond(f, f.Body)
			}
		}
		c := connect(t, srv, client.Options{})
		var wg sync.WaitGroup
		for g := range 20 {
			wg.Go(func() {
				for n := range 50 {
					text := fmt.Sprintf("%d:%d", g, n)
					if n%3 == 0 {
						if err := client.Send(t.Context(), c, tell, textIn{text}); err != nil {
							t.Error(err)
						}
						continue
					}
					out, err := client.Call(t.Context(), c, echo, textIn{text})
					if err != nil || out.Text != text {
						t.Errorf("%s: %q, %v", text, out.Text, err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		for g := range 20 {
			if next[fmt.Sprint(g)] != 50 {
				t.Errorf("goroutine %d: %d requests arrived, want 50", g, next[fmt.Sprint(g)])
			}
		}
	})
}
