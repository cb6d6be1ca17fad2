// Command socka is the library under load: typed handlers, validated input and output, everything through the room.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

type body struct {
	TS   int64  `json:"ts" jsonschema:"minimum=0"`
	N    int    `json:"n" jsonschema:"minimum=0,maximum=1000"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag" jsonschema:"minLength=1,maxLength=16"`
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

var (
	bench   = contract.New("bench")
	echo    = contract.NewCall[body, body](bench, "echo")
	touch   = contract.NewCall[contract.None, contract.None](bench, "touch")
	publish = contract.NewOneWay[body](bench, "publish")
	message = contract.NewPush[body](bench, "message")
)

// state is small, and differs from what a new room has as soon as touch was called: so the room stays.
type state struct{ Touched int }

type turn = room.Turn[state, struct{}]

func definition() *room.Definition[state, struct{}] {
	def := &room.Definition[state, struct{}]{Contract: bench, MaxSessions: -1}
	room.Handle(def, echo, func(_ context.Context, _ *turn, in body) (body, error) { return in, nil })
	room.Handle(def, touch, func(_ context.Context, t *turn, _ contract.None) (contract.None, error) {
		t.State.Touched++
		return contract.None{}, nil
	}, room.AllowServer)
	room.HandleOneWay(def, publish, func(_ context.Context, t *turn, in body) error {
		room.Broadcast(t, message, in)
		return nil
	})
	return def
}

func main() {
	srv, err := room.NewServer(&room.Options{
		Conn: conn.Options{
			CallsPerSecond: -1, MaxInFlight: -1, MaxConnectionsPerAddr: -1,
			OutboxBytes: 64 << 20, // as much as centrifuge is given: what is offered beyond a server's speed shall queue
		},
		RoomsPerSecond: -1, AllRoomsPerSecond: -1,
		Logger: slog.New(slog.DiscardHandler),
	}, definition())
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws/", srv)
	mux.HandleFunc("/rooms", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		for i := 0; i < n && err == nil; i++ {
			_, err = room.Ask(r.Context(), srv.Room("bench", "idle-"+strconv.Itoa(i)), touch, contract.None{}, room.Create())
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("rooms: %v", err), http.StatusInternalServerError)
		}
	})
	if err := serve.Run(mux); err != nil {
		log.Fatal(err)
	}
}
