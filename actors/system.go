package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
)

// PID is the address of an actor or a process, on this node or on another one. It is a value of the engine that the
// rest of the library passes on and never looks into. Keep the pointer: sending through a cached PID costs no lookup.
type PID = actor.PID

// Actor is the behaviour of an addressed thing with a mailbox: it receives one message at a time.
type Actor interface {
	// Receive handles one message. It may block, which holds up this actor and nothing else.
	Receive(msg any)
	// Stopped is called once, after the last Receive. reason is nil after [System.Stop], else what the panic that
	// ended the actor said.
	Stopped(reason error)
}

// Idler is an Actor that wants to know when there is nothing left to do.
type Idler interface {
	// Idle is called like Receive, when nothing waits for the actor any more, but not after Stopped. It must return soon.
	Idle()
}

// Process is an addressed thing without a mailbox. Deliver runs on the goroutine of the sender, possibly on many at
// once: it must not block and must not call back into the sender.
type Process interface {
	Deliver(msg any)
}

// Undeliverable is implemented by messages whose sender must learn that nobody was there to take them.
type Undeliverable interface {
	Undelivered(s *System)
}

// Options configure a [System]. The zero value is ready to use.
type Options struct {
	// Logger takes warnings and errors of the engine and of the supervision. Default: slog.Default().
	Logger *slog.Logger
}

// ErrNameTaken is returned by Spawn and Register for a name that is in use.
var ErrNameTaken = errors.New("actors: name is taken")

// ErrClosed is returned by calls on a closed [System].
var ErrClosed = errors.New("actors: system is closed")

// System runs actors. Its methods may be called from any goroutine.
type System struct {
	engine  *actor.ActorSystem
	log     *slog.Logger
	workers *workers

	props *actor.Props // of every actor

	mu       sync.Mutex
	closed   bool
	spawning *host // for props
	newest   *host // the end of a list of all that run
	count    int
	idle     chan struct{} // closed when the last actor has stopped after Close began

	replies atomic.Uint64
}

// NewSystem starts a system. It holds no goroutine while nothing is sent, a second after the last message.
func NewSystem(opts *Options) *System {
	log := slog.Default()
	if opts != nil && opts.Logger != nil {
		log = opts.Logger
	}
	s := &System{log: log, workers: newWorkers()}
	s.props = actor.PropsFromProducer(
		func() actor.Actor { return s.spawning },
		actor.WithMailbox(func() actor.Mailbox { return &s.spawning.mailbox }),
		actor.WithSupervisor(stopOnFailure), actor.WithGuardian(stopOnFailure),
	)
	s.engine = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(warnings{log.Handler()})
	}))
	// The engine's table of 32,768 maps costs a map of eight for each of the first thousands of actors.
	s.engine.ProcessRegistry.LocalPIDs = &actor.SliceMap{LocalPIDs: []cmap.ConcurrentMap{cmap.New()}}
	s.engine.EventStream.Subscribe(func(evt any) {
		dead, ok := evt.(*actor.DeadLetterEvent)
		if !ok {
			return
		}
		s.undelivered(dead.Message)
	})
	return s
}

// undelivered tells the sender of a message that nobody takes, if it must know.
func (s *System) undelivered(msg any) {
	if m, ok := msg.(Undeliverable); ok {
		m.Undelivered(s)
	}
}

// Spawn starts an actor under a name that is unique in this system until the actor's Stopped is called.
func (s *System) Spawn(name string, a Actor) (*PID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	h := &host{system: s, actor: a}
	h.idler, _ = a.(Idler)
	h.mailbox = mailbox{host: h, workers: s.workers}
	s.spawning = h // the engine makes the actor before SpawnNamed returns, and never again: what fails stops
	pid, err := s.engine.Root.SpawnNamed(s.props, name)
	s.spawning = nil
	switch {
	case errors.Is(err, actor.ErrNameExists):
		return nil, fmt.Errorf("%w: %s", ErrNameTaken, name)
	case err != nil:
		return nil, fmt.Errorf("actors: spawn %s: %w", name, err)
	}
	h.pid = pid
	s.insert(h)
	return pid, nil
}

// Register gives a process a PID under a unique name. Unregister it when it ends; whoever still holds the PID then goes
// on reaching the process, which must ignore what comes after its end.
func (s *System) Register(name string, p Process) (*PID, error) {
	pid, ok := s.engine.ProcessRegistry.Add(&processHost{p}, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNameTaken, name)
	}
	return pid, nil
}

// Unregister takes a process's name away.
func (s *System) Unregister(pid *PID) { s.engine.ProcessRegistry.Remove(pid) }

// Lookup returns the process that has a name at this moment, nil if none has; actors are not found by it. It takes one look
// into the table by which messages find their way.
func (s *System) Lookup(name string) Process {
	p, _ := s.engine.ProcessRegistry.GetLocal(name)
	if host, ok := p.(*processHost); ok {
		return host.p
	}
	return nil
}

// Send delivers msg to pid: into the mailbox of an actor, or straight into the process. It never blocks on an actor.
func (s *System) Send(pid *PID, msg any) { s.engine.Root.Send(pid, msg) }

