package postgres_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// All that is asked of rooms goes by indexes, whether there are a few rooms or many, and whether or not Postgres has counted
// them: which rooms are locked first depends on that, and what it costs. The server says what it did.
func TestPlansUseIndexes(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off", "autovacuum=off", "session_preload_libraries=auto_explain",
		"auto_explain.log_min_duration=0", "auto_explain.log_nested_statements=on")
	url := server.Database(t)
	for _, c := range []struct {
		name    string
		rooms   int
		prepare string
	}{
		{"None", 0, "SELECT"},
		{"Few", 3, "ANALYZE"},
		{"NotCounted", 20_000, "SELECT"},
		{"Many", 20_000, "ANALYZE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			schema := strings.ToLower(c.name)
			s := open(t, url, &postgres.Options{Schema: schema, MaxConns: 1, Logger: quiet})
			server.Exec(t, url, strings.ReplaceAll(fmt.Sprintf(sleepingSQL, c.rooms), "@schema@", schema))
			server.Exec(t, url, c.prepare)
			server.ClearLog()
			useEverything(t, s)
			s.Close()
			plans := plansOf(t, server, schema)
			if n := len(plans); n < 20 {
				t.Fatalf("only %d plans were logged:\n%s", n, server.Log())
			}
			updates := 0
			for _, plan := range plans {
				if bad := wholeTable.FindString(plan); bad != "" {
					t.Errorf("a plan reads all of a table (%q):\n%s", bad, plan)
				}
				if strings.Contains(plan, "Update on rooms r") && strings.Contains(plan, "Function Scan on b ") {
					updates++
					if !oneByOne.MatchString(plan) {
						t.Errorf("save does not update rooms in the order of the batches:\n%s", plan)
					}
				}
			}
			if updates == 0 {
				t.Errorf("no update of save was logged:\n%s", server.Log())
			}
		})
	}
}

var (
	// A scan without bounds, or a join that reads one side as a whole.
	wholeTable = regexp.MustCompile(`Seq Scan on (rooms|parts|logs)|Bitmap|Hash Join|Merge Join|Materialize|Index (Only )?Scan using \w+ on (rooms|parts|logs)\b.*\n\s+[^I\s]`)
	oneByOne   = regexp.MustCompile(`Update on rooms r .*\n\s+->  Nested Loop .*\n\s+->  Function Scan on b .*\n\s+->  Index Scan using rooms_key on rooms r .*\n\s+Index Cond`)
)

// sleepingSQL makes rooms that sleep, and want to be woken in a hundred years.
const sleepingSQL = `
INSERT INTO @schema@.rooms (id, epoch, owner, kind, name, wake, linger, state)
SELECT i, i, 0, 'chat', convert_to('room' || i, 'UTF8'), 5000000000000000 + i, 0, 'state' FROM generate_series(1, %[1]d) i;
INSERT INTO @schema@.parts (room, part, data) SELECT i, 'other', 'data' FROM generate_series(1, %[1]d) i;
INSERT INTO @schema@.logs (room, log, seq, data) SELECT i, 'log', 1, 'data' FROM generate_series(1, %[1]d) i`

