package persist

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// served is a server on a counted store in memory.
func served(t *testing.T, c Config) (*Server, *Counter) {
	t.Helper()
	kept, counter := Count(store.NewMemory())
	c.Store = kept
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Failed(); err != nil {
			t.Error(err)
		}
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, counter
}

func TestEachEchoIsSavedWithItsState(t *testing.T) {
	s, counter := served(t, Config{Policy: "eachturn"})
	for i := range 3 {
		before := counter.Counts()
		if _, err := room.Ask(t.Context(), s.Room("bench", "a"), Echo, Body{TS: int64(i), Tag: "mark"}, room.Create()); err != nil {
			t.Fatal(err)
		}
		got := counter.Counts().Minus(before)
		if got.Saves != 1 || got.Batches != 1 || i > 0 && (got.Bytes < StateBytes || got.Bytes > StateBytes+50) {
			t.Errorf("turn %d gave %+v to the store, want one room with some %d bytes", i, got, StateBytes)
		}
	}
}

func TestOnSleepSavesNothingBeforeSleep(t *testing.T) {
	s, counter := served(t, Config{Policy: "onsleep"})
	for i := range 3 {
		if _, err := room.Ask(t.Context(), s.Room("bench", "a"), Echo, Body{TS: int64(i), Tag: "mark"}, room.Create()); err != nil {
			t.Fatal(err)
		}
	}
	if got := counter.Counts(); got != (Counts{}) {
		t.Errorf("the store was given %+v", got)
	}
}

func TestLargeRooms(t *testing.T) {
	for name, c := range map[string]struct {
		Config
		grows bool
	}{
		"growing": {Config{Policy: "eachturn"}, true},
		"bounded": {Config{Policy: "eachturn", Bounded: true}, false},
		"msgpack": {Config{Policy: "eachturn", Msgpack: true}, true},
	} {
		s, kept := served(t, c.Config)
		size := func() int { return bytesOf(t, kept) }
		for i := range 3 {
			if _, err := room.Ask(t.Context(), s.Room("log", "a"), Append, Line{LineOf(i)}, room.Create()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		before := size()
		if before < LargeBytes*95/100 {
			t.Errorf("%s: the room keeps %d bytes, want some %d", name, before, LargeBytes)
		}
		for i := range 100 {
			if _, err := room.Ask(t.Context(), s.Room("log", "a"), Append, Line{LineOf(i)}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if after := size(); (after > before+50*LineBytes) != c.grows {
			t.Errorf("%s: it kept %d bytes, and %d after 100 more turns", name, before, after)
		}
	}
}

// bytesOf is how many bytes the store has of the large room.
func bytesOf(t *testing.T, kept store.Store) (n int) {
	t.Helper()
	r, err := kept.Load(t.Context(), store.Key{Kind: "log", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := snapshot.Apply(r.Parts["state"], patches(r.Logs["state"])...)
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

func patches(log []store.Record) (list [][]byte) {
	for _, rec := range log {
		list = append(list, rec.Data)
	}
	return list
}

func TestLinesAreAsLongAsTheySay(t *testing.T) {
	for _, i := range []int{0, 7, 10_485, 1 << 30} {
		text, err := json.Marshal(LineOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(text)+len(",") != LineBytes {
			t.Errorf("line %d takes %d bytes and a comma, want %d in all", i, len(text), LineBytes)
		}
	}
}

// mute is a store without more than it must have.
type mute struct{ store.Store }

func TestACountedStoreTellsOfChangesIfItDid(t *testing.T) {
	plain, _ := Count(mute{store.NewMemory()})
	if _, ok := plain.(store.Notifier); ok {
		t.Error("a store that cannot tell of changes can, once counted")
	}
	telling, _ := Count(store.NewMemory())
	if _, ok := telling.(store.Notifier); !ok {
		t.Error("a store that tells of changes does not, once counted")
	}
}

func TestCommitsOfSQLiteAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rooms.db")
	s, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o, err := s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b", "c"} {
		before, err := Commits(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Acquire(t.Context(), o.ID, store.Key{Kind: "bench", Name: name}); err != nil {
			t.Fatal(err)
		}
		after, err := Commits(path)
		if err != nil {
			t.Fatal(err)
		}
		if after-before != 1 {
			t.Errorf("call %d: %d commits, want 1", i, after-before)
		}
	}
}

func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	if _, err := Open(t.Context(), "floppy:A"); err == nil || !strings.Contains(err.Error(), `"floppy:A"`) {
		t.Errorf("error %v, want one that names it", err)
	}
	if _, err := NewServer(Config{Policy: "never"}); err == nil || !strings.Contains(err.Error(), `"never"`) {
		t.Errorf("error %v, want one that names the policy", err)
	}
}
