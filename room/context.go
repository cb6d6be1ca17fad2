package room

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gosocka/socka/actors"
)

// errTurnOver is the cause of a turn's context once the turn has ended.
var errTurnOver = errors.New("room: the turn is over")

// turnContext is the ctx of a turn: it ends with the turn's deadline, with the turn, or when the room must stop. It
// costs no timer until somebody asks for its Done channel, which few handlers do.
type turnContext struct {
	life     *life     // of the activation
	deadline time.Time // zero: none
	chain    []string  // rooms whose turns wait for this one, this one last

	mu     sync.Mutex
	over   bool
	inner  context.Context
	cancel context.CancelCauseFunc
}

// newTurnContext makes the context of what begins now, for an asker or for nobody.
func (r *room) newTurnContext(now time.Time, ask *actors.Ask) *turnContext {
	c := &turnContext{life: r.life, chain: r.chain(ask)}
	if r.kind.turnTimeout > 0 {
		c.deadline = now.Add(r.kind.turnTimeout)
	}
	if ask != nil && !ask.Deadline.IsZero() && (c.deadline.IsZero() || ask.Deadline.Before(c.deadline)) {
		c.deadline = ask.Deadline
	}
	return c
}

func (c *turnContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *turnContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start().Done()
}

// start makes the real context that Done and Err speak for. Called with mu held.
func (c *turnContext) start() context.Context {
	if c.inner != nil {
		return c.inner
	}
	c.inner, c.cancel = context.WithCancelCause(c.life.context())
	if c.over {
		c.cancel(errTurnOver)
	} else if !c.deadline.IsZero() {
		inner, stop := context.WithDeadline(c.inner, c.deadline)
		cancel := c.cancel
		c.inner, c.cancel = inner, func(cause error) { cancel(cause); stop() }
	}
	return c.inner
}

func (c *turnContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inner != nil:
		return c.inner.Err()
	case c.over:
		return context.Canceled
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return c.life.err()
}

func (c *turnContext) Value(key any) any {
	if key == chainKey {
		return c.chain
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil { // it knows the cause of its end, and contexts made from it find it
		return c.inner.Value(key)
	}
	return c.life.base.Value(key)
}

// end ends the context with its turn: a goroutine that kept it learns so.
func (c *turnContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.cancel != nil {
		c.cancel(errTurnOver)
	}
}

// life is the context of one activation of a room, which ends with it. There is no real one until somebody needs it, which
// few rooms see.
type life struct {
	base context.Context // the server's

	mu     sync.Mutex
	over   bool
	ctx    context.Context
	cancel context.CancelFunc
}

func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancel(l.base)
		if l.over {
			l.cancel()
		}
	}
	return l.ctx
}

func (l *life) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return context.Canceled
	}
	return l.base.Err()
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.cancel != nil {
		l.cancel()
	}
}

// chainKey finds the chain of asking rooms in a context.
var chainKey = new(contextKey)

type contextKey struct{ _ byte }

// askedContext is the context of work that an asker waits for. Once it has given up nobody waits, and what the work asks
// then can close no ring.
type askedContext struct {
	context.Context
	waits *waits
	ask   *actors.Ask
}

func (c askedContext) Value(key any) any {
	if key != chainKey {
		return c.Context.Value(key)
	}
	if !c.waits.holds(c.ask.Wait) {
		return nil
	}
	return c.ask.Chain
}
