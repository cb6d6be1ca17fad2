package room_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/sqlite"
)

var (
	Guestbook = contract.New("guestbook")
	Sign      = contract.NewCall[Words, Pages](Guestbook, "sign")
)

type (
	Pages  struct{ Lines []string }
	Guests struct{ Lines []string }
)

func onSign(ctx context.Context, t *room.Turn[Guests, struct{}], in Words) (Pages, error) {
	t.State.Lines = append(t.State.Lines, in.Text)
	return Pages(*t.State), nil // answered when it is on the disk, under EachTurn
}

// runGuestbook is a program with a store, from its start to its end.
func runGuestbook(path, text string) {
	st, err := sqlite.Open(path, nil) // a file; postgres.Open for servers on several machines
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close() // the server does not close it

	def := &room.Definition[Guests, struct{}]{
		Contract:  Guestbook,
		Save:      room.EachTurn,   // what a client was told is never lost; default: room.Every(time.Second)
		ResumeFor: 5 * time.Minute, // so long a session with a resume key outlives its connection; default 1 minute
	}
	room.Handle(def, Sign, onSign, room.AllowServer)
	srv, err := room.NewServer(&room.Options{Store: st}, def)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Shutdown(context.Background()) // saves what is not saved yet

	out, err := room.Ask(context.Background(), srv.Room("guestbook", "lobby"), Sign, Words{text}, room.Create())
	fmt.Println(out.Lines, err)
}

// A room outlives the process: the second run finds what the first has kept.
func Example_store() {
	dir, err := os.MkdirTemp("", "guestbook")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rooms.db")

	runGuestbook(path, "Ada was here")
	runGuestbook(path, "so was Bob")
	// Output:
	// [Ada was here] <nil>
	// [Ada was here so was Bob] <nil>
}

// An auction ends at its time, whether somebody is connected then or not, and whether its server was started anew meanwhile.
var (
	Auction = contract.New("auction")
	Open    = contract.NewCall[Lot, contract.None](Auction, "open")
	Bid     = contract.NewCall[Offer, contract.None](Auction, "bid")
	Sold    = contract.NewPush[Offer](Auction, "sold")
)

type (
	Lot struct {
		Milliseconds int64 `json:"milliseconds" jsonschema:"minimum=1"`
	}
	Offer struct {
		Amount int `json:"amount" jsonschema:"minimum=1"`
	}
	AuctionState struct{ Best Offer }
	AuctionTurn  = room.Turn[AuctionState, struct{}]
)

func onOpen(ctx context.Context, t *AuctionTurn, in Lot) (contract.None, error) {
	ends := time.Now().Add(time.Duration(in.Milliseconds) * time.Millisecond)
	return contract.None{}, t.SetAlarm("hammer", ends) // answered when the alarm is durable, under every policy
}

func onBid(ctx context.Context, t *AuctionTurn, in Offer) (contract.None, error) {
	if in.Amount <= t.State.Best.Amount {
		return contract.None{}, contract.Errorf(contract.Conflict, "%d is bid already", t.State.Best.Amount)
	}
	t.State.Best = in
	return contract.None{}, nil
}

func onHammer(ctx context.Context, t *AuctionTurn, alarm room.Alarm) error {
	room.Broadcast(t, Sold, t.State.Best)
	return nil // an error would have it tried again
}

