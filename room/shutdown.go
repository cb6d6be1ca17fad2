package room

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is what turns and work get to return in once their ctx has ended.
const grace = time.Second

// Shutdown stops the server: no more upgrades; every room finishes its turn and what is queued before it, runs OnDetach
// for its sessions and closes their connections with 1001; then it waits until nothing runs any more. When ctx ends
// first, connections are cut, and the ctx of turns and of work ends; what does not return within a second of that is
// left behind. Shutdown then returns ctx's error, and names what it has left behind. Later calls wait for the first and
// return what it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closed.Store(true)
	s.shutdown.Do(func() { s.stopped = s.stop(ctx) })
	return s.stopped
}

func (s *Server) stop(ctx context.Context) error {
	s.gateway.Drain()
	for _, e := range s.rooms.close() {
		s.system.Send(e.pid, &visit{run: func(r *room) { r.end(goingAway()) }})
	}
	// patient is ctx and then some.
	patient, enough := context.WithCancel(context.WithoutCancel(ctx))
	defer enough()
	impatient := context.AfterFunc(ctx, func() {
		s.cut()
		time.AfterFunc(grace, enough)
	})
	ends := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		case <-patient.Done():
			return false
		}
	}

	var problems []error
	if !ends(s.rooms.empty) {
		problems = append(problems, fmt.Errorf("room: shutdown: %d rooms are in a turn that ignores the end of its ctx", s.rooms.count()))
	}
	s.cut()
	_ = s.gateway.Close(ctx) // its error is ctx's
	idle := make(chan struct{})
	go func() { s.working.Wait(); close(idle) }()
	if !ends(idle) {
		if n := s.workers.Load(); n > 0 {
			problems = append(problems, fmt.Errorf("room: shutdown: %d works of room.Go or HandleAsync ignore the end of their ctx", n))
		}
	}
	if err := s.system.Close(patient); err != nil && problems == nil {
		problems = append(problems, err)
	}
	if !impatient() {
		problems = append(problems, fmt.Errorf("room: shutdown was cut short: %w", context.Cause(ctx)))
	}
	return errors.Join(problems...)
}
