package integration

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/wire"
)

// refusedHandshake connects where that must be refused with a status, and returns the response and its text.
func (s *server) refusedHandshake(path string, header http.Header, status int) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(bounded(s.t), http.MethodGet, s.http.URL+"/ws/"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := s.http.Client().Do(req)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		s.t.Fatalf("GET %s with %v was upgraded, want %d", path, header, status)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != status {
		s.t.Errorf("GET %s with %v: status %d, want %d: %s", path, header, res.StatusCode, status, body)
	}
	return res, string(body)
}

func origin(o string) http.Header { return http.Header{"Origin": {o}} }

func TestAForeignOriginIsRefusedUnlessItIsAllowed(t *testing.T) {
	s := serve(t, setup{opts: room.Options{Conn: conn.Options{AllowOrigins: []string{"https://app.example.com", "https://*.example.org"}}}}, newLab(nil))
	for _, foreign := range []string{
		"https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "https://example.org", "null", "https://app.example.com:444",
	} {
		if _, body := s.refusedHandshake("lab/r", origin(foreign), http.StatusForbidden); !strings.Contains(body, "AllowOrigins") {
			t.Errorf("origin %s: the refusal does not say what to do: %s", foreign, body)
		}
	}
	for _, good := range []string{s.http.URL, "https://app.example.com", "https://a.b.example.org", "https://APP.example.com:443"} {
		s.peer("lab/r", wire.JSON, peerOptions{header: origin(good)}).call("ping", nil)
	}
	s.peer("lab/r", wire.JSON, peerOptions{}).call("ping", nil) // no browser
}

func TestWhatIsNoWayToARoomIsRefused(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	for path, status := range map[string]int{
		"nope/r":                          http.StatusNotFound,
		"lab/":                            http.StatusNotFound, // the room's name is missing, so this is the kind "ws"
		"lab/a%20b":                       http.StatusBadRequest,
		"lab/%00":                         http.StatusBadRequest,
		"lab/%C3%A9":                      http.StatusBadRequest,
		"lab/a:b":                         http.StatusBadRequest,
		"lab/" + strings.Repeat("a", 129): http.StatusBadRequest,
		"lab/r?wire=xml":                  http.StatusBadRequest,
	} {
		s.refusedHandshake(path, nil, status)
	}
	s.peer("lab/"+strings.Repeat("~", 128), wire.JSON, peerOptions{}).call("ping", nil)

	if res, _ := s.refusedHandshake("lab/r", http.Header{"Upgrade": nil}, http.StatusUpgradeRequired); res.Header.Get("Upgrade") != "websocket" {
		t.Errorf("the answer to a plain GET has Upgrade %q, want websocket", res.Header.Get("Upgrade"))
	}
	s.refusedHandshake("lab/r", http.Header{"Sec-Websocket-Version": {"8"}}, http.StatusBadRequest)
	s.refusedHandshake("lab/r", http.Header{"Sec-Websocket-Key": {"short"}}, http.StatusBadRequest)
	res, err := s.http.Client().Post(s.http.URL+"/ws/lab/r", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET" {
		t.Errorf("POST: status %d, Allow %q; want 405 and GET", res.StatusCode, res.Header.Get("Allow"))
	}
}

func TestWhoMayNotEnterIsRefusedWithTheStatusOfTheCode(t *testing.T) {
	refuse := func(how string) error {
		switch how {
		case "unauthenticated":
			return contract.Errorf(contract.Unauthenticated, "log in first")
		case "denied":
			return contract.Errorf(contract.PermissionDenied, "not you")
		case "busy":
			return contract.Errorf(contract.RateLimited, "not so fast").WithRetryAfter(1500 * time.Millisecond)
		case "own":
			return contract.Errorf("banned", "go away")
		case "plain":
			return errors.New(secret)
		case "panic":
			panic(secret)
		}
		return nil
	}
	for _, where := range []string{"Authenticate", "MayCreate"} {
		t.Run(where, func(t *testing.T) {
			def := newLab(nil)
			if where == "Authenticate" {
				def.Authenticate = func(r *http.Request, _ room.ID) (labUser, error) {
					return labUser{}, refuse(r.URL.Query().Get("how"))
				}
			} else {
				def.MayCreate = func(r *http.Request, _ room.ID, _ labUser) error { return refuse(r.URL.Query().Get("how")) }
			}
			s := serve(t, setup{opts: room.Options{Conn: conn.Options{MaxConnections: 1}}}, def)
			for _, c := range []struct {
				how     string
				status  int
				message string
			}{
				{"unauthenticated", http.StatusUnauthorized, "log in first"},
				{"denied", http.StatusForbidden, "not you"},
				{"busy", http.StatusTooManyRequests, "not so fast"},
				{"own", http.StatusBadRequest, "go away"},
				{"plain", http.StatusForbidden, "forbidden"},
				{"panic", http.StatusInternalServerError, "internal error"},
			} {
				res, body := s.refusedHandshake("lab/new?how="+c.how, nil, c.status)
				if strings.TrimSpace(body) != c.message {
					t.Errorf("%s is answered %q, want %q", c.how, body, c.message)
				}
				if after := res.Header.Get("Retry-After"); (after == "2") != (c.how == "busy") {
					t.Errorf("%s is answered with Retry-After %q", c.how, after)
				}
			}
			failed := s.failed.all()
			if len(failed) != 2 || failed[0].Name != where || !strings.Contains(failed[0].Err.Error(), secret) || !strings.Contains(failed[1].Err.Error(), secret) {
				t.Errorf("the HandlerError hook was told %+v, want the plain error and the panic of %s", failed, where)
			}
			// Nothing holds on to the one place there is.
			s.peer("lab/new", wire.JSON, peerOptions{}).call("ping", nil)
		})
	}
}

