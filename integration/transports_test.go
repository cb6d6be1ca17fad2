package integration

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// eachWay runs f over every transport in both formats, with a server of its own.
func eachWay(t *testing.T, f func(t *testing.T, s *server, format wire.Format)) {
	for _, via := range transports {
		for _, format := range []wire.Format{wire.JSON, wire.Msgpack} {
			t.Run(fmt.Sprintf("%s %v", via.name, format), func(t *testing.T) {
				f(t, serve(t, setup{via: via, opts: room.Options{Conn: conn.Options{CallsPerSecond: -1}}}, newLab(nil)), format)
			})
		}
	}
}

// heard keeps the notify pushes of a client, in order.
func heard(c *client.Client) *record[string] {
	got := new(record[string])
	client.On(c, notify, func(n notifyBody) { got.add(n.Msg) })
	return got
}

func TestCallsPushesAndErrorsTravelEveryWay(t *testing.T) {
	eachWay(t, func(t *testing.T, s *server, format wire.Format) {
		ctx := bounded(t)
		var oneWay record[error]
		c := s.client("lab/r?name=Ada", client.Options{Wire: format, OnError: oneWay.add})
		got := heard(c)
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		if c.Wire() != format {
			t.Fatalf("the client speaks %v, want %v", c.Wire(), format)
		}

		// Short and long texts, below and above what deflate compresses.
		for _, n := range []int{0, 1, 511, 512, 4000} {
			in := text{Text: fmt.Sprintf("%0*d<é😀>", n, 7)}
			if out, err := client.Call(ctx, c, echo, in); err != nil || out != in {
				t.Errorf("echo of %d characters: %v, %q", n, err, out.Text)
			}
		}
		want := moveBody{Cell: 4, Path: []moveXY{{0.5, -1}, {1, 2}}, OK: true}
		if out, err := client.Call(ctx, c, move, want); err != nil || fmt.Sprint(out) != fmt.Sprint(want) {
			t.Errorf("move gave %+v, %v; want %+v", out, err, want)
		}
		if who, err := client.Call(ctx, c, whoami, contract.None{}); err != nil || who.Name != "Ada" {
			t.Errorf("whoami gave %+v, %v; want Ada", who, err)
		}

		_, err := client.Call(ctx, c, fail, failIn{"coded"})
		var coded *contract.Error
		if !errors.As(err, &coded) || coded.Code != "FORBIDDEN" || coded.Message != "denied" {
			t.Fatalf("fail gave %v, want FORBIDDEN: denied", err)
		}
		if data := fmt.Sprint(coded.Data); data != "map[level:3 need:admin]" {
			t.Errorf("the error's data is %s", data)
		}

		if _, err := client.Call(ctx, c, say, text{"first"}); err != nil {
			t.Fatal(err)
		}
		if err := client.Send(ctx, c, whisper, text{""}); err != nil {
			t.Fatal(err)
		}
		if got := oneWay.wait(t, "the failure of a one-way call is told", 1); contract.CodeOf(got) != contract.FailedPrecondition {
			t.Errorf("a one-way call that failed is told as %v, want failed_precondition", got)
		}
		if err := client.Send(ctx, c, whisper, text{"not to myself"}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Call(ctx, c, say, text{"second"}); err != nil {
			t.Fatal(err)
		}
		got.wait(t, "both broadcasts come", 2)
		if all := fmt.Sprint(got.all()); all != "[first second]" {
			t.Errorf("the pushes were %s, want [first second]", all)
		}
	})
}

// TestMembersSeeBroadcastsInOneOrder has two members of each format call at the same time.
func TestMembersSeeBroadcastsInOneOrder(t *testing.T) {
	for _, via := range transports {
		t.Run(via.name, func(t *testing.T) {
			const members, each = 4, 50
			s := serve(t, setup{via: via, opts: room.Options{Conn: conn.Options{CallsPerSecond: -1}}}, newLab(nil))
			ctx := bounded(t)
			var clients []*client.Client
			var records []*record[string]
			for i := range members {
				c := s.client("lab/r", client.Options{Wire: wire.Format(i % 2)})
				clients, records = append(clients, c), append(records, heard(c))
				if err := c.Connect(ctx); err != nil {
					t.Fatal(err)
				}
				if _, err := client.Call(ctx, c, ping, contract.None{}); err != nil { // now it is in the room
					t.Fatal(err)
				}
			}
			var all sync.WaitGroup
			for i, c := range clients {
				all.Go(func() {
					for n := range each {
						if _, err := client.Call(ctx, c, say, text{fmt.Sprintf("%d of %d", n, i)}); err != nil {
							t.Errorf("member %d: %v", i, err)
							return
						}
					}
				})
			}
			all.Wait()
			for i, r := range records {
				r.wait(t, fmt.Sprintf("member %d hears everything", i), members*each)
				if got, want := r.all(), records[0].all(); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("member %d heard %v, member 0 heard %v", i, got, want)
				}
			}
		})
	}
}

