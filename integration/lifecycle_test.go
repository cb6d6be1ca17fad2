package integration

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// heavy gives every room and every session something that would be seen if it stayed.
func heavy(def *labDef) *labDef {
	def.KeepEmpty = -1
	def.New = func(context.Context, room.ID) (labState, error) { return labState{Pad: make([]byte, 8<<10)}, nil }
	def.Authenticate = func(*http.Request, room.ID) (labUser, error) { return labUser{Name: strings.Repeat("x", 8<<10)}, nil }
	return def
}

// TestAThousandRoomsLeaveNothingBehind opens rooms with two members each, 50 at a time, and ends half of them by their
// members leaving and half from the server.
func TestAThousandRoomsLeaveNothingBehind(t *testing.T) {
	const (
		rooms = 1000
		batch = 50
		slack = 8 << 20 // a third of what 1,000 rooms and 2,000 sessions of 8 KiB each hold
	)
	s := serve(t, setup{opts: room.Options{RoomsPerSecond: -1, AllRoomsPerSecond: -1}}, heavy(newLab(nil)))
	round := func(first int) {
		var members []*peer
		for n := first; n < first+batch; n++ {
			path := "lab/" + strconv.Itoa(n)
			for i := range 2 {
				p := s.peer(path, wire.Format(i), peerOptions{})
				p.call("say", text{"hello"}) // the answer shows that it is in the room
				members = append(members, p)
			}
		}
		if page, _ := s.Rooms("lab", "", 2*batch); len(page) != batch {
			t.Fatalf("%d rooms are listed while %d are open", len(page), batch)
		}
		for i, p := range members {
			if i/2%2 == 0 {
				p.leave()
			} else if err := s.Room("lab", strconv.Itoa(first+i/2)).Close(bounded(t), 0, "over"); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range members {
			if i/2%2 == 0 {
				<-p.closed
			} else {
				p.end(conn.CloseRoomClosed)
			}
			p.drop()
		}
		eventually(t, "all connections and rooms of a round are gone", func() bool {
			page, _ := s.Rooms("lab", "", 1)
			return len(page) == 0 && len(s.closes.all()) == len(members)
		})
		s.closes.reset()
		s.detaches.reset()
	}
	round(0)
	s.http.CloseClientConnections()
	before, goroutinesBefore := heap(), runtime.NumGoroutine()
	for n := batch; n <= rooms; n += batch {
		round(n)
	}
	s.http.CloseClientConnections()
	eventually(t, fmt.Sprintf("there are no more than %d goroutines again", goroutinesBefore), func() bool { return runtime.NumGoroutine() <= goroutinesBefore })
	if grown := heap() - before; grown > slack {
		t.Errorf("the heap has grown by %d KiB after %d rooms, by more than %d KiB", grown>>10, rooms, slack>>10)
	}
}

// invented is how many rooms one address makes up.
func invented() int {
	if raced {
		return 10_000
	}
	return 100_000
}

// bare makes a server that no recorder watches, since that would grow.
func bare(t *testing.T, opts room.Options, def room.AnyDefinition) *room.Server {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := room.NewServer(&opts, def)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// visitor is the HTTP server's side of a client that connects, reads the answer to its handshake, and leaves.
type visitor struct {
	*httptest.ResponseRecorder
	upgraded bool
}

func (v *visitor) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	mine, theirs := net.Pipe()
	go func() {
		_, _ = mine.Read(make([]byte, 4<<10))
		_ = mine.Close()
	}()
	v.upgraded = true
	return theirs, bufio.NewReadWriter(bufio.NewReader(theirs), bufio.NewWriter(theirs)), nil
}

// visit has one address connect to a room, and returns whether it got in, or else the status.
func visit(s *room.Server, name string) (upgraded bool, status int) {
	r := httptest.NewRequest(http.MethodGet, "/ws/lab/"+name, nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	r.RemoteAddr = "203.0.113.7:4711"
	v := &visitor{ResponseRecorder: httptest.NewRecorder()}
	s.ServeHTTP(v, r)
	return v.upgraded, v.Code
}

// TestInventedRoomsLeaveTheHeapBounded has one address make up names of rooms: with the limits that are there by default,
// most are refused; without them, each room comes and goes; and rooms that stay are bounded by their number. If 100,000
// rooms stayed, their states alone would take 800 MB.
func TestInventedRoomsLeaveTheHeapBounded(t *testing.T) {
	const slack = 16 << 20 // of which the engine's table of addresses takes about 9 MiB as it fills, once
	bounded := func(t *testing.T, before int64) {
		t.Helper()
		if grown := heap() - before; grown > slack {
			t.Errorf("the heap has grown by %d KiB, by more than %d KiB", grown>>10, slack>>10)
		}
	}
	gone := func(t *testing.T, s *room.Server) {
		t.Helper()
		eventually(t, "all rooms are gone", func() bool { page, _ := s.Rooms("lab", "", 1); return len(page) == 0 })
	}
	t.Run("default limits", func(t *testing.T) {
		s := bare(t, room.Options{}, heavy(newLab(nil)))
		in, refused, before := 0, 0, heap()
		for n := range invented() {
			switch ok, status := visit(s, strconv.Itoa(n)); {
			case ok:
				in++
			case status == http.StatusTooManyRequests:
				refused++
			default:
				t.Fatalf("room %d: status %d", n, status)
			}
		}
		if in < 200 || refused < invented()/2 {
			t.Errorf("%d got in and %d were refused; want the burst of 200 in, and most refused", in, refused)
		}
		gone(t, s)
		bounded(t, before)
	})
	t.Run("no limits", func(t *testing.T) {
		s := bare(t, room.Options{RoomsPerSecond: -1, AllRoomsPerSecond: -1, Conn: conn.Options{MaxConnectionsPerAddr: -1}}, heavy(newLab(nil)))
		before := heap()
		for n := range invented() {
			if ok, status := visit(s, strconv.Itoa(n)); !ok {
				t.Fatalf("room %d: status %d", n, status)
			}
			if n%1000 == 999 {
				gone(t, s)
			}
		}
		eventually(t, "the goroutines of all connections are gone", func() bool { return goroutines() == "" })
		bounded(t, before)
	})
	t.Run("asked", func(t *testing.T) {
		s := bare(t, room.Options{}, heavy(newLab(nil)))
		before := heap()
		for n := range invented() {
			if _, err := room.Ask(t.Context(), s.Room("lab", strconv.Itoa(n)), say, text{"x"}, room.Create()); err != nil {
				t.Fatalf("room %d: %v", n, err)
			}
		}
		gone(t, s)
		bounded(t, before)
	})
	t.Run("kept", func(t *testing.T) {
		def := heavy(newLab(nil))
		def.KeepEmpty = 0 // 5 minutes
		s := bare(t, room.Options{MaxRooms: 100}, def)
		before, in := heap(), 0
		for n := range invented() {
			_, err := room.Ask(t.Context(), s.Room("lab", strconv.Itoa(n)), say, text{"x"}, room.Create())
			if err == nil {
				in++
			} else if contract.CodeOf(err) != contract.Unavailable {
				t.Fatalf("room %d: %v", n, err)
			}
		}
		if in != 100 {
			t.Errorf("%d rooms run, want MaxRooms, 100", in)
		}
		bounded(t, before)
	})
}

// TestShutdownUnderLoadLeavesNobodyWaiting stops a server while 40 clients keep calling and broadcasting: each gets the
// answers to its calls in order until it is closed with 1001, whereupon nobody is left.
func TestShutdownUnderLoadLeavesNobodyWaiting(t *testing.T) {
	for _, via := range transports {
		t.Run(via.name, func(t *testing.T) {
			s := serve(t, setup{via: via, opts: room.Options{Conn: conn.Options{CallsPerSecond: -1, OutboxBytes: 16 << 20}}}, newLab(nil))
			var answers atomic.Int64
			loaded := make(chan struct{})
			var peers []*peer
			for i := range 40 {
				f := wire.Format(i % 2)
				var p *peer
				sent, answered := 0, 0
				next := func() {
					// An error is the end of the connection, which is what the test waits for.
					_ = p.ws.WriteMessage(opcode(f == wire.JSON), p.request("say-"+strconv.Itoa(sent), "say", text{"x"}))
					sent++
				}
				p = s.peer("lab/"+strconv.Itoa(i%4), f, peerOptions{stalled: true, on: func(m wire.Frame) {
					switch {
					case m.Kind == wire.ServerEvent:
						return
					case m.ID != "say-"+strconv.Itoa(answered) || m.Kind != wire.ServerResponse:
						t.Errorf("client %d got %v %s (%s) where the answer to call %d was due", i, m.Kind, m.ID, m.Error, answered)
					}
					answered++
					if answers.Add(1) == 2000 {
						close(loaded)
					}
					next()
				}})
				for range 4 {
					next()
				}
				peers = append(peers, p)
			}
			for _, p := range peers {
				p.resume()
			}
			<-loaded
			if err := s.Shutdown(bounded(t)); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			for i, p := range peers {
				<-p.closed
				if p.code != conn.CloseGoingAway {
					t.Errorf("client %d was closed with %d %q, want 1001", i, p.code, p.reason)
				}
			}
			if !via.pipe {
				s.refusedHandshake("lab/0", nil, http.StatusServiceUnavailable)
			}
			if s.Ready() == nil {
				t.Error("the server says that it is ready after Shutdown")
			}
		})
	}
}
