package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/sqlite"
	"github.com/gosocka/socka/wire"
)

// The ledger is a kind of room that remembers every write, so that what was told to clients can be compared with what is
// kept. It is served by processes of their own, which tests kill.
var (
	ledger    = contract.New("ledger")
	writeIt   = contract.NewCall[entry, written](ledger, "write")
	readAll   = contract.NewCall[contract.None, page](ledger, "read")
	entered   = contract.NewPush[begin](ledger, "entered")
	wroteThis = contract.NewPush[entry](ledger, "wrote")
)

type (
	// entry is WRITER-NUMBER. No two calls have the same.
	entry struct {
		Text string `json:"text"`
	}
	written struct {
		At     int `json:"at"`     // which entry of the room it is, from 0
		Writes int `json:"writes"` // of this session
		Life   int `json:"life"`
	}
	// page is what a room knows.
	page struct {
		Entries string   `json:"entries"` // a line for each: WRITER-NUMBER@LIFE
		Came    int      `json:"came"`    // sessions, by OnAttach
		Left    int      `json:"left"`    // and by OnDetach
		Here    []member `json:"here"`    // by Turn.Sessions
	}
	member struct {
		Writer    string `json:"writer"`
		Resumable bool   `json:"resumable"`
		Away      bool   `json:"away"`
		Writes    int    `json:"writes"`
	}
	// begin is what a session gets first from the turn that lets it in: the next push is of this entry.
	begin struct {
		At int `json:"at"`
	}

	ledgerState struct {
		Entries    []string
		Came, Left int
	}
	ledgerUser struct {
		Writer    string
		Resumable bool
		Writes    int
	}
	ledgerTurn = room.Turn[ledgerState, ledgerUser]
)

// Kinds of ledgers.
const (
	kindEach  = "each"  // under EachTurn, and asleep whenever nothing happens for a moment
	kindEvery = "every" // under Every(saveInterval)

	saveInterval = time.Second
)

// newLedger makes a definition. life is noted with each entry.
func newLedger(kind string, save room.SavePolicy, life int) *room.Definition[ledgerState, ledgerUser] {
	def := &room.Definition[ledgerState, ledgerUser]{Contract: ledger, Kind: kind, Save: save}
	def.ResumeFor = time.Hour
	if save == room.EachTurn {
		def.SleepAfter = 30 * time.Millisecond
	} else {
		def.SnapshotFormat = wire.Msgpack
	}
	def.Authenticate = func(r *http.Request, _ room.ID) (ledgerUser, error) {
		q := r.URL.Query()
		return ledgerUser{Writer: q.Get("writer"), Resumable: q.Has("resumable")}, nil
	}
	def.OnAttach = func(_ context.Context, t *ledgerTurn) error {
		t.State.Came++
		room.Emit(t, t.Session, entered, begin{len(t.State.Entries)})
		return nil
	}
	def.OnResume = func(_ context.Context, t *ledgerTurn, _ ledgerUser) error {
		room.Emit(t, t.Session, entered, begin{len(t.State.Entries)})
		return nil
	}
	def.OnDetach = func(_ context.Context, t *ledgerTurn) error {
		t.State.Left++
		return nil
	}
	room.Handle(def, writeIt, func(_ context.Context, t *ledgerTurn, in entry) (written, error) {
		t.State.Entries = append(t.State.Entries, in.Text+"@"+strconv.Itoa(life))
		t.Session.Data.Writes++
		room.Broadcast(t, wroteThis, in)
		return written{len(t.State.Entries) - 1, t.Session.Data.Writes, life}, nil
	})
	room.HandleRead(def, readAll, func(_ context.Context, t *ledgerTurn, _ contract.None) (page, error) {
		p := page{Came: t.State.Came, Left: t.State.Left, Here: []member{}}
		for _, s := range t.Sessions() {
			p.Here = append(p.Here, member{s.Data.Writer, s.Data.Resumable, !s.Away().IsZero(), s.Data.Writes})
		}
		var b strings.Builder
		for _, e := range t.State.Entries {
			b.WriteString(e)
			b.WriteByte('\n')
		}
		p.Entries = b.String()
		return p, nil
	}, room.AllowServer)
	return def
}

// childConfig says what a process serves.
type childConfig struct {
	Store         string // the path of a SQLite file, or the URL of a Postgres database
	Relaxed       bool   // of sqlite.Options
	Owner         string // room.Options.Owner.Addr
	Life          int
	LeaseTTL      time.Duration
	CommitTimeout time.Duration
}

// open opens the store.
func (c *childConfig) open() (store.Store, error) {
	if strings.HasPrefix(c.Store, "postgres:") {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return postgres.Open(ctx, c.Store, &postgres.Options{Logger: slog.New(slog.DiscardHandler)}) // it warns of fsync=off
	}
	return sqlite.Open(c.Store, &sqlite.Options{Relaxed: c.Relaxed})
}

// childVariable has the childConfig of a process that is a server and no test.
const childVariable = "SOCKA_INTEGRATION_CHILD"

func TestMain(m *testing.M) {
	config := os.Getenv(childVariable)
	if config == "" {
		os.Exit(m.Run())
	}
	if err := beServer(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beServer serves ledgers until the process is killed, or nobody holds the other end of its standard input any more.
// It writes the address that it listens at to standard output.
func beServer(config string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var c childConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	st, err := c.open()
	if err != nil {
		return err
	}
	srv, err := room.NewServer(&room.Options{
		Store: st, Owner: store.Owner{Addr: c.Owner}, LeaseTTL: c.LeaseTTL, CommitTimeout: c.CommitTimeout,
		RoomsPerSecond: -1, AllRoomsPerSecond: -1,
		Conn:   conn.Options{CallsPerSecond: -1, MaxConnectionsPerAddr: -1},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Hooks:  room.Hooks{SaveFailed: func(room.SaveFailedEvent) {}}, // the server logs once that the store fails
	}, newLedger(kindEach, room.EachTurn, c.Life), newLedger(kindEvery, room.Every(saveInterval), c.Life))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws/", srv)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := srv.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /rooms/{kind}/{name}", func(w http.ResponseWriter, r *http.Request) {
		p, err := room.Ask(r.Context(), srv.Room(r.PathValue("kind"), r.PathValue("name")), readAll, contract.None{})
		var coded *contract.Error
		switch {
		case err == nil, contract.CodeOf(err) == contract.NotFound: // nobody was there, or nothing of it was saved
			_ = json.NewEncoder(w).Encode(p) // whoever asks sees that it is cut
		case errors.As(err, &coded):
			http.Error(w, err.Error(), coded.Code.HTTPStatus())
		default:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, mux)
}
