package room

import (
	"encoding/json"
	"errors"
	"github.com/gosocka/socka/store/snapshot"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// byPointer has its methods for JSON at the pointer.
type byPointer struct{ n int }

func (b *byPointer) MarshalJSON() ([]byte, error) { return json.Marshal(b.n) }
func (b *byPointer) UnmarshalJSON(p []byte) error { return json.Unmarshal(p, &b.n) }

// volatile fails or panics when it is written.
type volatile string

func (v volatile) MarshalText() ([]byte, error) {
	switch v {
	case "fails":
		return nil, errors.New("out of ink")
	case "panics":
		panic("out of paper")
	}
	return []byte("x" + v), nil
}

func (v *volatile) UnmarshalText(p []byte) error { *v = volatile(p); return nil }

// What Go tells apart is apart after a snapshot too: otherwise a test, which takes one after every turn, would pass where
// the room in production fails, or the other way round.
func TestSnapshotsKeepWhatGoKnows(t *testing.T) {
	type seat struct{ Name string }
	type state struct {
		Nil, Empty map[string]int
		None, Zero []int
		Board      [3]*seat
		ByName     map[string]*seat
		Nano       int64
		Big        uint64
		For        time.Duration
		Own        byPointer
		Owns       []byPointer
		Lost       int `json:"-"`
	}
	v := state{
		Empty: map[string]int{}, Zero: []int{}, Board: [3]*seat{1: {"Ada"}}, ByName: map[string]*seat{"nobody": nil},
		Nano: 1_700_000_000_123_456_789, Big: math.MaxUint64, For: math.MaxInt64, Own: byPointer{3}, Owns: []byPointer{{4}},
	}
	want := v
	v.Lost = 1
	if err := reload(snapshot.JSON, &v); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("came back as %+v, want %+v", v, want)
	}
}

func TestReloadSaysWhatIsLost(t *testing.T) {
	bad := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	text, number := "caf\xe9", math.NaN()
	bad(reload(snapshot.JSON, &text), "UTF-8")
	bad(reload(snapshot.JSON, &number), "NaN")
	for v, want := range map[volatile]string{"fails": "out of ink", "panics": "out of paper", "grows": "is not what was written"} {
		bad(reload(snapshot.JSON, &v), want)
	}
}

func TestCheckSnapshotTypeFindsFieldsThatShareAName(t *testing.T) {
	type Base struct{ ID int }
	type inner struct {
		Base
		ID string
	}
	bad := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	bad(checkSnapshotType[[]inner]("k", "State"), `State[].Base.ID and State[].ID are both "ID" in JSON`)
	bad(checkSnapshotType[map[string]byPointer]("k", "State"), "use *room.byPointer")
	for _, err := range []error{
		checkSnapshotType[struct {
			Base
			Own map[string]*byPointer
			At  map[string]time.Time
		}]("k", "State"),
		checkSnapshotType[map[volatile][2]byte]("k", "State"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
