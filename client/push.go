package client

import (
	"context"
	"fmt"

	"github.com/gosocka/socka/contract"
)

// On calls f with every push of this sort, until off is called. It works in every
// status of the client, and across reconnects. The push is validated before; one
// that fails goes to Options.OnError instead.
//
// All handlers of a client run on one goroutine, one at a time: pushes in the
// order in which they arrived, the handlers of one push in the order of their
// registration. A handler may use the client, Call and Close included, but not
// [Wait], which would wait for itself. While it runs nothing else is delivered,
// see Options.PushQueue. The handlers of one push share its value and must not
// change what it refers to. A handler that panics is recovered, and reported to
// OnError.
//
// Once off has returned, f is not called any more; a call that is under way goes
// on. off may be called more than once, and by the handler itself.
func On[T any](c *Client, push *contract.Push[T], f func(T)) (off func()) {
	return subscribe(c, push, func(v T, _ func()) { f(v) })
}

// Once is [On] for the next push alone: f is called at most once.
func Once[T any](c *Client, push *contract.Push[T], f func(T)) (off func()) {
	return subscribe(c, push, func(v T, off func()) {
		off()
		f(v)
	})
}

// Wait returns the next push of this sort for which match is true; a nil match
// takes any. It subscribes at once, before it waits, and sees what the handlers
// see: when it returns, the handlers of all earlier pushes have returned. match
// runs as a handler does. Wait goes on across reconnects; it fails with
// [ErrClosed] on a client that is Closed, and with ctx's error.
//
// To miss nothing that a call of one's own causes, subscribe before the call,
// with [Once] or [On] and a channel: a push may arrive before the call returns.
func Wait[T any](ctx context.Context, c *Client, push *contract.Push[T], match func(T) bool) (T, error) {
	found := make(chan T, 1)
	off := subscribe(c, push, func(v T, off func()) {
		if match == nil || match(v) {
			off()
			found <- v
		}
	})
	defer off()
	var zero T
	select {
	case v := <-found:
		return v, nil
	case <-ctx.Done():
		return zero, fmt.Errorf("socka: waiting for push %q: %w", push.Name(), ctx.Err())
	case <-c.pushes.quit:
	case <-c.pushes.done:
	}
	select {
	case v := <-found:
		return v, nil
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return zero, contract.Errorf(contract.Unavailable, "waiting for push %q: %w", push.Name(), c.err)
}

// subscribe is the typed edge of the dispatcher. Values travel as *T, so that a
// nil interface is one too.
func subscribe[T any](c *Client, push *contract.Push[T], f func(v T, off func())) (off func()) {
	def := push.Def()
	s := &subscription{def: def}
	s.decode = func(body []byte) (any, error) {
		v := new(T)
		return v, def.Decode(c.format, body, v)
	}
	off = func() { c.pushes.remove(s) }
	s.deliver = func(v any) { f(*v.(*T), off) }
	c.pushes.add(s)
	return off
}
