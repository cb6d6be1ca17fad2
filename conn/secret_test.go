package conn

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// secret stands in the query of every handshake of these tests; env.stop looks for it in the logs.
const secret = "sid-that-nobody-may-see"

// No refusal repeats the query of a URL, not to hooks, not to logs, and not to the client.
func TestRefusalsDoNotTellTheQuery(t *testing.T) {
	for name, c := range map[string]struct {
		header []string
		method string
		opts   Options
		status int
	}{
		"method":             {nil, http.MethodPost, Options{}, http.StatusMethodNotAllowed},
		"no upgrade":         {[]string{"Upgrade", ""}, "", Options{}, http.StatusUpgradeRequired},
		"version":            {[]string{"Sec-Websocket-Version", "12"}, "", Options{}, http.StatusBadRequest},
		"key":                {[]string{"Sec-Websocket-Key", "x"}, "", Options{}, http.StatusBadRequest},
		"origin":             {[]string{"Origin", "https://evil.example"}, "", Options{}, http.StatusForbidden},
		"a URL as an origin": {[]string{"Origin", "https://evil.example/ws?sid=" + secret}, "", Options{}, http.StatusForbidden},
		"no hijacking":       {nil, "", Options{}, http.StatusInternalServerError},
		"deflate":            {[]string{"Sec-Websocket-Extensions", "permessage-deflate"}, "", Options{Compress: true}, http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			told := new(logBuffer)
			o := c.opts
			o.Logger = slog.New(slog.NewTextHandler(told, &slog.HandlerOptions{Level: slog.LevelDebug}))
			o.Hooks = Hooks{Refused: func(i Info, r *Refusal) { fmt.Fprintf(told, "%+v %v %v", i, r, r.Header) }}
			g := newGateway(t, o)
			r := upgrade("192.0.2.1:1", c.header...)
			r.URL = &url.URL{Path: "/ws/chat/lobby", RawQuery: "name=Ada&sid=" + secret}
			r.RequestURI = r.URL.RequestURI()
			if c.method != "" {
				r.Method = c.method
			}
			w := httptest.NewRecorder()
			a, err := g.Admit(r)
			if err == nil {
				err = a.Upgrade(w, r, Session{ID: "s", To: &actors.PID{Id: "nobody"}})
			}
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Status != c.status {
				t.Fatalf("%v, want %d", err, c.status)
			}
			refusal.Write(w)
			fmt.Fprint(told, err, w.Body, w.Header())
			if strings.Contains(told.String(), secret) {
				t.Errorf("the query is told: %s", told)
			}
		})
	}
}

// Nor does anything that happens on a connection.
func TestConnectionsDoNotTellTheQuery(t *testing.T) {
	for _, kind := range []transportKind{transports[2], transports[4]} {
		on(t, kind.name, kind, func(t *testing.T) {
			told := new(logBuffer)
			e := start(t, kind, setup{opts: Options{Hooks: Hooks{
				Malformed: func(i Info, err error) {
					fmt.Fprintf(told, "malformed %+v %v", i, err)
					panic("oh")
				},
				Closed: func(i Info, end CloseInfo) { fmt.Fprintf(told, "closed %+v %+v", i, end) },
			}}})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			e.sys.Send(pid, "what?")
			e.sys.Send(pid, &actors.Answer{Number: 7})
			e.sys.Send(pid, &actors.Probe{})
			c.write(frame(textFrame, []byte("{")))
			c.expectClose(CloseInternal)
			synctest.Wait()
			fmt.Fprint(told, e.logs)
			for _, want := range []string{"malformed", "closed", "panic", "does not know", "out of order"} {
				if !strings.Contains(told.String(), want) {
					t.Errorf("%q is not told: %s", want, told)
				}
			}
			if strings.Contains(told.String(), secret) {
				t.Errorf("the query is told: %s", told)
			}
		})
	}
}
