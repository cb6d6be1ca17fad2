package integration

import (
	"context"
	"errors"
	"net/http"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

// A room whose calls have the names and shapes of those in the wire's vectors, with some that show what can go wrong.
var (
	lab     = contract.New("lab")
	echo    = contract.NewCall[text, text](lab, "echo")
	ping    = contract.NewCall[contract.None, contract.None](lab, "ping")
	ack     = contract.NewCall[contract.None, contract.None](lab, "ack")
	list    = contract.NewCall[contract.None, []int](lab, "list")
	null    = contract.NewCall[contract.None, any](lab, "n")
	move    = contract.NewCall[moveBody, moveBody](lab, "move")
	number  = contract.NewCall[numberBody, numberBody](lab, "number")
	integer = contract.NewCall[integerBody, integerBody](lab, "integer")
	fail    = contract.NewCall[failIn, contract.None](lab, "fail")
	say     = contract.NewCall[text, contract.None](lab, "say")
	post    = contract.NewCall[lineBody, contract.None](lab, "post")
	whisper = contract.NewOneWay[text](lab, "whisper")
	leave   = contract.NewCall[leaveIn, contract.None](lab, "leave")
	whoami  = contract.NewCall[contract.None, whoamiOut](lab, "whoami")
	hold    = contract.NewCall[contract.None, contract.None](lab, "hold")

	notify = contract.NewPush[notifyBody](lab, "notify")
	line   = contract.NewPush[lineBody](lab, "line")
)

type (
	text struct {
		Text string `json:"text" jsonschema:"maxLength=5000"`
	}
	moveBody struct {
		Cell int      `json:"cell"`
		Path []moveXY `json:"path"`
		Tag  *string  `json:"tag" socka:"nullable"`
		OK   bool     `json:"ok"`
	}
	moveXY struct {
		X float64 `json:"x"`
		Y float64 `json:"y"`
	}
	numberBody struct {
		Value float64 `json:"value"`
	}
	integerBody struct {
		Value int64 `json:"value"`
	}
	failIn struct {
		How string `json:"how" jsonschema:"enum=coded,enum=plain,enum=panic"`
	}
	lineBody struct {
		TS   int64  `json:"ts"`
		Text string `json:"text"`
	}
	leaveIn struct {
		Code   uint16 `json:"code"`
		Reason string `json:"reason"`
	}
	whoamiOut struct {
		Name string `json:"name"`
		Addr string `json:"addr"`
	}
	notifyBody struct {
		Msg string `json:"msg"`
	}
	need struct {
		Need  string `json:"need"`
		Level int    `json:"level"`
	}

	labState struct {
		Said int
		Pad  []byte
	}
	labUser struct{ Name string }
	labTurn = room.Turn[labState, labUser]
	labDef  = room.Definition[labState, labUser]
)

const secret = "the password is swordfish"

// newLab makes the definition; held is what calls of hold wait for.
func newLab(held <-chan struct{}) *labDef {
	def := &labDef{Contract: lab}
	def.Authenticate = func(r *http.Request, _ room.ID) (labUser, error) {
		return labUser{r.URL.Query().Get("name")}, nil
	}
	none := contract.None{}
	room.Handle(def, echo, func(_ context.Context, _ *labTurn, in text) (text, error) { return in, nil })
	room.HandleRead(def, ping, func(context.Context, *labTurn, contract.None) (contract.None, error) { return none, nil })
	room.HandleRead(def, ack, func(context.Context, *labTurn, contract.None) (contract.None, error) { return none, nil })
	room.HandleRead(def, list, func(context.Context, *labTurn, contract.None) ([]int, error) { return nil, nil })
	room.HandleRead(def, null, func(context.Context, *labTurn, contract.None) (any, error) { return nil, nil })
	room.HandleRead(def, move, func(_ context.Context, _ *labTurn, in moveBody) (moveBody, error) { return in, nil })
	room.HandleRead(def, number, func(_ context.Context, _ *labTurn, in numberBody) (numberBody, error) { return in, nil })
	room.HandleRead(def, integer, func(_ context.Context, _ *labTurn, in integerBody) (integerBody, error) { return in, nil })
	room.Handle(def, fail, func(_ context.Context, t *labTurn, in failIn) (contract.None, error) {
		room.Broadcast(t, notify, notifyBody{"of a turn that fails"})
		switch in.How {
		case "coded":
			return none, contract.Errorf("FORBIDDEN", "denied").WithData(need{"admin", 3})
		case "panic":
			panic(secret)
		}
		return none, errors.New(secret)
	})
	room.Handle(def, say, func(_ context.Context, t *labTurn, in text) (contract.None, error) {
		t.State.Said++
		room.Broadcast(t, notify, notifyBody{in.Text})
		return none, nil
	}, room.AllowServer)
	room.Handle(def, post, func(_ context.Context, t *labTurn, in lineBody) (contract.None, error) {
		room.Broadcast(t, line, in)
		return none, nil
	})
	room.HandleOneWay(def, whisper, func(_ context.Context, t *labTurn, in text) error {
		if in.Text == "" {
			return contract.Errorf(contract.FailedPrecondition, "nothing to whisper")
		}
		room.Broadcast(t, notify, notifyBody{in.Text}, room.Except(t.Session))
		return nil
	})
	room.Handle(def, leave, func(_ context.Context, t *labTurn, in leaveIn) (contract.None, error) {
		t.Close(t.Session, in.Code, in.Reason)
		return none, nil
	})
	room.HandleRead(def, whoami, func(_ context.Context, t *labTurn, _ contract.None) (whoamiOut, error) {
		return whoamiOut{t.Session.Data.Name, t.Session.Addr().String()}, nil
	})
	room.Handle(def, hold, func(ctx context.Context, _ *labTurn, _ contract.None) (contract.None, error) {
		select {
		case <-held:
			return none, nil
		case <-ctx.Done():
			return none, ctx.Err()
		}
	})
	return def
}
