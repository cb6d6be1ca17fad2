package room

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Ref refers to a room by name, whether it runs or not. It stays valid, and may be used from any goroutine.
type Ref struct {
	server *Server
	id     ID
}

// Room refers to a room. It starts nothing; an unknown kind or a bad name shows when the Ref is used.
func (s *Server) Room(kind, name string) *Ref { return &Ref{s, ID{kind, name}} }

// Room refers to another room of the same server, for [Ask] and [Push].
func (t *Turn[State, Data]) Room(kind, name string) *Ref {
	return t.live().room.server.Room(kind, name)
}

// ID names the room.
func (to *Ref) ID() ID { return to.id }

// Info describes a running room.
type Info struct {
	ID       ID
	Sessions int       // in the room at this moment
	Started  time.Time // when it last began to run
	Asleep   bool      // it has sockets open, and its state is not in memory
}

// SessionInfo describes a session.
type SessionInfo struct {
	ID         string      // the public id, as Session.ID gives it
	Addr       netip.Addr  // the client's, invalid for transports without IP addresses
	Wire       wire.Format // what its connection speaks
	AttachedAt time.Time   // when it entered the room
	Away       time.Time   // since when it has had no connection; zero: it has one
}

// Rooms lists running rooms of a kind by name, at most limit (1 to 1,000; 0 means 100) of those whose names come after
// the one given ("" for the first page). next is what to give as after for the next page, "" if this is the last.
func (s *Server) Rooms(kind, after string, limit int) (page []Info, next string) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	list := s.rooms.page(kind, after, limit+1)
	for i, e := range list {
		if i == limit {
			return page, page[limit-1].ID.Name
		}
		page = append(page, Info{ID: e.id, Sessions: int(e.sessions.Load()), Started: e.started, Asleep: e.asleep.Load()})
	}
	return page, ""
}

// Push sends a push to all sessions of a running room from outside any turn, behind what the room has sent so far. It
// returns when the push is on its way: nil does not mean that anybody got it. An error is not_found if the room does
// not run, or invalid_output.
func Push[T any](ctx context.Context, to *Ref, push *contract.Push[T], v T) error {
	def := push.Def()
	k := to.server.kinds[to.id.Kind]
	if k == nil || k.contract != def.Contract() {
		return contract.Errorf(contract.NotFound, "there is no kind of room %q with push %s", to.id.Kind, def.Name())
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Encoded here for both formats: v is the caller's as soon as Push returns.
	both := []*session{{format: wire.JSON}, {format: wire.Msgpack}}
	msg, err := encodePush(def, &v, both)
	if err != nil {
		return err
	}
	e, err := to.server.acquire(to.id, false)
	if err != nil {
		return err
	}
	to.server.system.Send(e.pid, &visit{run: func(r *room) {
		if r.awake() != nil || len(r.members) == 0 {
			return
		}
		t := &turn{room: r, name: "Push"}
		t.run(func(t *turn) error {
			t.out = append(t.out, release{push: msg, name: def.Name(), to: r.members})
			return nil
		}, nil)
	}})
	return nil
}

// Sessions lists the sessions in a running room, in order of joining. It waits for the room's turn to come; to a
// handler that the room waits for, its own too, it fails with ask_cycle. Within the room there is t.Sessions.
func (to *Ref) Sessions(ctx context.Context) ([]SessionInfo, error) {
	var list []SessionInfo
	err := to.visit(ctx, func(r *room) error {
		for _, s := range r.members {
			list = append(list, SessionInfo{ID: s.id, Addr: s.addr, Wire: s.format, AttachedAt: s.attachedAt, Away: s.away})
		}
		return nil
	})
	return list, err
}

// Kick removes a session from a running room: OnDetach runs and its connection closes with the code (0 means
// conn.CloseKicked) and the reason. not_found if it is not there.
func (to *Ref) Kick(ctx context.Context, session string, code uint16, reason string) error {
	if code == 0 {
		code = conn.CloseKicked
	}
	return to.visit(ctx, func(r *room) error {
		s := r.byID(session)
		if s == nil || s.gone {
			return contract.Errorf(contract.NotFound, "session %s is not in room %s", session, r.id)
		}
		t := &turn{room: r, name: "Kick", session: s}
		t.run(func(t *turn) error {
			t.leaving = append(t.leaving, departure{s, &actors.Close{Code: code, Reason: reason}})
			return nil
		}, nil)
		return nil
	})
}

// Close ends a running room as [Turn.CloseRoom] does. Closing one that does not run does nothing.
func (to *Ref) Close(ctx context.Context, code uint16, reason string) error {
	if code == 0 {
		code = conn.CloseRoomClosed
	}
	err := to.visit(ctx, func(r *room) error {
		r.end(&ending{why: &actors.Close{Code: code, Reason: reason}})
		return nil
	})
	if contract.CodeOf(err) == contract.NotFound {
		return nil
	}
	return err
}

// visit runs f within a running room, awake, and waits for it.
func (to *Ref) visit(ctx context.Context, f func(r *room) error) error {
	return to.wait(ctx, func(r *room) error {
		if err := r.awake(); err != nil {
			return err
		}
		return f(r)
	})
}

// wait runs f within a room that has an actor, and waits for it.
func (to *Ref) wait(ctx context.Context, f func(r *room) error) error {
	chain, _ := ctx.Value(chainKey).([]string)
	wait, err := to.server.waits.begin(chain, to.id.String())
	if err != nil {
		return err
	}
	defer to.server.waits.end(wait)
	e, err := to.server.acquire(to.id, false)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	failed := contract.Errorf(contract.OutcomeUnknown, "room %s failed", to.id)
	to.server.system.Send(e.pid, &visit{run: func(r *room) {
		err := error(failed)
		defer func() { done <- err }()
		err = f(r)
	}, lost: func() { done <- failed }})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("room: waiting for %s: %w", to.id, context.Cause(ctx))
	}
}

// awake wakes a room that sleeps.
func (r *room) awake() error {
	if r.asleep {
		return r.open(nil)
	}
	return nil
}

func (r *room) byID(session string) *session {
	for _, s := range r.members {
		if s.id == session {
			return s
		}
	}
	return nil
}

// Sleep puts a running room to sleep at once, as it does by itself after SleepAfter. It fails with failed_precondition if
// the room has work to do, and with the store's error if it cannot be saved. Of a room that sleeps or does not run it does
// nothing.
func (to *Ref) Sleep(ctx context.Context) error {
	err := to.wait(ctx, func(r *room) error {
		switch {
		case !r.active:
			return nil
		case r.working():
			return contract.Errorf(contract.FailedPrecondition, "room %s has work to do", r.id)
		}
		return r.sleep()
	})
	if contract.CodeOf(err) == contract.NotFound {
		return nil
	}
	return err
}

// ErrServerClosed is what Ready says of a server that is shutting down, or was shut down.
var ErrServerClosed = errors.New("room: the server is shutting down")

// Ready says whether the server takes new connections and its rooms can save: nil, or why not. It is what a load
// balancer's check should ask.
func (s *Server) Ready() error {
	if s.closed.Load() {
		return ErrServerClosed
	}
	if err := s.lease.trouble(); err != nil {
		return err
	}
	return s.saver.trouble()
}
