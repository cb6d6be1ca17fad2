package room

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
)

// registry knows the rooms that run in this process.
//
// Its invariant: a message that must not be lost (attach, Ask, visit) is sent only to an entry that acquire has handed
// out, which counts it as pending until the room has received it; and a room leaves the registry only when nothing is
// pending. So no message ever meets a stopped room.
type registry struct {
	mu      sync.Mutex
	entries map[ID]*entry
	max     int // of entries; negative: no limit
	closing bool
	empty   chan struct{} // closed once closing and without entries
}

// entry is a room's place in the registry.
type entry struct {
	id       ID
	pid      *actors.PID
	pending  int         // guarded by the registry
	active   atomic.Bool // it has a state
	asleep   atomic.Bool // it has open sockets and no state
	sessions atomic.Int32
	started  time.Time
}

var errShuttingDown = contract.Errorf(contract.Unavailable, "the server is shutting down").WithRetryAfter(time.Second)

func newRegistry(max int) *registry {
	return &registry{entries: make(map[ID]*entry), max: max, empty: make(chan struct{})}
}

// acquire finds a room, or starts it with spawn unless that is nil, and counts one message as on its way to it.
func (g *registry) acquire(id ID, spawn func(*entry) (*actors.PID, error)) (*entry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return nil, errShuttingDown
	}
	e := g.entries[id]
	if e == nil {
		if spawn == nil {
			return nil, contract.Errorf(contract.NotFound, "room %s is not running", id)
		}
		if g.max > 0 && len(g.entries) >= g.max {
			return nil, contract.Errorf(contract.Unavailable, "the server runs all the rooms it may (%d)", g.max).WithRetryAfter(10 * time.Second)
		}
		e = &entry{id: id, started: time.Now()}
		pid, err := spawn(e)
		if err != nil {
			return nil, contract.Errorf(contract.Unavailable, "room %s cannot be started: %w", id, err)
		}
		e.pid = pid
		g.entries[id] = e
	}
	e.pending++
	return e, nil
}

// arrived says that one message that was on its way is there.
func (g *registry) arrived(e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.pending--
}

// wanted says whether a message is on its way to a room.
func (g *registry) wanted(e *entry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return e.pending > 0
}

// all lists the rooms.
func (g *registry) all() []*entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*entry, 0, len(g.entries))
	for _, e := range g.entries {
		list = append(list, e)
	}
	return list
}

// retire takes a room out unless a message is on its way to it.
func (g *registry) retire(e *entry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.pending > 0 || g.entries[e.id] != e {
		return false
	}
	g.delete(e)
	return true
}

// remove takes a room out that has stopped, whatever the reason.
func (g *registry) remove(e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.entries[e.id] == e {
		g.delete(e)
	}
}

func (g *registry) delete(e *entry) {
	delete(g.entries, e.id)
	if g.closing && len(g.entries) == 0 {
		close(g.empty)
	}
}

// runs says whether a room has a state at this moment.
func (g *registry) runs(id ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.entries[id]
	return e != nil && e.active.Load()
}

func (g *registry) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.entries)
}

// page lists up to limit rooms of a kind that have a state and whose names come after the one given, by name.
func (g *registry) page(kind, after string, limit int) []*entry {
	g.mu.Lock()
	var list []*entry
	for id, e := range g.entries {
		if id.Kind == kind && id.Name > after && (e.active.Load() || e.asleep.Load()) {
			list = append(list, e)
		}
	}
	g.mu.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].id.Name < list[j].id.Name })
	return list[:min(limit, len(list))]
}

// close lets nothing new in and hands out every entry, with one message counted as on its way to each. Only the first
// call does.
func (g *registry) close() []*entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return nil
	}
	g.closing = true
	list := make([]*entry, 0, len(g.entries))
	for _, e := range g.entries {
		e.pending++
		list = append(list, e)
	}
	if len(list) == 0 {
		close(g.empty)
	}
	return list
}
