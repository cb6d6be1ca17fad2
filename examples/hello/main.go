// Command hello is a whole Socka program: a contract, a room and a server, at ws://localhost:3450/hello/{room}.
package main

import (
	"context"
	"fmt"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"log"
	"net/http"
)

type greetIn struct {
	Name string `json:"name" jsonschema:"minLength=1,maxLength=40"`
}
type greeting struct {
	Text string `json:"text"`
}

var (
	hello   = contract.New("hello")
	greet   = contract.NewCall[greetIn, greeting](hello, "greet")
	greeted = contract.NewPush[greeting](hello, "greeted")
	def     = &room.Definition[int, struct{}]{Contract: hello} // a room's state is a count; its sessions have no data
)

func onGreet(ctx context.Context, t *room.Turn[int, struct{}], in greetIn) (greeting, error) {
	*t.State++ // one turn at a time: no locks
	room.Broadcast(t, greeted, greeting{in.Name + " said hello."}, room.Except(t.Session))
	return greeting{fmt.Sprintf("Hello, %s! You are number %d.", in.Name, *t.State)}, nil
}

func main() {
	room.Handle(def, greet, onGreet)
	srv, err := room.NewServer(nil, def)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:3450", srv))
}