// A room sets an alarm. It fires at its time, with nobody connected or after a restart too; here somebody waits for it.
func ExampleTurn_SetAlarm() {
	def := &room.Definition[AuctionState, struct{}]{Contract: Auction, OnAlarm: onHammer, Save: room.EachTurn}
	room.Handle(def, Open, onOpen)
	room.Handle(def, Bid, onBid)
	srv, err := room.NewServer(nil, def) // with a store, rooms and alarms outlive the process: see Options.Store
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Shutdown(context.Background())

	ctx := context.Background()
	c := client.New(web.URL+"/auction/vase", nil)
	defer c.Close()
	sold := make(chan Offer, 1)
	client.On(c, Sold, func(o Offer) { sold <- o })
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Call(ctx, c, Bid, Offer{Amount: 30}); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Call(ctx, c, Open, Lot{Milliseconds: 5}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("sold for", (<-sold).Amount)
	// Output:
	// sold for 30
}

// A board of tasks, as three versions of a program have kept it. The types of before stay, for what is still in the store.
type (
	boardV1 struct{ Tasks []string }

	taskV2 struct {
		Text string
		Done bool
	}
	boardV2 struct{ Tasks []taskV2 }

	task struct {
		ID   int
		Text string
		Done bool
	}
	board struct { // version 3, the present one
		Tasks []task
		Last  int // ID that was given
	}
)

// boardMigrations lead to the present version, one step at a time.
var boardMigrations = map[int]room.Migration{
	1: {State: room.NewStep(func(ctx context.Context, old boardV1) (boardV2, error) {
		var b boardV2
		for _, text := range old.Tasks {
			b.Tasks = append(b.Tasks, taskV2{Text: text})
		}
		return b, nil
	})},
	2: {State: room.NewStep(func(ctx context.Context, old boardV2) (board, error) {
		var b board
		for _, t := range old.Tasks {
			b.Last++
			b.Tasks = append(b.Tasks, task{ID: b.Last, Text: t.Text, Done: t.Done})
		}
		return b, nil
	})},
}

var (
	Board  = contract.New("board")
	AddOne = contract.NewCall[Words, contract.None](Board, "add")
	List   = contract.NewCall[contract.None, Listing](Board, "list")
)

type Listing struct {
	Tasks []string `json:"tasks"`
}

// ask runs a server on a store for as long as f takes: a release of the program, so to speak.
func ask(st store.Store, def room.AnyDefinition, f func(ctx context.Context, board *room.Ref) error) {
	srv, err := room.NewServer(&room.Options{Store: st}, def)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := f(ctx, srv.Room("board", "home")); err != nil {
		log.Fatal(err)
	}
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

// What the first version of a program has kept is read by the third.
func ExampleNewStep() {
	st := store.NewMemory() // sqlite.Open or postgres.Open in a real program
	defer st.Close()

	v1 := &room.Definition[boardV1, struct{}]{Contract: Board}
	room.Handle(v1, AddOne, func(ctx context.Context, t *room.Turn[boardV1, struct{}], in Words) (contract.None, error) {
		t.State.Tasks = append(t.State.Tasks, in.Text)
		return contract.None{}, nil
	}, room.AllowServer)
	room.HandleRead(v1, List, func(ctx context.Context, t *room.Turn[boardV1, struct{}], in contract.None) (Listing, error) {
		return Listing{t.State.Tasks}, nil
	}, room.AllowServer)
	ask(st, v1, func(ctx context.Context, home *room.Ref) error {
		_, err := room.Ask(ctx, home, AddOne, Words{"water the plants"}, room.Create())
		return err
	})

	v3 := &room.Definition[board, struct{}]{Contract: Board, Version: 3, Migrate: boardMigrations}
	room.Handle(v3, AddOne, func(ctx context.Context, t *room.Turn[board, struct{}], in Words) (contract.None, error) {
		t.State.Last++
		t.State.Tasks = append(t.State.Tasks, task{ID: t.State.Last, Text: in.Text})
		return contract.None{}, nil
	}, room.AllowServer)
	room.HandleRead(v3, List, func(ctx context.Context, t *room.Turn[board, struct{}], in contract.None) (Listing, error) {
		var out Listing
		for _, one := range t.State.Tasks {
			out.Tasks = append(out.Tasks, fmt.Sprintf("%d. %s", one.ID, one.Text))
		}
		return out, nil
	}, room.AllowServer)
	ask(st, v3, func(ctx context.Context, home *room.Ref) error {
		_, err := room.Ask(ctx, home, AddOne, Words{"feed the cat"})
		if err != nil {
			return err
		}
		out, err := room.Ask(ctx, home, List, contract.None{})
		for _, line := range out.Tasks {
			fmt.Println(line)
		}
		return err
	})
	// Output:
	// 1. water the plants
	// 2. feed the cat
}
