package room_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

var ( // a contract, shared by the server and Go clients: a package of its own in a real program
	Chat    = contract.New("chat")
	Say     = contract.NewCall[Words, contract.None](Chat, "say")
	Message = contract.NewPush[Line](Chat, "message")
)

type (
	Words struct {
		Text string `json:"text" jsonschema:"minLength=1,maxLength=500"`
	}
	Line struct {
		From string `json:"from"`
		Text string `json:"text"`
	}
)

// A room's state and what it knows of one session.
type (
	ChatState  struct{ Lines []Line }
	ChatMember struct{ Name string }
)

func onSay(ctx context.Context, t *room.Turn[ChatState, ChatMember], in Words) (contract.None, error) {
	line := Line{From: t.Session.Data.Name, Text: in.Text}
	t.State.Lines = append(t.State.Lines, line) // one turn at a time: no locks
	room.Broadcast(t, Message, line)            // to all in the room, ahead of the answer
	return contract.None{}, nil
}

// A whole program: a contract, a room, a server, and a client that calls it and hears what it pushes.
func Example() {
	def := &room.Definition[ChatState, ChatMember]{Contract: Chat}
	def.Authenticate = func(r *http.Request, id room.ID) (ChatMember, error) {
		return ChatMember{Name: r.URL.Query().Get("name")}, nil
	}
	room.Handle(def, Say, onSay)
	srv, err := room.NewServer(nil, def) // an http.Handler, at {prefix}/{kind}/{room}
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(srv) // http.ListenAndServe("localhost:3450", srv) in a real program
	defer web.Close()
	defer srv.Shutdown(context.Background())

	ctx := context.Background()
	c := client.New(web.URL+"/chat/lobby?name=Ada", nil)
	defer c.Close()
	heard := make(chan Line, 1)
	client.On(c, Message, func(l Line) { heard <- l })
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = client.Call(ctx, c, Say, Words{Text: "hello"})
	if err != nil {
		log.Fatal(err)
	}
	line := <-heard
	fmt.Printf("%s: %s\n", line.From, line.Text)

	_, err = client.Call(ctx, c, Say, Words{Text: ""})
	fmt.Println(contract.CodeOf(err))
	// Output:
	// Ada: hello
	// invalid_input
}
