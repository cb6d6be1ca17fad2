package room_test

import (
	"log/slog"
	"net/http"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

func userFromQuery(r *http.Request, id room.ID) (labUser, error) {
	name := r.URL.Query().Get("name")
	if name == "Mallory" {
		return labUser{}, contract.Errorf(contract.PermissionDenied, "not you")
	}
	return labUser{Name: name}, nil
}

// quiet lets panics of handlers not fill the test's output.
func quiet() *room.Options {
	return &room.Options{Logger: slog.New(slog.DiscardHandler)}
}

// lastChange takes what a feed holds and gives the last that has a close code, or the last.
func lastChange(feed <-chan client.StatusChange) (last client.StatusChange) {
	for {
		select {
		case c, open := <-feed:
			if !open {
				return last
			}
			if c.Code != 0 || last.Code == 0 {
				last = c
			}
		default:
			return last
		}
	}
}

// callRoom is client.Call within the test's bubble, for calls whose error the test looks at itself.
func callRoom[In, Out any](c *roomtest.Client, call *contract.Call[In, Out], in In) (Out, error) {
	return client.Call(c.T.Context(), c.Client, call, in)
}
