package conn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/wire"
)

// lobby is a room that answers every call with what it was sent.
type lobby struct{ sys *actors.System }

func (l *lobby) Receive(msg any) {
	if c, ok := msg.(*actors.Call); ok {
		frame := wire.AppendResponse(nil, c.Format, c.ID, c.RPC, c.Body)
		if c.Refused != nil {
			frame = wire.AppendError(nil, c.Format, *c.Refused)
		}
		l.sys.Send(c.From, &actors.Answer{Number: c.Number, Frame: frame})
	}
}

func (l *lobby) Stopped(error) {}

func ExampleGateway() {
	sys := actors.NewSystem(nil)
	gateway, err := conn.NewGateway(sys, nil)
	if err != nil {
		panic(err)
	}
	room, err := sys.Spawn("room/lobby", &lobby{sys})
	if err != nil {
		panic(err)
	}
	sessions := 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		admission, err := gateway.Admit(r)
		if err == nil {
			defer admission.Release()
			sessions++ // authenticate here
			err = admission.Upgrade(w, r, conn.Session{ID: fmt.Sprint("s", sessions), Kind: "chat", Room: "lobby", To: room})
		}
		var refusal *conn.Refusal
		if errors.As(err, &refusal) {
			refusal.Write(w)
		}
	}

	// A request that is no WebSocket handshake:
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("GET", "/ws/chat/lobby", nil))
	fmt.Println(w.Code, w.Header().Get("Upgrade"))
	// Output: 426 websocket
}
