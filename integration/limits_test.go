package integration

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// refusing has OnAttach refuse sessions by their name.
func refusing(def *labDef) *labDef {
	def.OnAttach = func(_ context.Context, t *labTurn) error {
		switch t.Session.Data.Name {
		case "coded":
			return contract.Errorf("banned", "not here")
		case "auth":
			return contract.Errorf(contract.Unauthenticated, "who are you")
		case "busy":
			return contract.Errorf(contract.Unavailable, "come back")
		case "plain":
			return errors.New(secret)
		case "panic":
			panic(secret)
		}
		return nil
	}
	return def
}

func TestAMessageThatIsTooLargeEndsItsConnectionOnly(t *testing.T) {
	for _, via := range transports {
		t.Run(via.name, func(t *testing.T) {
			s := serve(t, setup{via: via, opts: room.Options{Conn: conn.Options{MaxMessageBytes: 2 << 10}}}, newLab(nil))
			big, other := s.peer("lab/r", wire.JSON, peerOptions{}), s.peer("lab/r", wire.Msgpack, peerOptions{})
			big.call("echo", text{strings.Repeat("a", 1900)})
			big.send("echo", text{strings.Repeat("a", 3000)})
			big.end(conn.CloseMessageTooBig)
			if e := s.closes.wait(t, "its connection ends", 1); e.Code != conn.CloseMessageTooBig || e.ByPeer {
				t.Errorf("the Close hook was told %+v, want code %d by the server", e, conn.CloseMessageTooBig)
			}
			other.quiet()
		})
	}
}

// TestAFloodOfCallsIsRefusedInOrderAndThenCut counts, with a rate that gives nothing back while the test runs: the burst is
// answered, ten times that is refused call by call, and then the connection is closed.
func TestAFloodOfCallsIsRefusedInOrderAndThenCut(t *testing.T) {
	const burst = 4
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			s := serve(t, setup{opts: room.Options{Conn: conn.Options{CallsPerSecond: 1e-6, CallBurst: burst}}}, newLab(nil))
			p := s.peer("lab/r", f, peerOptions{})
			for range burst {
				if m := p.call("ping", nil); m.Kind != wire.ServerResponse {
					t.Fatalf("a call within the burst is answered %q", m.raw)
				}
			}
			var ids []string
			for range 10 * burst {
				ids = append(ids, p.send("echo", text{"again"}))
			}
			for _, id := range ids {
				if m := p.answer(id); m.Kind != wire.ServerError || m.Code != string(contract.RateLimited) || m.RPC != "echo" || m.RetryAfter <= 0 {
					t.Fatalf("a call beyond the burst is answered %q, want rate_limited with retryAfter", m.raw)
				}
			}
			p.send("ping", nil)
			p.end(conn.CloseFlood)
			if e := s.closes.wait(t, "the connection ends", 1); e.Code != conn.CloseFlood {
				t.Errorf("the Close hook was told %+v, want code %d", e, conn.CloseFlood)
			}
		})
	}
}

func TestCallsBeyondThoseInFlightAreRefusedInTheirPlace(t *testing.T) {
	held := make(chan struct{})
	s := serve(t, setup{opts: room.Options{Conn: conn.Options{MaxInFlight: 3}}}, newLab(held))
	p := s.peer("lab/r", wire.JSON, peerOptions{})
	var ids []string
	for _, rpc := range []string{"hold", "ping", "ping", "ping", "ping"} {
		ids = append(ids, p.send(rpc, nil))
	}
	// A message that is no call is reported behind the calls, so the report shows that all of them were read.
	p.write(true, []byte("nonsense"))
	s.invalid.wait(t, "the malformed message is reported", 1)
	close(held)
	for i, id := range ids {
		m := p.answer(id)
		switch {
		case i < 3 && m.Kind != wire.ServerResponse:
			t.Errorf("call %d, in flight, is answered %q", i, m.raw)
		case i >= 3 && m.Code != string(contract.ResourceExhausted):
			t.Errorf("call %d, beyond those in flight, is answered %q, want resource_exhausted", i, m.raw)
		}
	}
	p.quiet()
}

func TestAFloodOfMalformedMessagesIsCut(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	p := s.peer("lab/r", wire.JSON, peerOptions{})
	for range 99 {
		p.write(true, []byte("{"))
	}
	p.call("ping", nil) // a good one: the count begins again
	for range 100 {
		p.write(true, []byte("{"))
	}
	p.end(conn.CloseFlood)
	if n := len(s.invalid.all()); n < 10 || n > 20 {
		t.Errorf("%d of 199 malformed messages were reported, want about 10: reports are limited too", n)
	}
}

