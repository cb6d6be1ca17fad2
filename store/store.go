package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps rooms. Its methods may be called from any goroutine. An error that is none of those named here means that
// the store cannot say: what was asked may or may not have happened, and it is right to ask again.
type Store interface {
	// Join makes a new owner with a lease of ttl from now (at least [MinTTL], zero: one that never ends by itself). The
	// store sets ID, TTL, Joined and Expires of the Owner it returns.
	Join(ctx context.Context, o Owner, ttl time.Duration) (Owner, error)

	// Renew prolongs a lease by its whole ttl from now, also one that has ended, as long as the owner's row is there: what
	// was not taken from it meanwhile is still its. ErrLapsed if the row is gone.
	Renew(ctx context.Context, owner OwnerID) error

	// Leave ends an owner: all rooms that it still has are nobody's, their parts, logs, wake times and epochs untouched.
	// Leaving twice, or as an owner that is gone, does nothing.
	Leave(ctx context.Context, owner OwnerID) error

	// Owners lists the owners whose lease has not ended, oldest first.
	Owners(ctx context.Context) ([]Owner, error)

	// Acquire makes an owner the only writer of a room, under a new epoch, and returns what is kept of the room. A room
	// that is nobody's, a lapsed owner's or the same owner's own is taken; one of another owner that lives is refused with
	// a *HeldError. A room that is not there is made, empty, with Linger 0 (see [Batch]). ErrLapsed if the owner's own row
	// is gone.
	Acquire(ctx context.Context, owner OwnerID, key Key) (*Room, error)

	// Save carries out one batch for each of any number of rooms and returns one error for each, in order: nil, then it is
	// durable; ErrFenced, then the room has another epoch, or is gone, and nothing of its batch was done; ErrStale, then a
	// later batch was done before (see Batch.Number), and nothing of this one; or any other, then it may have been done or
	// not. A batch is carried out as a whole or not at all, whatever becomes of the others.
	// Carrying out the same batch twice is the same as once, but that a repeated Remove is ErrFenced.
	// The batches are the caller's again when it returns. No two of them are of the same room.
	Save(ctx context.Context, batches []Batch) []error

	// Due lists up to limit rooms that nobody who lives has, and that want to be woken: those whose Wake is not after now,
	// and those of lapsed owners whose Linger is over. An owner lives until it can be taken over, so with the [Margin], and
	// that, and Linger, are judged by the store's clock. They come in the order of the time at which they were due. next is
	// the time at which to ask again if nobody tells of a change before, reckoned from now: the time at which the next room
	// may be due by what is known now, or earlier as long as an owner lives, zero if none is. With more rooms due than limit
	// it is now.
	Due(ctx context.Context, now time.Time, limit int) (due []Key, next time.Time, err error)

	// List lists up to limit rooms that have parts or logs, of one kind or, with kind "", of all, in the order of kind, then
	// name, after the one given (the zero Key: from the first).
	List(ctx context.Context, kind string, after Key, limit int) ([]Entry, error)

	// Load reads a room without acquiring it. ErrNotFound if it is not there or has neither parts nor logs.
	Load(ctx context.Context, key Key) (*Room, error)

	// Close gives back what the store holds. It waits for calls under way, and leaves owners as they are. Closing twice does
	// nothing; any other call afterwards fails with ErrClosed.
	Close() error
}

// Notifier is a [Store] that can tell when another process, or another handle, has changed what Due or Owners would say:
// that an owner has come or gone, or that a room is due sooner than next said. That fewer rooms are due, or later, does not
// have to be told. Without it they have to be asked from time to time.
type Notifier interface {
	// Notify calls f after each such change, perhaps more often, never two at once, until ctx ends or the store is closed;
	// then it returns ctx's error or ErrClosed. It calls f whenever it may have missed something, the first time at once.
	Notify(ctx context.Context, f func()) error
}

// Key names a room.
type Key struct {
	Kind, Name string
}

func (k Key) String() string { return k.Kind + "/" + k.Name }

// Less orders keys by kind, then name, bytewise.
func (k Key) Less(other Key) bool {
	if k.Kind != other.Kind {
		return k.Kind < other.Kind
	}
	return k.Name < other.Name
}

// OwnerID names an owner in its store. It is never used twice, not even after a restored backup, and never empty.
type OwnerID string

