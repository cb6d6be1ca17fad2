// Command stored is the library under load, as command socka is, with rooms that keep something.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/persist"
	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/gosocka/socka/room"
)

func main() {
	address := flag.String("store", "", "the store: memory, sqlite:PATH or a URL of Postgres; default: the server's own memory")
	save := flag.String("save", "every", "when rooms are saved: every (second), onsleep or eachturn")
	sleep := flag.Duration("sleep", time.Hour, "when rooms without work sleep")
	flag.Parse()
	if err := run(*address, *save, *sleep); err != nil {
		log.Fatal(err)
	}
}

func run(address, save string, sleep time.Duration) error {
	kept, err := persist.Open(context.Background(), address)
	if err != nil {
		return err
	}
	srv, err := persist.NewServer(persist.Config{Store: kept, Policy: persist.Policy(save), SleepAfter: sleep})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws/", srv)
	mux.HandleFunc("/slept", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, srv.Slept()) })
	mux.HandleFunc("/rooms", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err == nil {
			err = makeRooms(r.Context(), srv, n)
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("rooms: %v", err), http.StatusInternalServerError)
		}
	})
	err = serve.Run(mux)
	if failed := srv.Failed(); err == nil {
		err = failed
	}
	srv.Kill() // what there is to save is of no use to anybody
	if kept != nil {
		if closed := kept.Close(); err == nil {
			err = closed
		}
	}
	return err
}

// makeRooms makes n rooms that nobody is in, several at a time: a database takes its time for each.
func makeRooms(ctx context.Context, srv *persist.Server, n int) error {
	const atOnce = 64
	failed := make(chan error, atOnce)
	for first := range atOnce {
		go func() {
			var err error
			for i := first; i < n && err == nil; i += atOnce {
				body := persist.Body{TS: int64(i), Tag: "mark"}
				_, err = room.Ask(ctx, srv.Room("bench", "idle-"+strconv.Itoa(i)), persist.Echo, body, room.Create())
			}
			failed <- err
		}()
	}
	var err error
	for range atOnce {
		err = errors.Join(err, <-failed)
	}
	return err
}
