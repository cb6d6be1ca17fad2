package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// chatRoom is a server in memory; a program has a URL instead.
func chatRoom() *server {
	return &server{script: func(s *session, f wire.Frame) {
		var in textIn
		if err := wire.Unmarshal(s.srv.format, f.Body, &in); err != nil {
			log.Fatal(err)
		}
		if in.Text == "" {
			s.fail(wire.ErrorFrame{ID: f.ID, RPC: f.RPC, Error: "say something", Code: "empty", HasCode: true, RetryAfter: 2000})
			return
		}
		s.push(line.Def(), lineRow{N: 1, Text: in.Text})
		s.respond(f, f.Body)
	}}
}

func Example() {
	// The contract is shared with the server:
	//	var echo = contract.NewCall[textIn, textOut](testContract, "echo")
	//	var line = contract.NewPush[lineRow](testContract, "line")
	ctx := context.Background()
	c := client.New("ws://chat.test/ws/chat/lobby?name=Ada", &client.Options{Dial: chatRoom().Dial})
	defer c.Close()

	lines := make(chan lineRow, 10)
	client.On(c, line, func(r lineRow) { lines <- r })
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	out, err := client.Call(ctx, c, echo, textIn{Text: "hello"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("answer:", out.Text)
	fmt.Println("push:", (<-lines).Text)
	// Output:
	// answer: hello
	// push: hello
}

// What a caller does with an error depends on its code.
func ExampleCall_errors() {
	ctx := context.Background()
	c := client.New("ws://chat.test/ws/chat/lobby", &client.Options{Dial: chatRoom().Dial})
	defer c.Close()

	try := func(text string) {
		_, err := client.Call(ctx, c, echo, textIn{Text: text})
		var e *contract.Error
		switch code := contract.CodeOf(err); {
		case err == nil:
			fmt.Println("done")
		case code.Retryable():
			fmt.Println("did not run, try again:", code)
		case code == contract.OutcomeUnknown:
			fmt.Println("may have run, look first")
		case errors.As(err, &e):
			fmt.Println(e.Code, "-", e.Message, "-", e.RetryAfter)
		}
	}
	try("too early")
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	try("")
	try("hello")
	// Output:
	// did not run, try again: unavailable
	// empty - say something - 2s
	// done
}

func ExampleClient_Changes() {
	c := client.New("ws://chat.test/ws/chat/lobby", &client.Options{Dial: chatRoom().Dial})
	changes, cancel := c.Changes()
	defer cancel()
	if err := c.Connect(context.Background()); err != nil {
		log.Fatal(err)
	}
	c.Close()
	for change := range changes { // ends with the client
		fmt.Println(change.From, "→", change.To)
	}
	// Output:
	// idle → connecting
	// connecting → open
	// open → closed
}

func ExampleWait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv := chatRoom()
	srv.opened = func(s *session) { // somebody writes lines all the time
		go func() {
			for n := 0; ; n++ {
				event := wire.AppendEvent(nil, wire.JSON, "line", fmt.Appendf(nil, `{"n":%d}`, n))
				if s.ws.WriteString(string(event)) != nil {
					return
				}
			}
		}()
	}
	c := client.New("ws://chat.test/ws/chat/lobby", &client.Options{Dial: srv.Dial})
	defer c.Close()
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	row, err := client.Wait(ctx, c, line, func(r lineRow) bool { return r.N%100 == 0 })
	fmt.Println(row.N%100, err)
	// Output:
	// 0 <nil>
}