func TestTheServersCloseCodeReachesTheClient(t *testing.T) {
	eachWay(t, func(t *testing.T, s *server, format wire.Format) {
		for _, c := range []struct {
			in   leaveIn
			want int
		}{
			{leaveIn{4123, "as you wish"}, 4123},
			{leaveIn{0, "kicked"}, int(conn.CloseKicked)},
		} {
			member := s.connected("lab/r", client.Options{Wire: format})
			feed, cancel := member.Changes()
			defer cancel()
			if _, err := client.Call(bounded(t), member, leave, c.in); err != nil {
				t.Errorf("the call that closes its own session was answered %v, want its output before the close", err)
			}
			change := <-feed
			if change.To != client.Closed || change.Code != c.want {
				t.Errorf("the client is told %+v, want Closed with code %d", change, c.want)
			}
			var lost *client.ConnectionError
			if !errors.As(change.Err, &lost) || lost.Reason != c.in.Reason {
				t.Errorf("the client is told %v, want the reason %q", change.Err, c.in.Reason)
			}
		}
	})
}

// TestClientsReconnect closes a client's connection from the server, and with it the room; the client comes back by itself
// into a new one, keeps its handlers, and makes a call that waited meanwhile.
func TestClientsReconnect(t *testing.T) {
	eachWay(t, func(t *testing.T, s *server, format wire.Format) {
		ctx := bounded(t)
		c := s.client("lab/r", client.Options{Wire: format, Reconnect: client.ReconnectOptions{Initial: time.Millisecond, Max: 10 * time.Millisecond}})
		got := heard(c)
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		feed, cancel := c.Changes()
		defer cancel()
		for n := range 3 {
			if _, err := client.Call(ctx, c, say, text{fmt.Sprint(n)}); err != nil {
				t.Fatalf("round %d: %v", n, err)
			}
			if err := s.Room("lab", "r").Close(ctx, conn.CloseUnavailable, "moved"); err != nil {
				t.Fatal(err)
			}
			for _, want := range []client.Status{client.Reconnecting, client.Open} {
				if change := <-feed; change.To != want {
					t.Fatalf("round %d: the client became %v (%v), want %v", n, change.To, change.Err, want)
				} else if want == client.Reconnecting && change.Code != int(conn.CloseUnavailable) {
					t.Errorf("round %d: the close code is %d, want %d", n, change.Code, conn.CloseUnavailable)
				}
			}
		}
		if _, err := client.Call(ctx, c, say, text{"back"}); err != nil {
			t.Fatal(err)
		}
		got.wait(t, "the push after the last reconnect comes", 4)
		if all := fmt.Sprint(got.all()); all != "[0 1 2 back]" {
			t.Errorf("the pushes were %s, want [0 1 2 back]", all)
		}
	})
}

// TestAJSONAndAMsgpackClientShareOneRoom compares what each of the two sees with what the other said, at the frames.
func TestAJSONAndAMsgpackClientShareOneRoom(t *testing.T) {
	for _, via := range transports {
		t.Run(via.name, func(t *testing.T) {
			s := serve(t, setup{via: via}, newLab(nil))
			members := map[wire.Format]*peer{}
			for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
				members[f] = s.peer("lab/r", f, peerOptions{})
				members[f].call("ping", nil)
			}
			for f, speaker := range members {
				want := lineBody{1700000000000, "from " + f.String()}
				if m := speaker.call("post", want); m.Kind != wire.ServerResponse {
					t.Fatalf("the %v client's call was answered %q", f, m.raw)
				}
				for to, member := range members {
					var got lineBody
					if m := member.push("line", &got); got != want || m.text != (to == wire.JSON) {
						t.Errorf("the %v client said %+v, the %v client got %+v (text: %v)", f, want, to, got, m.text)
					}
				}
			}
			list, err := s.Room("lab", "r").Sessions(bounded(t))
			if err != nil || len(list) != 2 || list[0].Wire == list[1].Wire {
				t.Errorf("the room lists %+v, %v; want a session of each format", list, err)
			}
		})
	}
}