// Owner is one incarnation of a process that runs rooms.
type Owner struct {
	ID      OwnerID
	Addr    string            // where others reach it, or anything that tells a reader which process it is
	Props   map[string]string // what else others should know: version, capacity, whether it drains
	TTL     time.Duration     // of its lease; zero: it does not end
	Joined  time.Time         // wall clock
	Expires time.Time         // when its lease ends, as a wall-clock time; zero: never
}

// Epoch is the number under which an owner has a room. A later one is greater. It fits into 53 bits.
type Epoch uint64

// Room is what a store keeps of one room.
type Room struct {
	Key     Key
	Epoch   Epoch
	Owner   OwnerID // "" for nobody
	Wake    time.Time
	Linger  time.Duration
	Updated time.Time // wall clock of the last save, zero if there was none
	Parts   map[string][]byte
	Logs    map[string][]Record // by log, in the order of Seq
}

// Empty says whether the room has neither parts nor logs: it was acquired, and nothing has been saved.
func (r *Room) Empty() bool { return len(r.Parts) == 0 && len(r.Logs) == 0 }

// Record is one entry of a log.
type Record struct {
	Seq  uint64 // at most 1<<63 - 1
	Data []byte
}

// Entry is a room as List tells of it.
type Entry struct {
	Key     Key
	Epoch   Epoch
	Owner   OwnerID   // "" for nobody; its lease may have ended
	Wake    time.Time // zero: none
	Updated time.Time
	Bytes   int64 // of all parts and records
}

// Batch is what one save does to one room, if the room still has the epoch.
type Batch struct {
	Key   Key
	Epoch Epoch

	// Number counts the batches of one epoch, from 1. One that is not the latest any more, because a later one has been
	// carried out, is ErrStale and does nothing: what was sent once and given up may arrive late. The same number again is
	// the same batch again. Zero: not checked, and not noted. At most 1<<63 - 1.
	Number uint64

	Put    []Part   // parts to set
	Delete []string // parts to delete; those that are not there are passed over
	Append []Append // records to write; one with a Seq that its log has already takes the place of that
	Trim   []Trim   // records to delete, before the Append

	// Wake is when the room wants to be woken while nobody has it, to the microsecond; zero: not.
	Wake time.Time
	// Linger says, if the owner's lease ends, how long after that the room wants to be woken; negative: not at all.
	// Both replace what the last batch said, and are left as they are when Keep is set.
	Linger time.Duration
	Keep   bool

	// Then is what becomes of the room after that.
	Then Then
}

// Then is what becomes of a room after a batch.
type Then uint8

// What becomes of a room.
const (
	Hold    Then = iota // its owner goes on having it
	Release             // it is nobody's
	Remove              // it is gone: row, parts and logs
)

// Part is a named value.
type Part struct {
	Name string
	Data []byte
}

// Append is a record to write to a log.
type Append struct {
	Log string
	Record
}

// Trim deletes the records of a log whose Seq is less than Before.
type Trim struct {
	Log    string
	Before uint64
}

// MinTTL is the shortest lease, and MaxNameBytes the longest name of a kind, a room, a part or a log.
const (
	MinTTL       = 100 * time.Millisecond
	MaxNameBytes = 255
)

// Margin is how long takers wait beyond the end of a lease.
func Margin(ttl time.Duration) time.Duration { return ttl / 5 }

// Errors of a Store. They are wrapped; compare with errors.Is.
var (
	// ErrFenced: the room has another epoch, so another owner, or is gone.
	ErrFenced = errors.New("store: the room has another epoch by now")
	// ErrStale: a later batch of the same epoch has been carried out before.
	ErrStale = errors.New("store: a later batch of this epoch has been carried out before")
	// ErrLapsed: the owner's row is gone. It has to join anew, and has no rooms any more.
	ErrLapsed = errors.New("store: the owner has lapsed and was forgotten")
	// ErrNotFound: there is no such room.
	ErrNotFound = errors.New("store: no such room")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
)

// HeldError is the error of Acquire for a room that another owner has, whose lease has not ended.
type HeldError struct {
	Key   Key
	Owner Owner
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("store: room %s is held by %s (%s)", e.Key, e.Owner.Addr, e.Owner.ID)
}