func TestFailuresAreRedactedAndTheRoomGoesOn(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			s := serve(t, setup{}, newLab(nil))
			p, other := s.peer("lab/r", f, peerOptions{}), s.peer("lab/r", wire.JSON, peerOptions{})
			other.call("ping", nil)
			for i, how := range []string{"plain", "panic"} {
				m := p.call("fail", failIn{how})
				if m.Kind != wire.ServerError || m.Error != "internal error" || m.Code != "internal" || m.RPC != "fail" || strings.Contains(string(m.raw), "swordfish") {
					t.Errorf("%s: the answer is %q, want a serverError that says no more than internal error", how, m.raw)
				}
				if got := s.failed.wait(t, "the failure is reported", i+1); got.Name != "fail" || !strings.Contains(got.Err.Error(), secret) {
					t.Errorf("%s: the HandlerError hook was told %+v", how, got)
				}
			}
			var panicked *room.PanicError
			if got := s.failed.all()[1].Err; !errors.As(got, &panicked) || len(panicked.Stack) == 0 {
				t.Errorf("the panic was reported as %T without a stack: %v", got, got)
			}
			// The pushes of the failed turns are not sent; both are still there, in the same room.
			p.call("say", text{"on we go"})
			var got notifyBody
			for _, member := range []*peer{p, other} {
				if member.push("notify", &got); got.Msg != "on we go" {
					t.Errorf("the first push after the failures is %q", got.Msg)
				}
				member.quiet()
			}
		})
	}
}

func TestARoomThatOnlyPanicsIsClosed(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	p, other := s.peer("lab/r", wire.JSON, peerOptions{}), s.peer("lab/r", wire.JSON, peerOptions{})
	other.call("ping", nil)
	for range 11 {
		if m := p.call("fail", failIn{"panic"}); m.Error != "internal error" {
			t.Fatalf("a panic is answered %q", m.raw)
		}
	}
	p.end(conn.CloseRoomFailed)
	other.end(conn.CloseRoomFailed)
	s.peer("lab/r", wire.JSON, peerOptions{}).call("ping", nil) // a new room of that name
}

func forwarded(addr string) http.Header { return http.Header{"X-Forwarded-For": {addr}} }

func TestOnlyTrustedProxiesSayWhoTheClientIs(t *testing.T) {
	open := conn.Options{MaxConnectionsPerAddr: 1}
	behind := open
	behind.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.0/8"}

	t.Run("not trusted", func(t *testing.T) {
		s := serve(t, setup{opts: room.Options{Conn: open}}, newLab(nil))
		var who whoamiOut
		p := s.peer("lab/r", wire.JSON, peerOptions{header: forwarded("203.0.113.7")})
		if p.unmarshal(p.call("whoami", nil).Body, &who); who.Addr != "127.0.0.1" {
			t.Errorf("the session's address is %s, which a header said", who.Addr)
		}
		s.refusedHandshake("lab/r", forwarded("203.0.113.8"), http.StatusTooManyRequests)
		s.refusedHandshake("lab/r", http.Header{"Origin": {"https://app.example.com"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Proto": {"https"}}, http.StatusForbidden)
	})
	t.Run("trusted", func(t *testing.T) {
		s := serve(t, setup{opts: room.Options{Conn: behind}}, newLab(nil))
		for header, want := range map[string]string{
			"203.0.113.7":                         "203.0.113.7",
			"198.51.100.1, 203.0.113.8, 10.1.2.3": "203.0.113.8", // what stands left of it may be invented
			"[2001:db8::1]:4711":                  "2001:db8::1",
		} {
			var who whoamiOut
			p := s.peer("lab/r", wire.JSON, peerOptions{header: forwarded(header)})
			if p.unmarshal(p.call("whoami", nil).Body, &who); who.Addr != want {
				t.Errorf("X-Forwarded-For %q: the session's address is %s, want %s", header, who.Addr, want)
			}
		}
		s.refusedHandshake("lab/r", forwarded("203.0.113.7"), http.StatusTooManyRequests)
		s.refusedHandshake("lab/r", forwarded("2001:db8::2"), http.StatusTooManyRequests) // the same /64
		proxied := forwarded("203.0.113.99")
		proxied.Set("Origin", "https://app.example.com")
		proxied.Set("X-Forwarded-Host", "app.example.com")
		proxied.Set("X-Forwarded-Proto", "https")
		s.peer("lab/r", wire.JSON, peerOptions{header: proxied}).call("ping", nil)
	})
}