// Stop ends an actor once it has handled what was sent to it before; what comes behind that is dropped. Stopping one that
// has stopped does nothing.
func (s *System) Stop(pid *PID) { s.Send(pid, stop{}) }

// stop asks a host to end. The engine's own stop message would, sent to an actor that has just ended, be logged as
// a dead letter, and the throttle of that log leaves a goroutine behind for a second.
type stop struct{ Message }

// Request sends the message that build makes for a reply address and waits for the first message sent to that address.
// It returns ctx's error when ctx ends first; a later reply is dropped.
func (s *System) Request(ctx context.Context, pid *PID, build func(reply *PID) any) (any, error) {
	r := &reply{ch: make(chan any, 1)}
	self, err := s.Register("reply/"+strconv.FormatUint(s.replies.Add(1), 36), r)
	if err != nil {
		return nil, err
	}
	defer s.Unregister(self)
	s.Send(pid, build(self))
	select {
	case msg := <-r.ch:
		return msg, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close stops all actors and waits for them, or for ctx. Processes are their owners' to end.
func (s *System) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	defer s.workers.close()
	s.idle = make(chan struct{})
	if s.count == 0 {
		close(s.idle)
	}
	pids := make([]*PID, 0, s.count)
	for h := s.newest; h != nil; h = h.older {
		pids = append(pids, h.pid)
	}
	s.mu.Unlock()

	for _, pid := range pids {
		s.Stop(pid)
	}
	select {
	case <-s.idle:
		s.engine.Shutdown()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("actors: %d actors still running: %w", s.Count(), ctx.Err())
	}
}

// Count returns how many actors are running.
func (s *System) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// insert puts an actor on the list of those that run. Called with mu held.
func (s *System) insert(h *host) {
	if h.older = s.newest; h.older != nil {
		h.older.newer = h
	}
	s.newest = h
	s.count++
}

// remove takes an actor off that list.
func (s *System) remove(h *host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.newer != nil {
		h.newer.older = h.older
	} else {
		s.newest = h.older
	}
	if h.older != nil {
		h.older.newer = h.newer
	}
	h.older, h.newer = nil, nil
	if s.count--; s.closed && s.count == 0 {
		close(s.idle)
	}
}

// stopOnFailure is the supervision of every actor: what panicked stops. protoactor-go's default would restart it with
// an empty state behind the back of those who hold sessions in it.
var stopOnFailure = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

// host runs an Actor inside the engine.
type host struct {
	system  *System
	actor   Actor
	idler   Idler // actor, or nil
	self    *PID  // as the engine calls it; the mailbox's
	failed  error
	ended   bool // Stopped was called; the mailbox's
	mailbox mailbox

	pid          *PID  // as Spawn calls it; the system's
	older, newer *host // in the system's list
}

func (h *host) Receive(c actor.Context) {
	switch msg := c.Message().(type) {
	case *actor.Started:
		h.self = c.Self()
	case *actor.Stopping, *actor.Restarting:
	case *actor.Stopped:
		h.stopped()
	case stop:
		c.Stop(c.Self())
	case *Call:
		for next := msg; msg != nil; msg = next {
			next, msg.next = msg.next, nil
			h.receive(msg)
		}
	default:
		h.receive(msg)
	}
}

func (h *host) receive(msg any) {
	if h.failed != nil {
		h.system.undelivered(msg)
		return
	}
	defer h.recover(msg)
	h.actor.Receive(msg)
}

// recover, deferred, ends the actor after a panic on msg.
func (h *host) recover(msg any) {
	if v := recover(); v != nil {
		h.failed = fmt.Errorf("actors: %s panicked on %T: %v", h.self.Id, msg, v)
		h.system.log.Error("actor stopped by a panic", "actor", h.self.Id, "message", fmt.Sprintf("%T", msg), "panic", v, "stack", string(debug.Stack()))
		h.system.Stop(h.self) // behind what is in the mailbox, whose senders must learn of it
	}
}

// idling stands for the moment of Idle in messages.
type idling struct{}

// idle says that nothing waits.
func (h *host) idle() {
	if h.idler == nil || h.failed != nil || h.ended {
		return
	}
	defer h.recover(idling{})
	h.idler.Idle()
}

// stopped must not panic: the engine would bring the actor back to life.
func (h *host) stopped() {
	h.ended = true
	defer h.system.remove(h)
	defer func() {
		if v := recover(); v != nil {
			h.system.log.Error("panic while an actor stopped", "actor", h.self.Id, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	h.actor.Stopped(h.failed)
}

type processHost struct{ p Process }

func (h *processHost) SendUserMessage(_ *PID, msg any) {
	_, msg, _ = actor.UnwrapEnvelope(msg)
	h.p.Deliver(msg)
}
func (h *processHost) SendSystemMessage(*PID, any) {}
func (h *processHost) Stop(*PID)                   {}

type reply struct{ ch chan any }

func (r *reply) Deliver(msg any) {
	select {
	case r.ch <- msg:
	default: // only the first reply counts
	}
}

// warnings passes on what the engine says from Warn upwards: its Info lines speak of the engine, and its dead letters
// would print message bodies.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}
func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(n string) slog.Handler      { return warnings{w.Handler.WithGroup(n)} }
