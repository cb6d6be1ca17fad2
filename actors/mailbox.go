package actors

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is the queue of one actor, in place of the engine's. It differs in three ways: an idle one holds nothing but
// itself, it takes what waits in one go, and it tells the actor when nothing is left ([Idler]).
//
// Messages of the engine go ahead of the others. While the engine has suspended the actor, the others wait.
type mailbox struct {
	host    *host
	workers *workers
	invoker actor.MessageInvoker

	urgent atomic.Bool // engine is not empty

	mu      sync.Mutex
	users   []any // what was sent to the actor, oldest first
	engine  []any
	spare   []any // empty; its room is used next
	running bool  // a worker has the mailbox, or is about to

	suspended bool // the worker's
}

const (
	// throughput is how many messages a mailbox handles before it lets other goroutines run.
	throughput = 300
	// keepMessages is the room for messages that an idle mailbox holds on to.
	keepMessages = 16
)

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(msg any) {
	m.mu.Lock()
	m.users = append(m.users, msg)
	m.wake()
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(msg any) {
	m.mu.Lock()
	m.engine = append(m.engine, msg)
	m.urgent.Store(true)
	m.wake()
}

// wake sees to it that a worker comes. It unlocks mu.
func (m *mailbox) wake() {
	start := !m.running
	m.running = true
	m.mu.Unlock()
	if start {
		m.workers.schedule(m)
	}
}

// RegisterHandlers implements actor.Mailbox.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.users)
}

// run handles messages until none is left. Whoever was about to send when it was woken does so first: what comes together
// is then handled together, and what it causes leaves together.
func (m *mailbox) run() {
	runtime.Gosched()
	for handled := 0; ; {
		n := m.round()
		if n == 0 {
			m.host.idle()
			if m.retire() {
				return
			}
		}
		if handled += n; handled >= throughput {
			handled = 0
			runtime.Gosched()
		}
	}
}

// round handles what waits and returns how many messages of users that was.
func (m *mailbox) round() int {
	m.handleEngine()
	if m.suspended {
		return 0
	}
	m.mu.Lock()
	batch := m.users
	m.users, m.spare = m.spare, nil
	m.mu.Unlock()

	rest := batch
	for len(rest) > 0 {
		rest = rest[m.handle(rest[:min(len(rest), throughput)]):]
		if m.handleEngine(); m.suspended {
			break
		}
		if len(rest) > 0 {
			runtime.Gosched()
		}
	}
	handled := len(batch) - len(rest)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(rest) > 0 {
		m.users = append(append([]any{}, rest...), m.users...)
	}
	clear(batch)
	if cap(batch) <= throughput {
		m.spare = batch[:0]
	}
	return handled
}

// retire lets go of the mailbox unless something has come.
func (m *mailbox) retire() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.engine) > 0 || len(m.users) > 0 && !m.suspended {
		return false
	}
	m.running, m.spare = false, nil
	if len(m.users) == 0 && cap(m.users) > keepMessages {
		m.users = nil
	}
	return true
}

// handle handles messages up to the first moment when the engine wants something, and returns how many.
func (m *mailbox) handle(batch []any) (n int) {
	defer func() {
		if v := recover(); v != nil { // of the engine: a host recovers what its actor panics with
			m.invoker.EscalateFailure(v, batch[n-1])
		}
	}()
	for n < len(batch) && !m.urgent.Load() {
		n++
		m.invoker.InvokeUserMessage(batch[n-1])
	}
	return n
}

func (m *mailbox) handleEngine() {
	for m.urgent.Load() {
		m.mu.Lock()
		msgs := m.engine
		m.engine = nil
		m.urgent.Store(false)
		m.mu.Unlock()
		for _, msg := range msgs {
			m.handleOne(msg)
		}
	}
}

func (m *mailbox) handleOne(msg any) {
	defer func() {
		if v := recover(); v != nil {
			m.invoker.EscalateFailure(v, msg)
		}
	}()
	switch msg.(type) {
	case *actor.SuspendMailbox:
		m.suspended = true
	case *actor.ResumeMailbox:
		m.suspended = false
	default:
		m.invoker.InvokeSystemMessage(msg)
	}
}
