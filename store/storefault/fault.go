package storefault

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
)

// Op is a set of methods of a store.
type Op uint16

// The methods of a store, and of a notifier.
const (
	Join Op = 1 << iota
	Renew
	Leave
	Owners
	Acquire
	Save
	Due
	List
	Load
	Notify

	Writes = Join | Renew | Leave | Acquire | Save
	Reads  = Owners | Due | List | Load
	All    = Writes | Reads | Notify
)

var opNames = map[Op]string{
	Join: "Join", Renew: "Renew", Leave: "Leave", Owners: "Owners", Acquire: "Acquire", Save: "Save", Due: "Due", List: "List",
	Load: "Load", Notify: "Notify",
}

// Kind is what a fault does to a call. The package comment has a table.
type Kind uint8

// Kinds of faults.
const (
	Fail      Kind = iota // an error, and nothing is done
	FailAfter             // an error, though it was done; of Notify as Fail
	Slow                  // nothing but Delay and Jitter
	Hold                  // it waits until the fault is released, then goes on
	Hang                  // it waits until its context ends, and is not done
	Late                  // an error, and it is done when the fault is released; of reads and Notify as Fail
	Tear                  // of a Save some batches are done, the others fail; other calls are not hit
	TearBlind             // as Tear, but all fail
)

var kindNames = [...]string{"fail", "fail after", "slow", "hold", "hang", "late", "tear", "tear blind"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ErrInjected is the error of a fault that has no other. It is wrapped.
var ErrInjected = errors.New("storefault: injected")

// Fault says which calls fail, and how. The zero Fault makes all fail until it is released.
type Fault struct {
	On   Op        // which methods; zero: All. Close never fails
	Room store.Key // only calls that concern this room, so Acquire, Load and a Save with a batch of it; zero: any
	Kind Kind      // what happens; zero: Fail

	Skip  int     // so many calls get through first
	Times int     // how many calls are hit; zero: all, until Release
	Odds  float64 // the probability that a call is hit that could be; zero: 1

	Delay  time.Duration // how long a call waits before anything else happens to it, with any Kind
	Jitter time.Duration // up to so much longer, at random

	// Err is what the caller is told; nil: ErrInjected.
	Err error
	// Apply says which batches a Tear carries out. Nil: at random, but at least one, and not all, unless there is only one:
	// that is done or not.
	Apply func(b *store.Batch) bool
}

// Injection is a fault that is in force.
type Injection struct {
	s     *Store
	fault Fault
	gate  chan struct{} // closed by Release

	// Guarded by s.mu.
	skipped  int
	hits     int
	released bool
	late     []func()
}

// Inject puts a fault into force, from the next call on; one that makes Notify fail, for sure and whatever the room, also
// ends those that run. It panics if the Kind is unknown.
func (s *Store) Inject(f Fault) *Injection {
	if int(f.Kind) >= len(kindNames) {
		panic(fmt.Sprintf("storefault: the kind of a fault is %d, use one of the constants", f.Kind))
	}
	if f.On == 0 {
		f.On = All
	}
	if f.Err == nil {
		f.Err = ErrInjected
	}
	i := &Injection{s: s, fault: f, gate: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, i)
	if f.Kind == Fail && f.Odds == 0 {
		for n := range s.notifies {
			if i.hit(Notify, nil) {
				n.cut(i.error(Notify))
			}
		}
	}
	return i
}

// Release takes a fault back and lets go what it holds: calls that it made wait go on, and those that are Late are carried
// out, in order, before it returns. Calls that Hang stay so. A second Release does nothing.
func (i *Injection) Release() {
	i.s.mu.Lock()
	if i.released {
		i.s.mu.Unlock()
		return
	}
	i.released = true
	i.s.faults = slices.DeleteFunc(i.s.faults, func(other *Injection) bool { return other == i })
	late := i.late
	i.late = nil
	close(i.gate)
	i.s.mu.Unlock()
	for _, arrive := range late {
		arrive()
	}
}

// Hits is how many calls the fault has hit so far.
func (i *Injection) Hits() int {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	return i.hits
}

// Heal releases all faults. What has crashed stays so.
func (s *Store) Heal() {
	s.mu.Lock()
	all := slices.Clone(s.faults)
	s.mu.Unlock()
	for _, i := range all {
		i.Release()
	}
}

// hit decides whether a call is hit, with s.mu held.
func (i *Injection) hit(op Op, rooms []store.Key) bool {
	f := &i.fault
	if f.On&op == 0 || (f.Kind == Tear || f.Kind == TearBlind) && op != Save {
		return false
	}
	if f.Room != (store.Key{}) && !slices.Contains(rooms, f.Room) {
		return false
	}
	if f.Times > 0 && i.hits >= f.Times {
		return false
	}
	if i.skipped < f.Skip {
		i.skipped++
		return false
	}
	if f.Odds > 0 && i.s.rnd.Float64() >= f.Odds {
		return false
	}
	i.hits++
	return true
}

func (i *Injection) error(op Op) error {
	return fmt.Errorf("storefault: %s, %s: %w", opNames[op], i.fault.Kind, i.fault.Err)
}

// plan is what lies before one call.
type plan struct {
	delay time.Duration
	gates []<-chan struct{}
	end   *Injection // nil: it is carried out
}

// plan matches a call against all faults, with mu held. After Close there are none: the store says itself that it is closed.
func (s *Store) plan(op Op, rooms []store.Key) (p plan) {
	select {
	case <-s.closed:
		return p
	default:
	}
	for _, i := range s.faults {
		if !i.hit(op, rooms) {
			continue
		}
		p.delay += i.fault.Delay
		if i.fault.Jitter > 0 {
			p.delay += time.Duration(s.rnd.Int64N(int64(i.fault.Jitter)))
		}
		switch i.fault.Kind {
		case Slow:
		case Hold:
			p.gates = append(p.gates, i.gate)
		default:
			p.end = i
			return p
		}
	}
	return p
}
