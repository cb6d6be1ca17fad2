package sqlite

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storetest"
)

// testClock is the system's, set forward or back.
type testClock struct {
	mu            sync.Mutex
	passed, moved time.Duration
}

func (t *testClock) clock() clock {
	system := systemClock()
	read := func() (passed, moved time.Duration) {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.passed, t.moved
	}
	return clock{
		wall: func() time.Time {
			passed, moved := read()
			return system.wall().Add(passed + moved)
		},
		since: func() int64 {
			passed, _ := read()
			return system.since() + int64(passed)
		},
		id: system.id,
	}
}

// advance makes time pass, jump sets the wall clock.
func (t *testClock) advance(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passed += d
}

func (t *testClock) jump(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moved += d
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "rooms.db")
		clock := new(testClock)
		openOne := func(t *testing.T) store.Store {
			s, err := open(path, nil, clock.clock())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return storetest.Harness{
			Open:    openOne,
			Advance: func(_ *testing.T, d time.Duration) { clock.advance(d) },
			Jump:    func(_ *testing.T, d time.Duration) { clock.jump(d) },
			Backup: func(t *testing.T) func(t *testing.T) {
				backup := filepath.Join(t.TempDir(), "backup.db")
				s := openOne(t).(*Store)
				defer s.Close()
				if err := s.Backup(t.Context(), backup); err != nil {
					t.Fatal(err)
				}
				return func(t *testing.T) {
					for _, suffix := range []string{"", "-wal", shmSuffix} {
						if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
							t.Fatal(err)
						}
					}
					copyFile(t, backup, path)
				}
			},
		}
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
