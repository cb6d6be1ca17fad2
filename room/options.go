package room

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

// Options configure a [Server]. Nil, and every zero field, means the stated default.
type Options struct {
	// Wire is the encoding of connections that do not ask for one with wire=json or wire=msgpack in the URL. Default
	// JSON.
	Wire wire.Format

	// Store is where rooms are kept: sqlite.Open, postgres.Open, or another that passes package storetest. The server does
	// not close it. Several servers may share one; each room runs on one of them at a time. Default: this process's memory,
	// which rooms outlive only by sleeping.
	Store store.Store

	// Owner says what other servers on the same store, and the errors of clients that come to the wrong one, are told of this
	// one: Addr, by default the host's name and the process's number, and Props.
	Owner store.Owner

	// LeaseTTL is how long after this server was last heard of another one may take its rooms. It is renewed at a third of
	// that. Default 3 seconds; at least store.MinTTL.
	LeaseTTL time.Duration

	// CommitTimeout is how long a call waits for its save before it is answered with outcome_unknown. Default 5 seconds.
	CommitTimeout time.Duration

	// MaxHeldBytes bounds what a room holds back until it is saved, about; beyond it no turn starts, and calls are answered
	// with unavailable. Default 4 MiB.
	MaxHeldBytes int

	// MaxStateBytes bounds the state of a room as it is encoded. Under EachTurn a turn that exceeds it fails with
	// resource_exhausted and is undone; under the other policies the room is not saved until its state is smaller, and
	// that is reported. Default 16 MiB; negative: no limit.
	MaxStateBytes int

	// MaxAlarms bounds the alarms of a room. Default 1,000; negative: no limit.
	MaxAlarms int

	// Conn sets the limits of connections, the allowed origins and the trusted proxies. Its Logger and Hooks are set by
	// the server.
	Conn conn.Options

	// MaxRooms bounds the rooms that run at a time; a further one is refused with 503. Default 100,000; negative: no
	// limit.
	MaxRooms int

	// RoomsPerSecond and RoomBurst limit how fast one client address (an IPv6 /64) may cause rooms to be started;
	// beyond it requests are refused with 429. Default 10 per second after a burst of 200; a negative rate: no limit.
	RoomsPerSecond float64
	RoomBurst      int

	// AllRoomsPerSecond and AllRoomBurst limit the same for all addresses together. Default 1,000 per second after
	// 10,000; a negative rate: no limit.
	AllRoomsPerSecond float64
	AllRoomBurst      int

	// ExposeErrors answers errors without a code with their own text instead of "internal error". For development.
	ExposeErrors bool

	// CheckTurns makes every turn prove itself: state and session data are passed through the snapshot codec after it,
	// so that nothing that a snapshot would lose can be relied on, and a read-only turn that changes either fails.
	// For tests; it costs an encoding of the state per turn.
	CheckTurns bool

	// Logger takes what no hook takes. Default slog.Default().
	Logger *slog.Logger

	// Hooks observe what happens.
	Hooks Hooks
}

// check says which of the numbers makes no sense.
func (o *Options) check() error {
	switch {
	case o.RoomBurst < 0:
		return fmt.Errorf("room: Options.RoomBurst is %d; for no limit set RoomsPerSecond to -1", o.RoomBurst)
	case o.AllRoomBurst < 0:
		return fmt.Errorf("room: Options.AllRoomBurst is %d; for no limit set AllRoomsPerSecond to -1", o.AllRoomBurst)
	case o.LeaseTTL < store.MinTTL:
		return fmt.Errorf("room: Options.LeaseTTL is %v; the shortest is %v", o.LeaseTTL, store.MinTTL)
	case o.CommitTimeout <= 0:
		return fmt.Errorf("room: Options.CommitTimeout is %v; it is positive", o.CommitTimeout)
	case o.MaxHeldBytes < 0:
		return fmt.Errorf("room: Options.MaxHeldBytes is %d; it is positive", o.MaxHeldBytes)
	case math.IsNaN(o.RoomsPerSecond), math.IsNaN(o.AllRoomsPerSecond):
		return errors.New("room: Options.RoomsPerSecond or AllRoomsPerSecond is not a number")
	}
	return nil
}

func orRate(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}
