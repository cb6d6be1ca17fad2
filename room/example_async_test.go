package room_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

// Slow work of a call runs outside the room: others go on, the caller's next calls wait for the answer.
func ExampleHandleAsync() {
	type Query struct {
		City string `json:"city"`
	}
	type Report struct {
		Degrees float64 `json:"degrees"`
		Asked   int     `json:"asked"`
	}
	type turn = room.Turn[int, struct{}]
	weather := contract.New("weather")
	ask := contract.NewCall[Query, Report](weather, "ask")
	def := &room.Definition[int, struct{}]{Contract: weather}

	room.HandleAsync(def, ask,
		func(ctx context.Context, t *turn, in Query) (func(context.Context) (float64, error), error) {
			return func(ctx context.Context) (float64, error) { return measure(ctx, in.City) }, nil
		},
		func(ctx context.Context, t *turn, degrees float64, err error) (Report, error) {
			if err != nil {
				return Report{}, contract.Errorf(contract.Unavailable, "the weather service does not answer")
			}
			*t.State++
			return Report{Degrees: degrees, Asked: *t.State}, nil
		}, room.AllowServer)

	srv, err := room.NewServer(nil, def)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Shutdown(context.Background())
	report, err := room.Ask(context.Background(), srv.Room("weather", "berlin"), ask, Query{City: "Berlin"}, room.Create())
	fmt.Printf("%+v %v\n", report, err)
	// Output: {Degrees:21.5 Asked:1} <nil>
}

// measure stands for a request to another service.
func measure(ctx context.Context, city string) (float64, error) { return 21.5, ctx.Err() }

// A call that other rooms and plain Go code may make is registered with AllowServer; t.Session is nil then.
func ExampleAsk() {
	type Points struct {
		Player string `json:"player"`
		N      int    `json:"n"`
	}
	type Total struct {
		N int `json:"n"`
	}
	scores := contract.New("scores")
	add := contract.NewCall[Points, Total](scores, "add")
	def := &room.Definition[map[string]int, struct{}]{
		Contract: scores,
		New:      func(context.Context, room.ID) (map[string]int, error) { return map[string]int{}, nil },
	}
	room.Handle(def, add, func(ctx context.Context, t *room.Turn[map[string]int, struct{}], in Points) (Total, error) {
		(*t.State)[in.Player] += in.N
		return Total{(*t.State)[in.Player]}, nil
	}, room.AllowServer)

	srv, err := room.NewServer(nil, def)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Shutdown(context.Background())
	ctx, board := context.Background(), srv.Room("scores", "today")
	_, err = room.Ask(ctx, board, add, Points{"Ada", 3})
	fmt.Println(contract.CodeOf(err)) // the room does not run, and nobody said that it may be created
	// A key makes a repeat run once.
	room.Ask(ctx, board, add, Points{"Ada", 3}, room.Create(), room.Key("match-17"))
	total, err := room.Ask(ctx, board, add, Points{"Ada", 3}, room.Key("match-17"))
	fmt.Println(total.N, err)
	// Output:
	// not_found
	// 3 <nil>
}
