package persist

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

// Body is the body of an echo, the same as in the other benchmarks: 64 bytes as JSON with an empty Text and a Tag of four.
type Body struct {
	TS   int64  `json:"ts" jsonschema:"minimum=0"`
	N    int    `json:"n" jsonschema:"minimum=0,maximum=1000"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag" jsonschema:"minLength=1,maxLength=16"`
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

// Line is what an append brings.
type Line struct {
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

var (
	bench = contract.New("bench")
	// Echo changes a room of StateBytes, and gives back what it was given.
	Echo = contract.NewCall[Body, Body](bench, "echo")

	history = contract.New("log")
	// Append adds a line of text to a room with LargeBytes of them; under Bounded it drops the oldest.
	Append = contract.NewCall[Line, contract.None](history, "append")
)

// Sizes of what rooms keep, as JSON, about.
const (
	StateBytes = 300
	LargeBytes = 1 << 20
	LineBytes  = 100
)

// small is the state of a room that is echoed to. Each turn changes it.
type small struct {
	Turns int    `json:"turns"`
	Last  Body   `json:"last"`
	Notes string `json:"notes"`
}

// large is the state of a room that is appended to.
type large struct {
	Lines []string `json:"lines"`
}

// Policy names a save policy: "every" (a second), "onsleep" or "eachturn".
type Policy string

func (p Policy) of() (room.SavePolicy, error) {
	switch p {
	case "every", "":
		return room.Every(time.Second), nil
	case "onsleep":
		return room.OnSleep, nil
	case "eachturn":
		return room.EachTurn, nil
	}
	return 0, fmt.Errorf("%q is no save policy; they are every, onsleep and eachturn", p)
}

// Config says how a server keeps its rooms.
type Config struct {
	Store      store.Store // nil: the server's own memory
	Policy     Policy
	SleepAfter time.Duration // zero: longer than any measurement
	Msgpack    bool          // how states are kept
	Bounded    bool          // the large room drops the oldest line for each new one
}

// Server is a server with rooms of both sizes, and counts those that sleep.
type Server struct {
	*room.Server
	slept  atomic.Int64
	failed atomic.Pointer[error]
}

// Slept is how often rooms have fallen asleep.
func (s *Server) Slept() int64 { return s.slept.Load() }

// Failed is the first error of a save, nil if there was none.
func (s *Server) Failed() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// NewServer makes a server without limits of rate.
func NewServer(c Config) (*Server, error) {
	policy, err := c.Policy.of()
	if err != nil {
		return nil, err
	}
	sleep := c.SleepAfter
	if sleep == 0 {
		sleep = time.Hour
	}
	format := wire.JSON
	if c.Msgpack {
		format = wire.Msgpack
	}
	one := &room.Definition[small, struct{}]{
		Contract: bench, MaxSessions: -1, Save: policy, SleepAfter: sleep, SnapshotFormat: format,
		New: func(context.Context, room.ID) (small, error) {
			return small{Notes: strings.Repeat("n", StateBytes-102)}, nil
		},
	}
	room.Handle(one, Echo, func(_ context.Context, t *room.Turn[small, struct{}], in Body) (Body, error) {
		t.State.Turns++
		t.State.Last = in
		return in, nil
	}, room.AllowServer)
	big := &room.Definition[large, struct{}]{
		Contract: history, MaxSessions: -1, Save: policy, SleepAfter: sleep, SnapshotFormat: format,
		New: func(context.Context, room.ID) (large, error) { return newLarge(), nil },
	}
	room.Handle(big, Append, func(_ context.Context, t *room.Turn[large, struct{}], in Line) (contract.None, error) {
		if c.Bounded {
			t.State.Lines = append(t.State.Lines[:0], t.State.Lines[1:]...)
		}
		t.State.Lines = append(t.State.Lines, in.Text)
		return contract.None{}, nil
	}, room.AllowServer)
	s := new(Server)
	s.Server, err = room.NewServer(&room.Options{
		Store: c.Store,
		Conn: conn.Options{
			CallsPerSecond: -1, MaxInFlight: -1, MaxConnectionsPerAddr: -1,
			OutboxBytes: 64 << 20,
		},
		RoomsPerSecond: -1, AllRoomsPerSecond: -1,
		MaxStateBytes: -1, // what saves nothing appends much in a second
		Logger:        slog.New(slog.DiscardHandler),
		Hooks: room.Hooks{
			Sleep: func(room.RoomEvent) { s.slept.Add(1) },
			SaveFailed: func(e room.SaveFailedEvent) {
				err := fmt.Errorf("room %s: %w", e.ID, e.Err)
				s.failed.CompareAndSwap(nil, &err)
			},
		},
	}, one, big)
	return s, err
}

// newLarge makes lines that take LargeBytes as JSON, each LineBytes.
func newLarge() large {
	lines := make([]string, LargeBytes/LineBytes)
	for i := range lines {
		lines[i] = LineOf(i)
	}
	return large{lines}
}

// LineOf is the i-th line: text that takes LineBytes as JSON, with its comma.
func LineOf(i int) string {
	head := strconv.Itoa(i) + " "
	return head + strings.Repeat("x", LineBytes-len(`"",`)-len(head))
}
