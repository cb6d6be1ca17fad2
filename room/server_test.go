package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// By default the text of an error without a code stays on the server, in answers and in refusals; over real sockets,
// since roomtest exposes errors.
func TestRedactedOverTheWire(t *testing.T) {
	def := newLab(nil)
	def.OnAttach = func(ctx context.Context, t *labTurn) error {
		if t.Session.Data.Name == "Plain" {
			return errors.New("secret detail")
		}
		return nil
	}
	srv, err := room.NewServer(quiet(), def)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Shutdown(t.Context())
	connect := func(name string) *client.Client {
		c := client.New(web.URL+"/ws/lab/1?name="+name, &client.Options{
			Logger: quiet().Logger, Reconnect: client.ReconnectOptions{Disabled: true},
		})
		t.Cleanup(func() { c.Close() })
		return c
	}

	ada := connect("Ada")
	if err := ada.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"plain", "panic"} {
		_, err := client.Call(t.Context(), ada, fail, Failure{how})
		if contract.CodeOf(err) != contract.Internal || err.Error() != "internal: internal error" {
			t.Errorf("%s: answered %v, want internal: internal error", how, err)
		}
	}

	plain := connect("Plain")
	changes, stop := plain.Changes()
	defer stop()
	if err := plain.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for change := range changes { // until it is closed for good
		var closed *client.ConnectionError
		if change.To == client.Closed && (!errors.As(change.Err, &closed) || closed.Code != 1011 || strings.Contains(closed.Reason, "secret")) {
			t.Errorf("refused with %v, want 1011 without the error's text", change.Err)
		}
	}
}

// What failed outside any call is reported by the name of the hook in which it failed.
func TestHooksNameWhatFailed(t *testing.T) {
	def := newLab(nil)
	def.OnAttach = func(ctx context.Context, t *labTurn) error {
		if t.Session.Data.Name == "Eve" {
			return errors.New("not her")
		}
		return nil
	}
	def.OnDetach = func(ctx context.Context, t *labTurn) error { return errors.New("no farewell") }
	var failed, left []string
	opts := quiet()
	opts.Hooks.HandlerError = func(e room.HandlerErrorEvent) { failed = append(failed, e.Name+": "+e.Err.Error()) }
	opts.Hooks.Detach = func(e room.SessionEvent) { left = append(left, fmt.Sprint(e.ID, " ", e.Sessions)) }
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada := s.Connect("lab/1?name=Ada")
		if _, err := s.Dial("lab/1?name=Eve", nil); err == nil {
			t.Error("Eve came in")
		}
		ada.Close()
		s.Settle()
		if want := []string{"OnAttach: not her", "OnDetach: no farewell"}; !slices.Equal(failed, want) {
			t.Errorf("reported %q, want %q", failed, want)
		}
		if want := []string{"lab/1 0"}; !slices.Equal(left, want) { // who was never let in did not leave
			t.Errorf("left %q, want %q: an error of OnDetach keeps nobody in", left, want)
		}
	}, def)
}

// In OnDetach the session is still in the room, with its data, but not connected.
func TestDetachingSessionIsListed(t *testing.T) {
	def := newLab(nil)
	var seen []string
	def.OnDetach = func(ctx context.Context, t *labTurn) error {
		for _, s := range t.Sessions() {
			seen = append(seen, fmt.Sprint(s.Data.Name, " ", s == t.Session))
		}
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		ada.Close()
		s.Settle()
		if want := []string{"Ada true", "Bob false"}; !slices.Equal(seen, want) {
			t.Errorf("OnDetach saw %q, want %q", seen, want)
		}
		if names := roomtest.Call(bob, who, contract.None{}); !slices.Equal(names.Names, []string{"Bob"}) {
			t.Errorf("afterwards %q are there, want Bob alone", names.Names)
		}
	}, def)
}

// A broadcast goes to all, or to those that every audience agrees on.
func TestAudiences(t *testing.T) {
	c := contract.New("audience")
	tell := contract.NewCall[Names, contract.None](c, "tell")
	told := contract.NewPush[Names](c, "told")
	def := &room.Definition[labState, labUser]{Contract: c, Authenticate: userFromQuery}
	room.Handle(def, tell, func(ctx context.Context, t *labTurn, in Names) (contract.None, error) {
		all := t.Sessions()
		isIn := func(s *room.Session[labUser]) bool { return slices.Contains(in.Names, s.Data.Name) }
		room.Broadcast(t, told, Names{[]string{"all"}})
		room.Broadcast(t, told, Names{[]string{"others"}}, room.Except(t.Session))
		room.Broadcast(t, told, Names{[]string{"first"}}, room.To(all[0]))
		room.Broadcast(t, told, Names{[]string{"named"}}, room.Where(isIn))
		room.Broadcast(t, told, Names{[]string{"named others"}}, room.Where(isIn), room.Except(t.Session))
		return contract.None{}, nil
	})
	roomtest.Run(t, func(s *roomtest.Server) {
		clients := map[string]*roomtest.Client{}
		for _, name := range []string{"Ada", "Bob", "Cleo"} {
			clients[name] = s.Connect("audience/1?name=" + name)
		}
		roomtest.Call(clients["Bob"], tell, Names{[]string{"Bob", "Cleo"}})
		for name, want := range map[string]string{
			"Ada":  "all, others, first",
			"Bob":  "all, named",
			"Cleo": "all, others, named, named others",
		} {
			var got []string
			for _, push := range roomtest.Pushes(clients[name], told) {
				got = append(got, push.Names...)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s got %q, want %q", name, strings.Join(got, ", "), want)
			}
		}
	}, def)
}
