package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// openTest opens a database, which is closed at the end of the test.
func openTest(t testing.TB, path string, clock *testClock) *Store {
	t.Helper()
	s, err := open(path, nil, clock.clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "rooms.db")
}

func joinTest(t testing.TB, s *Store) store.OwnerID {
	t.Helper()
	o, err := s.Join(t.Context(), store.Owner{Addr: "test"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func acquireTest(t testing.TB, s *Store, o store.OwnerID, name string) *store.Room {
	t.Helper()
	r, err := s.Acquire(t.Context(), o, chat(name))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func chat(name string) store.Key { return store.Key{Kind: "chat", Name: name} }

func wantHeld(t *testing.T, s *Store, o store.OwnerID, name string) {
	t.Helper()
	var held *store.HeldError
	if r, err := s.Acquire(t.Context(), o, chat(name)); !errors.As(err, &held) {
		t.Fatalf("Acquire of %s: %+v, %v; want it held", name, r, err)
	}
}

func dueNames(t *testing.T, s *Store, now time.Time) (names []string, next time.Time) {
	t.Helper()
	keys, next, err := s.Due(t.Context(), now, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return names, next
}

func ownerIDs(t *testing.T, s *Store) (ids []store.OwnerID) {
	t.Helper()
	list, err := s.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		ids = append(ids, o.ID)
	}
	return ids
}
