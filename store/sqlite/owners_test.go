package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// No query looks at more rows than it returns: whatever sleeps costs nothing.
func TestQueriesUseIndexes(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	bounded := map[*query]bool{qOwners: true, qTables: true} // of tables that are small
	err := s.read.do(t.Context(), "testing", func(c *conn) error {
		for _, q := range queries {
			stmt, _, err := c.db.Prepare(`EXPLAIN QUERY PLAN ` + q.sql)
			if err != nil {
				return fmt.Errorf("%s: %w", q.sql, err)
			}
			for stmt.Step() {
				if step := stmt.ColumnText(3); (strings.HasPrefix(step, "SCAN") || strings.Contains(step, "TEMP B-TREE")) && !bounded[q] {
					t.Errorf("%s\n%s", step, q.sql)
				}
			}
			if err := stmt.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An owner with very many rooms gives them back in several transactions.
func TestLeaveWithManyRooms(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	acquireTest(t, s, o, "first")
	const rooms = 2*leaveRooms + 5
	execTest(t, s, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO rooms (kind, name, epoch, batch, owner, linger, wake)
		SELECT 'chat', 'room' || i, 1, 0, (SELECT owner FROM rooms WHERE name = 'first'), 0, CASE WHEN i %% 2 THEN 1 END FROM n`, rooms))
	commits := countCommits(t, s)
	if err := s.Leave(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := commits(); got != 3 {
		t.Errorf("%d rooms were given back in %d transactions, want 3", rooms+1, got)
	}
	mine := joinTest(t, s)
	for _, name := range []string{"first", "room1", fmt.Sprint("room", rooms)} {
		acquireTest(t, s, mine, name)
	}
	due, _, err := s.Due(t.Context(), time.Now(), rooms)
	if want := rooms/2 + 1 - 2; err != nil || len(due) != want {
		t.Errorf("%d rooms are due (%v), want %d", len(due), err, want)
	}
	if err := s.Renew(t.Context(), o); !errors.Is(err, store.ErrLapsed) {
		t.Errorf("Renew after Leave: %v", err)
	}
}

// An owner is forgotten a day after its lease, if it has no rooms.
func TestForget(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	s := openTest(t, path, clock)
	bare, busy := joinTest(t, s), joinTest(t, s)
	r := acquireTest(t, s, busy, "one")
	known := func(o store.OwnerID) bool {
		t.Helper()
		err := s.Renew(t.Context(), o)
		if err != nil && !errors.Is(err, store.ErrLapsed) {
			t.Fatal(err)
		}
		return err == nil
	}
	clock.advance(24 * time.Hour)
	joinTest(t, s)
	if !known(bare) || !known(busy) {
		t.Error("an owner was forgotten 23 hours after its lease ended")
	}
	clock.advance(25*time.Hour + time.Minute)
	last := joinTest(t, s)
	if known(bare) {
		t.Error("an owner without rooms is known more than a day after its lease ended")
	}
	if !known(busy) {
		t.Error("an owner with a room was forgotten")
	}
	save(t, s, []store.Batch{{Key: r.Key, Epoch: r.Epoch, Then: store.Remove}})
	clock.advance(25*time.Hour + time.Minute)
	if joinTest(t, s); known(busy) || known(last) {
		t.Error("an owner whose rooms have gone is known more than a day after its lease ended")
	}
}
