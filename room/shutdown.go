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

// Kill ends the server as the death of its process would: connections are cut, no turn runs any more, nothing is saved, and
// the lease is left to its end. It is for tests of what a crash costs. It does not wait for work of Go and HandleAsync.
// Shutdown does nothing afterwards.
func (s *Server) Kill() {
	s.shutdown.Do(func() {
		s.closed.Store(true)
		s.killed.Store(true)
		s.saver.kill()
		s.lease.abandon()
		s.waker.close()
		s.cut()
		s.stopSaving()
		dead, cancel := context.WithCancel(context.Background())
		cancel()
		s.gateway.Drain()
		_ = s.gateway.Close(dead)
		patient, enough := context.WithTimeout(context.Background(), grace)
		defer enough()
		_ = s.system.Close(patient)
		s.stopped = errors.New("room: the server was killed")
	})
}

func (s *Server) stop(ctx context.Context) error {
	s.gateway.Drain()
	s.waker.close()
	for _, e := range s.rooms.close() {
		s.system.Send(e.pid, &visit{run: (*room).shutDown, now: true})
	}
	// patient is ctx and then some.
	patient, enough := context.WithCancel(context.WithoutCancel(ctx))
	defer enough()
	impatient := context.AfterFunc(ctx, func() {
		s.cut()
		time.AfterFunc(grace/2, s.stopSaving)
		time.AfterFunc(grace, enough)
	})
	defer s.stopSaving()
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
	if n := s.unsaved.Load(); n > 0 {
		problems = append(problems, fmt.Errorf("room: shutdown: %d rooms could not be saved; they are as they were last saved", n))
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
	s.saver.drain(ctx)
	s.saver.kill()
	if err := s.lease.leave(patient); err != nil {
		problems = append(problems, fmt.Errorf("room: shutdown: giving back the lease: %w; it ends by itself", err))
	}
	if s.own != nil {
		_ = s.own.Close() // it is memory, and cannot fail
	}
	if !impatient() {
		problems = append(problems, fmt.Errorf("room: shutdown was cut short: %w", context.Cause(ctx)))
	}
	return errors.Join(problems...)
}

// shutDown ends a room whose server ends.
func (r *room) shutDown() {
	if r.asleep {
		if err := r.open(nil); err != nil { // its sockets close with the gateway; its sessions are in the snapshot
			r.server.unsaved.Add(1)
			r.asleep = false
			r.ref.asleep.Store(false)
			return
		}
	}
	r.end(&ending{why: goingAway(), shutdown: true})
}
