package storefault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gosocka/socka/store"
)

// call is one call of a method. Its functions put the result where the method has it.
type call struct {
	op    Op
	rooms []store.Key
	what  string // for the log

	run  func(context.Context) error                      // carries it out
	fail func(error)                                      // makes the error its result
	late func() func(context.Context) error               // of a write: what carries it out after it has returned
	torn func(context.Context, []bool, error, bool) error // of a Save: carries some out; the others, or if blind all, have an error

	batches []store.Batch // of a Save
}

// do is the way of every call.
func (s *Store) do(ctx context.Context, c *call) {
	s.mu.Lock()
	if s.crashed {
		s.mu.Unlock()
		c.fail(ErrCrashed)
		return
	}
	p := s.plan(c.op, c.rooms)
	s.underWay++
	s.mu.Unlock()

	how, err := s.carryOut(ctx, c, p)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed && !errors.Is(err, ErrCrashed) {
		// Whatever it was, nobody is there any more to be told.
		c.fail(ErrCrashed)
		how = fmt.Sprintf("%s, and crashed before it returned", how)
	}
	s.note("%s(%s) %s: %v", opNames[c.op], c.what, how, err)
	if s.underWay--; s.underWay == 0 {
		s.idle.Broadcast()
	}
}

// carryOut does with a call what is planned, and says what that was, and what the caller is told.
func (s *Store) carryOut(ctx context.Context, c *call, p plan) (how string, err error) {
	if err := s.wait(ctx, p.delay, p.gates); err != nil {
		return s.interrupted(ctx, c, err)
	}
	if p.end == nil {
		return "done", c.run(ctx)
	}
	err = p.end.error(c.op)
	switch kind := p.end.fault.Kind; kind {
	case FailAfter:
		result := c.run(ctx)
		c.fail(err)
		return fmt.Sprintf("done (%v), told otherwise", result), err
	case Hang:
		return s.interrupted(ctx, c, s.wait(ctx, 0, []<-chan struct{}{nil}))
	case Tear, TearBlind:
		done := s.choose(c.batches, p.end.fault.Apply, true)
		return fmt.Sprintf("torn %v", done), c.torn(ctx, done, err, kind == TearBlind)
	case Late:
		if c.late == nil {
			break
		}
		c.fail(err)
		return "late", s.postpone(ctx, c, p.end, err)
	}
	c.fail(err)
	return "not done", err
}

// interrupted is the end of a call while it waits for something.
func (s *Store) interrupted(ctx context.Context, c *call, err error) (string, error) {
	if errors.Is(err, ErrCrashed) {
		return s.perish(ctx, c), err
	}
	c.fail(err)
	return "not done", err
}

// postpone has a call carried out when its fault is released.
func (s *Store) postpone(ctx context.Context, c *call, i *Injection, err error) error {
	run := c.late()
	arrive := func() {
		result := run(context.WithoutCancel(ctx))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.note("%s(%s) has arrived: %v", opNames[c.op], c.what, result)
	}
	s.mu.Lock()
	released := i.released
	if !released {
		i.late = append(i.late, arrive)
	}
	s.mu.Unlock()
	if released {
		arrive()
	}
	return err
}

// wait waits for a time to pass and for channels to be closed, of which nil ones never are. It returns nil then, or why
// it was not to go on: the error of ctx, store.ErrClosed or ErrCrashed.
func (s *Store) wait(ctx context.Context, delay time.Duration, gates []<-chan struct{}) error {
	over := func(c <-chan struct{}, t <-chan time.Time) error {
		select {
		case <-c:
			return nil
		case <-t:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("storefault: given up while it waited: %w", ctx.Err())
		case <-s.dead:
			return ErrCrashed
		case <-s.closed:
			return store.ErrClosed
		}
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		if err := over(nil, timer.C); err != nil {
			return err
		}
	}
	for _, gate := range gates {
		if err := over(gate, nil); err != nil {
			return err
		}
	}
	return nil
}

// choose decides which batches are carried out. At random, some means that at least one is, and one is not.
func (s *Store) choose(batches []store.Batch, apply func(*store.Batch) bool, some bool) []bool {
	done := make([]bool, len(batches))
	if apply != nil {
		for i := range batches {
			done[i] = apply(&batches[i])
		}
		return done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i := range done {
		if done[i] = s.rnd.IntN(2) == 0; done[i] {
			n++
		}
	}
	if some && len(done) > 1 && (n == 0 || n == len(done)) {
		i := s.rnd.IntN(len(done))
		done[i] = !done[i]
	}
	return done
}
