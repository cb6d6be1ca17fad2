package main

import (
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/room"
)

var register = sync.OnceFunc(func() { room.Handle(def, greet, onGreet) })

func TestHello(t *testing.T) {
	register()
	srv, err := room.NewServer(nil, def)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Shutdown(t.Context())

	ada, bob := client.New(web.URL+"/hello/world", nil), client.New(web.URL+"/hello/world", nil)
	heard := make(chan greeting, 1)
	client.On(bob, greeted, func(g greeting) { heard <- g })
	for _, c := range []*client.Client{ada, bob} {
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}

	// Once a call of his is answered, Bob is in the room for certain.
	if _, err := client.Call(t.Context(), bob, greet, greetIn{"Bob"}); err != nil {
		t.Fatal(err)
	}
	answer, err := client.Call(t.Context(), ada, greet, greetIn{"Ada"})
	if err != nil || answer.Text != "Hello, Ada! You are number 2." {
		t.Errorf("the answer is %q, %v", answer.Text, err)
	}
	if push := <-heard; push.Text != "Ada said hello." {
		t.Errorf("the other hears %q", push.Text)
	}
	if _, err := client.Call(t.Context(), ada, greet, greetIn{}); err == nil {
		t.Error("an empty name was greeted")
	}
}