// useEverything makes calls of each kind.
func useEverything(t *testing.T, s *postgres.Store) {
	t.Helper()
	ctx := t.Context()
	o, err1 := s.Join(ctx, store.Owner{}, time.Hour)
	other, err2 := s.Join(ctx, store.Owner{}, time.Hour)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var batches []store.Batch
	for i := range 20 {
		key := store.Key{Kind: "chat", Name: "room" + strconv.Itoa(i+1)}
		r, err := s.Acquire(ctx, o.ID, key)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, store.Batch{
			Key: key, Epoch: r.Epoch, Number: 1,
			Put:    []store.Part{{Name: "state", Data: []byte("a")}, {Name: "other", Data: []byte("b")}},
			Delete: []string{"more"},
			Append: []store.Append{{Log: "log", Record: store.Record{Seq: 2, Data: []byte("c")}}},
			Trim:   []store.Trim{{Log: "log", Before: 2}},
			Then:   store.Then(i % 3),
		})
	}
	batches[19].Epoch--
	for i, err := range s.Save(ctx, batches) {
		if err != nil && i != 19 {
			t.Errorf("Save, batch %d: %v", i, err)
		}
	}
	var held *store.HeldError
	if _, err := s.Acquire(ctx, other.ID, batches[0].Key); !errors.As(err, &held) {
		t.Errorf("Acquire of a held room: %v", err)
	}
	_, err1 = s.Load(ctx, batches[0].Key)
	_, err2 = s.List(ctx, "", store.Key{}, 10)
	_, err3 := s.List(ctx, "chat", batches[0].Key, 10)
	_, _, err4 := s.Due(ctx, time.Now(), 10)
	_, err5 := s.Owners(ctx)
	err6 := s.Renew(ctx, o.ID)
	err7 := s.Leave(ctx, other.ID)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Error(err)
	}
}

// plansOf returns the plans of statements on a schema that the server has logged.
func plansOf(t *testing.T, server *postgrestest.Server, schema string) (plans []string) {
	t.Helper()
	// The log takes a moment.
	server.Exec(t, server.URL("postgres"), "SELECT 'the end of "+schema+"'")
	eventually(t, "the log has everything", func() bool { return strings.Contains(server.Log(), "the end of "+schema) })
	for entry := range strings.SplitSeq(server.Log(), " LOG:  duration: ") {
		_, plan, found := strings.Cut(entry, "Query Text: ")
		if found && strings.Contains(plan, `"`+schema+`".`) {
			plans = append(plans, plan)
		}
	}
	return plans
}

// With however many rooms that sleep, Due reads a few pages.
func TestDueReadsLittle(t *testing.T) {
	const rooms = 100_000
	server := postgrestest.Shared(t)
	url := server.Database(t)
	s := open(t, url, &postgres.Options{MaxConns: 1, Logger: quiet})
	server.Exec(t, url, strings.ReplaceAll(fmt.Sprintf(sleepingSQL, rooms), "@schema@", "socka"))
	ctx := t.Context()
	// Some that are due, and a dead owner with ten thousand rooms, one of which is due.
	o, err := s.Join(ctx, store.Owner{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, url, `
		UPDATE socka.rooms SET wake = id WHERE id <= 5;
		UPDATE socka.rooms SET owner = (SELECT n FROM socka.owners), linger = 3600000000000::bigint * 24 * id WHERE id > 90000;
		UPDATE socka.rooms SET linger = 0 WHERE id = 95000;
		UPDATE socka.owners SET expires = expires - 3600000000::bigint * 3`)
	for _, now := range []time.Time{time.Now(), time.Now().Add(time.Hour)} {
		keys, next, err := s.Due(ctx, now, 100)
		if err != nil || len(keys) != 6 || keys[0].Name != "room1" || keys[5].Name != "room95000" || next.Before(now) {
			t.Fatalf("Due: %v, next %v (%v), want rooms 1 to 5 and 95000", keys, next, err)
		}
	}
	plan, err := s.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+postgres.DueSQL, time.Now().UnixMicro(), int64(101))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "rooms_wake") || !strings.Contains(plan, "rooms_linger") {
		t.Errorf("the indexes are not used:\n%s", plan)
	}
	// The first line about buffers is of all.
	pages := 0
	line := regexp.MustCompile(`Buffers: shared (.*)`).FindString(plan)
	for _, n := range regexp.MustCompile(`\b(hit|read)=(\d+)`).FindAllStringSubmatch(line, -1) {
		count, _ := strconv.Atoi(n[2])
		pages += count
	}
	if pages == 0 || pages > 100 {
		t.Errorf("Due read %d pages, want a few; the rooms have thousands:\n%s", pages, plan)
	}
	if _, err := s.Acquire(ctx, o.ID, store.Key{Kind: "chat", Name: "room1"}); err != nil {
		t.Error(err)
	}
}