func TestMayCreateIsNotAskedForARoomThatRuns(t *testing.T) {
	def := newLab(nil)
	def.MayCreate = func(_ *http.Request, _ room.ID, u labUser) error {
		if u.Name != "Ada" {
			return contract.Errorf(contract.NotFound, "there is no such room")
		}
		return nil
	}
	s := serve(t, setup{}, def)
	s.refusedHandshake("lab/r?name=Bob", nil, http.StatusNotFound)
	s.peer("lab/r?name=Ada", wire.JSON, peerOptions{}).call("ping", nil)
	s.peer("lab/r?name=Bob", wire.JSON, peerOptions{}).call("ping", nil)
}

func TestFullMeansFull(t *testing.T) {
	def := newLab(nil)
	def.MaxSessions = 2
	s := serve(t, setup{opts: room.Options{MaxRooms: 2, RoomBurst: 3, RoomsPerSecond: 1e-6, Conn: conn.Options{MaxConnectionsPerAddr: 4}}}, def)
	var members []*peer
	for range 2 {
		p := s.peer("lab/r", wire.JSON, peerOptions{})
		p.call("ping", nil) // it is in the room, so the room is no new one for the next
		members = append(members, p)
	}
	s.peer("lab/r", wire.JSON, peerOptions{}).end(conn.CloseRoomFull)
	s.closes.wait(t, "the connection that was refused is gone", 1)
	for _, p := range members {
		p.quiet()
	}
	// A second room may be there, a third may not.
	s.peer("lab/r2", wire.JSON, peerOptions{}).call("ping", nil)
	if res, _ := s.refusedHandshake("lab/r3", nil, http.StatusServiceUnavailable); res.Header.Get("Retry-After") == "" {
		t.Error("the refusal of a room too many has no Retry-After")
	}
	// That was the address's third new room: the burst is over.
	if res, _ := s.refusedHandshake("lab/r4", nil, http.StatusTooManyRequests); res.Header.Get("Retry-After") == "" {
		t.Error("the refusal of too many new rooms from one address has no Retry-After")
	}
	s.peer("lab/r2", wire.JSON, peerOptions{}).call("ping", nil)
	s.refusedHandshake("lab/r", nil, http.StatusTooManyRequests) // a fifth connection of one address
}

func TestASessionThatOnAttachRefusesLearnsWhy(t *testing.T) {
	def := newLab(nil)
	def.OnAttach = nil
	s := serve(t, setup{}, refusing(def))
	for name, want := range map[string]struct {
		code   uint16
		reason string
	}{
		"coded": {conn.CloseRefused, "banned: not here"},
		"auth":  {conn.CloseUnauthenticated, "unauthenticated: who are you"},
		"busy":  {conn.CloseUnavailable, "unavailable: come back"},
		"plain": {conn.CloseInternal, "internal: internal error"},
		"panic": {conn.CloseInternal, "internal: internal error"},
	} {
		p := s.peer("lab/r?name="+name, wire.JSON, peerOptions{})
		p.end(want.code)
		if p.reason != want.reason {
			t.Errorf("%s: the reason is %q, want %q", name, p.reason, want.reason)
		}
	}
	p := s.peer("lab/r?name=Ada", wire.JSON, peerOptions{})
	p.call("ping", nil)
	if n := sessions(s, "lab", "r"); n != 1 {
		t.Errorf("%d sessions are in the room, want the one that was let in", n)
	}
}

func TestClientsThatAreToldNotToComeBackDoNot(t *testing.T) {
	s := serve(t, setup{}, refusing(newLab(nil)))
	c := s.client("lab/r?name=coded", client.Options{Reconnect: client.ReconnectOptions{Initial: time.Millisecond}})
	if err := c.Connect(bounded(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client gives up", func() bool { return c.Status() == client.Closed })
	if err := c.Err(); !errors.Is(err, client.ErrClosed) || !strings.Contains(err.Error(), "not here") {
		t.Errorf("it is closed with %v, want the server's reason", err)
	}
	if n := len(s.closes.wait(t, "the connection ends", 1).Reason); n == 0 {
		t.Error("the Close hook was told no reason")
	}
}

// TestASilentPeerIsClosed is about a half-open connection: the peer is there for TCP, but neither reads nor answers pings.
func TestASilentPeerIsClosed(t *testing.T) {
	s := serve(t, setup{opts: room.Options{Conn: conn.Options{PingInterval: 50 * time.Millisecond, IdleTimeout: 200 * time.Millisecond}}}, newLab(nil))
	p := s.peer("lab/r", wire.JSON, peerOptions{stalled: true})
	s.detaches.wait(t, "the silent peer's session ends", 1)
	p.resume()
	p.end(conn.CloseIdle)
	if e := s.closes.wait(t, "its connection ends", 1); e.Code != conn.CloseIdle || e.ByPeer {
		t.Errorf("the Close hook was told %+v, want code %d by the server", e, conn.CloseIdle)
	}
}

// TestAQuietClientThatAnswersPingsStays is the other side of that, in virtual time.
func TestAQuietClientThatAnswersPingsStays(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		c, err := s.Dial("lab/r", &client.Options{PingInterval: -1, Reconnect: client.ReconnectOptions{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(24 * time.Hour)
		if c.Status() != client.Open {
			t.Fatalf("after a quiet day the client is %v: %v", c.Status(), c.Err())
		}
		roomtest.Call(c, ping, contract.None{})
	}, newLab(nil))
}
