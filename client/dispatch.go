package client

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/gosocka/socka/contract"
)

// dispatcher runs the handlers of pushes and OnError on one goroutine.
type dispatcher struct {
	onError func(error)
	logger  *slog.Logger
	queue   *queue
	quit    chan struct{} // closed by stop(false)
	done    chan struct{} // closed when no handler will run any more

	mu      sync.Mutex
	subs    map[string][]*subscription // by name of the push; slices are replaced, not changed
	started bool
	ended   bool // stop was called
	stopped bool // stop(false) was called: no handler starts
	busy    bool // a handler is running
}

// subscription is one handler of one push, without types.
type subscription struct {
	def     *contract.PushDef
	decode  func(body []byte) (any, error)
	deliver func(v any)
	off     bool // guarded by dispatcher.mu
}

func newDispatcher(o *Options) *dispatcher {
	return &dispatcher{
		onError: o.OnError,
		logger:  o.Logger,
		queue:   newQueue(o.PushQueue, queueMessages*o.MaxMessageBytes),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		subs:    make(map[string][]*subscription),
	}
}

func (d *dispatcher) add(s *subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := s.def.Name()
	d.subs[name] = append(slices.Clip(d.subs[name]), s)
}

func (d *dispatcher) remove(s *subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.off {
		return
	}
	s.off = true
	name := s.def.Name()
	rest := slices.DeleteFunc(slices.Clone(d.subs[name]), func(o *subscription) bool { return o == s })
	if len(rest) == 0 {
		delete(d.subs, name)
	} else {
		d.subs[name] = rest
	}
}

// start starts the goroutine. It is called once at most, and not after stop.
func (d *dispatcher) start() {
	d.mu.Lock()
	d.started = true
	d.mu.Unlock()
	go d.run()
}

// stop ends the goroutine once the queue is empty, which it is at once unless
// drain is true. A later stop(false) cuts an earlier stop(true) short.
func (d *dispatcher) stop(drain bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.started && !d.ended {
		close(d.done)
	}
	d.ended = true
	if !drain && !d.stopped {
		d.stopped = true
		close(d.quit)
	}
	d.queue.close(drain)
}

// wait returns when the goroutine has ended or is in a handler, which may be the
// caller. It is called after stop(false).
func (d *dispatcher) wait() {
	d.mu.Lock()
	busy := d.busy
	d.mu.Unlock()
	if !busy {
		<-d.done
	}
}

func (d *dispatcher) run() {
	defer close(d.done)
	for {
		it, ok := d.queue.pop()
		switch {
		case !ok:
			return
		case it.err != nil:
			d.report(it.err)
		default:
			d.push(it)
		}
	}
}

// push hands one push to its handlers. It is decoded once for each definition
// of its name: two contracts may have one each.
func (d *dispatcher) push(it item) {
	d.mu.Lock()
	subs := d.subs[it.event]
	d.mu.Unlock()
	var def *contract.PushDef
	var value any
	var err error
	for _, s := range subs {
		if s.def != def {
			def = s.def
			if value, err = s.decode(it.body); err != nil {
				d.report(fmt.Errorf("socka: push %q: %w", it.event, err))
			}
		}
		if err != nil {
			continue
		}
		if p := d.call(s, func() { s.deliver(value) }); p != nil {
			d.report(fmt.Errorf("socka: a handler of push %q: %w", it.event, p))
		}
	}
}

// report calls OnError, or logs.
func (d *dispatcher) report(err error) {
	if d.onError == nil {
		d.logger.Warn("socka client", "err", err)
		return
	}
	if p := d.call(nil, func() { d.onError(err) }); p != nil {
		d.logger.Error("socka client: OnError", "err", p, "of", err)
	}
}

// call runs a handler, unless there is to be none any more, and returns what it
// panicked with.
func (d *dispatcher) call(s *subscription, f func()) (panicked error) {
	d.mu.Lock()
	skip := d.stopped || s != nil && s.off
	d.busy = !skip
	d.mu.Unlock()
	if skip {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			panicked = newPanicError(v)
		}
		d.mu.Lock()
		d.busy = false
		d.mu.Unlock()
	}()
	f()
	return nil
}

// PanicError is reported to Options.OnError when a push handler panics.
type PanicError struct {
	// Value is what the handler panicked with.
	Value any
	// Stack is the stack of the panic.
	Stack []byte
}

func newPanicError(v any) error { return &PanicError{Value: v, Stack: debug.Stack()} }

// Error describes the panic, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
