package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// lab is a store with an owner whose lease does not end, in a database of its own.
type lab struct {
	*testing.T
	server *postgrestest.Server
	url    string
	s      *postgres.Store
	owner  store.OwnerID
}

func newLab(t *testing.T) *lab {
	t.Helper()
	server := postgrestest.Shared(t)
	l := &lab{T: t, server: server, url: server.Database(t)}
	l.s = open(t, l.url, &postgres.Options{Logger: quiet})
	o, err := l.s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.owner = o.ID
	return l
}

func chat(name any) store.Key { return store.Key{Kind: "chat", Name: fmt.Sprint(name)} }

func (l *lab) acquire(k store.Key) *store.Room {
	l.Helper()
	r, err := l.s.Acquire(l.Context(), l.owner, k)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// batches acquires rooms, and makes an empty batch for each.
func (l *lab) batches(n int) []store.Batch {
	l.Helper()
	list := make([]store.Batch, n)
	for i := range list {
		list[i].Key = chat(i)
		list[i].Epoch = l.acquire(list[i].Key).Epoch
	}
	return list
}

func (l *lab) save(batches ...store.Batch) {
	l.Helper()
	for i, err := range l.s.Save(l.Context(), batches) {
		if err != nil {
			l.Fatalf("batch %d of %s: %v", i, batches[i].Key, err)
		}
	}
}

func (l *lab) load(k store.Key) *store.Room {
	l.Helper()
	r, err := l.s.Load(l.Context(), k)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

func TestSavesOfManyBytesAreSplit(t *testing.T) {
	l := newLab(t)
	l.s.SetLimits(10_000, 5_000)
	batches := l.batches(9)
	for i := range batches {
		batches[i].Put = []store.Part{{Name: "state", Data: bytes.Repeat([]byte{byte(i)}, 1000*(i%5))}}
	}
	batches[2].Epoch--                                                             // fails in a part of its own
	batches[4].Put[0].Data = make([]byte, 5_000)                                   // with its names, more than is taken
	batches[7].Put[0].Data = make([]byte, 5_000-5-4-1)                             // as much as is taken
	batches[8].Append = []store.Append{{Log: "log", Record: store.Record{Seq: 0}}} // is not allowed
	errs := l.s.Save(t.Context(), batches)
	for i, err := range errs {
		switch i {
		case 2:
			if !errors.Is(err, store.ErrFenced) {
				t.Errorf("batch 2: %v, want ErrFenced", err)
			}
		case 4:
			if err == nil || !strings.Contains(err.Error(), `room "chat/4" has 5010 bytes, at most 5000`) {
				t.Errorf("batch 4: %v, want that it has too many bytes", err)
			}
		case 8:
			if err == nil || !strings.Contains(err.Error(), "Append[0] is 0") {
				t.Errorf("batch 8: %v, want that its Seq is wrong", err)
			}
		default:
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
			} else if got := l.load(batches[i].Key).Parts["state"]; !bytes.Equal(got, batches[i].Put[0].Data) {
				t.Errorf("batch %d: the room has %d bytes, want %d", i, len(got), len(batches[i].Put[0].Data))
			}
		}
	}
}

// Postgres takes no row twice in one statement.
func TestSaveOfTheSameThingTwice(t *testing.T) {
	l := newLab(t)
	b := l.batches(2)
	other := b[0]
	other.Put = []store.Part{{Name: "state", Data: []byte("of the second batch")}}
	for i := range 40 {
		data := []byte(strconv.Itoa(i))
		b[0].Put = append(b[0].Put, store.Part{Name: "state", Data: data}, store.Part{Name: "part", Data: data})
		b[0].Append = append(b[0].Append, store.Append{Log: "log", Record: store.Record{Seq: 1, Data: data}}, store.Append{Log: "log", Record: store.Record{Seq: 2, Data: data}})
		b[0].Delete = append(b[0].Delete, "gone")
		b[0].Trim = append(b[0].Trim, store.Trim{Log: "log", Before: 1})
	}
	errs := l.s.Save(t.Context(), []store.Batch{b[0], b[1], other})
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || !strings.Contains(errs[2].Error(), "two batches of one call are of the same room") {
		t.Errorf("Save: %v; want that the third is of the same room as the first", errs)
	}
	r := l.load(b[0].Key)
	if string(r.Parts["state"]) != "39" || string(r.Parts["part"]) != "39" || len(r.Logs["log"]) != 2 || string(r.Logs["log"][0].Data) != "39" {
		t.Errorf("the room is %+v, want the last of each", r)
	}
}

// The state is kept elsewhere than other parts. That does not show.
func TestStateIsAPartLikeOthers(t *testing.T) {
	l := newLab(t)
	b := l.batches(1)[0]
	check := func(want map[string]string) {
		t.Helper()
		r, err := l.s.Load(t.Context(), b.Key)
		if len(want) == 0 {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load: %v, %v; want ErrNotFound", r, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var bytes int64
		for name, data := range want {
			if got, ok := r.Parts[name]; !ok || got == nil || string(got) != data {
				t.Errorf("part %s is %q, %v; want %q", name, got, ok, data)
			}
			bytes += int64(len(data))
		}
		if len(r.Parts) != len(want) {
			t.Errorf("the room has the parts %q, want %q", r.Parts, want)
		}
		if list, err := l.s.List(t.Context(), "", store.Key{}, 10); err != nil || len(list) != 1 || list[0].Bytes != bytes {
			t.Errorf("List: %+v, %v; want a room of %d bytes", list, err, bytes)
		}
	}
	do := func(put []store.Part, remove ...string) {
		b.Put, b.Delete = put, remove
		l.save(b)
	}
	part := func(name, data string) store.Part { return store.Part{Name: name, Data: []byte(data)} }
	check(nil)
	do([]store.Part{part("state", "abc"), part("other", "de")})
	check(map[string]string{"state": "abc", "other": "de"})
	do([]store.Part{{Name: "state"}, {Name: "other"}}) // nil is empty
	check(map[string]string{"state": "", "other": ""})
	do(nil, "other")
	check(map[string]string{"state": ""})
	do([]store.Part{part("other", "de")}, "state")
	check(map[string]string{"other": "de"})
	do([]store.Part{part("state", "abc")}, "other", "other")
	check(map[string]string{"state": "abc"})
	do(nil, "state", "state", "never was")
	check(nil)
}

// Two handles save the same rooms at the same time, in all orders.
func TestSavesDoNotDeadlock(t *testing.T) {
	const rooms, handles, rounds = 30, 4, 25
	l := newLab(t)
	batches := l.batches(rooms)
	var wg sync.WaitGroup
	for h := range handles {
		s := open(t, l.url, &postgres.Options{Logger: quiet})
		rnd := rand.New(rand.NewPCG(uint64(h), 0))
		wg.Go(func() {
			for round := range rounds {
				list := slices.Clone(batches)
				rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				for i := range list {
					list[i].Put = []store.Part{{Name: "part", Data: []byte(strconv.Itoa(round))}}
					list[i].Wake = time.UnixMicro(rnd.Int64N(1000)) // moves the row in an index
				}
				for i, err := range s.Save(t.Context(), list) {
					if err != nil {
						t.Errorf("batch %d of %s: %v", i, list[i].Key, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if n := l.server.Exec(t, l.url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != "0" {
		t.Errorf("%s deadlocks", n)
	}
}

// Parts that are saved again and again do not make tables and indexes grow.
func TestTablesDoNotGrow(t *testing.T) {
	const rooms, rounds = 100, 100
	l := newLab(t)
	batches := l.batches(rooms)
	data := make([]byte, 200)
	round := func() {
		for i := range batches {
			b := &batches[i]
			b.Number++
			b.Put = []store.Part{{Name: "state", Data: data}, {Name: "other", Data: data}}
		}
		l.save(batches...)
	}
	size := func(table string) int {
		n, err := strconv.Atoi(l.server.Exec(t, l.url, "SELECT pg_relation_size('socka."+table+"')"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	relations := []string{"rooms", "rooms_key", "parts", "parts_pkey"}
	before := make([]int, len(relations))
	round()
	for i, table := range relations {
		before[i] = size(table)
	}
	for range rounds {
		round()
	}
	for i, table := range relations {
		// Without room on its page for every second row a table would have grown a hundredfold.
		if after := size(table); after > 4*before[i] {
			t.Errorf("%s has grown from %d to %d bytes in %d saves of %d rooms", table, before[i], after, rounds, rooms)
		}
	}
}

func TestLargeParts(t *testing.T) {
	l := newLab(t)
	b := l.batches(1)[0]
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	text := bytes.Repeat([]byte("all work and no play "), 50_000)
	b.Put = []store.Part{{Name: "state", Data: noise}, {Name: "other", Data: text}}
	b.Append = []store.Append{{Log: "log", Record: store.Record{Seq: 1, Data: noise[:1<<20]}}}
	l.save(b)
	b.Put = []store.Part{{Name: "small", Data: []byte("a")}}
	b.Append = nil
	l.save(b)
	for _, r := range []*store.Room{l.load(b.Key), l.acquire(b.Key)} {
		if !bytes.Equal(r.Parts["state"], noise) || !bytes.Equal(r.Parts["other"], text) || !bytes.Equal(r.Logs["log"][0].Data, noise[:1<<20]) {
			t.Error("large parts are not what was saved")
		}
	}
	if list, err := l.s.List(t.Context(), "chat", store.Key{}, 1); err != nil || list[0].Bytes != int64(len(noise)+len(text)+1<<20+1) {
		t.Errorf("List: %+v, %v", list, err)
	}
	// What can be compressed is.
	if n, _ := strconv.Atoi(l.server.Exec(t, l.url, "SELECT max(pg_column_size(data)) FROM socka.parts WHERE part = 'other'")); n > len(text)/10 {
		t.Errorf("%d bytes of text take %d", len(text), n)
	}
}

// Epochs never fall behind the clock, nor behind one another, whatever a backup made of the sequence.
func TestEpochsFollowTheClock(t *testing.T) {
	l := newLab(t)
	clock := func() store.Epoch {
		n, err := strconv.ParseUint(l.server.Exec(t, l.url, "SELECT socka.clock()"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return store.Epoch(n)
	}
	between := func(what string, low, high, epoch store.Epoch) {
		t.Helper()
		if epoch < low || epoch > high {
			t.Errorf("%s: epoch %d, want from %d to %d", what, epoch, low, high)
		}
	}
	start := clock()
	first := l.acquire(chat("a")).Epoch
	between("at first", start, clock(), first)
	// Put back to long ago.
	l.server.Exec(t, l.url, "SELECT setval('socka.epochs', 5)")
	start = clock()
	second := l.acquire(chat("b")).Epoch
	between("sequence put back", start, clock(), second)
	// Given in the future, by a clock that was wrong: a new room, and the same again after its row is gone.
	const hour = 3_600_000_000
	ahead := clock() + hour
	l.server.Exec(t, l.url, fmt.Sprintf("SELECT setval('socka.epochs', %d)", ahead))
	c := l.acquire(chat("c"))
	between("clock behind", ahead+1, ahead+1, c.Epoch)
	l.save(store.Batch{Key: c.Key, Epoch: c.Epoch, Then: store.Remove})
	between("clock behind, after Remove", ahead+2, ahead+2, l.acquire(chat("c")).Epoch)
	// The sequence is lost, and the room has an epoch of the future.
	l.server.Exec(t, l.url, "SELECT setval('socka.epochs', 5)")
	between("sequence lost", ahead+3, ahead+3, l.acquire(chat("c")).Epoch)
	between("after that", ahead+4, ahead+4, l.acquire(chat("d")).Epoch)
}

// Rows of owners that are gone are kept for a time, and longer while rooms refer to them.
func TestOwnersAreForgotten(t *testing.T) {
	l := newLab(t)
	var ids []store.OwnerID
	for range 5 {
		o, err := l.s.Join(t.Context(), store.Owner{}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	for _, i := range []int{1, 3} { // two of them have a room, without any wish to be woken
		key := chat(i)
		r, err := l.s.Acquire(t.Context(), ids[i], key)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.s.Save(t.Context(), []store.Batch{{Key: key, Epoch: r.Epoch, Linger: -1}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 1} {
		if err := l.s.Leave(t.Context(), ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	// want: which of the five are still there.
	check := func(what string, advance time.Duration, want string) {
		t.Helper()
		l.server.Exec(t, l.url, "UPDATE socka.owners SET expires = expires - "+micros(advance))
		if err := l.s.Renew(t.Context(), ids[4]); err != nil {
			t.Fatal(err)
		}
		if _, err := l.s.Join(t.Context(), store.Owner{}, 0); err != nil {
			t.Fatal(err)
		}
		var got string
		for _, id := range ids {
			got += l.server.Exec(t, l.url, "SELECT count(*) FROM socka.owners WHERE id = '"+string(id)+"'")
		}
		if got != want {
			t.Errorf("%s: rows of owners %s, want %s", what, got, want)
		}
	}
	check("at first", 0, "11111")
	check("after two hours", 2*time.Hour, "01111")
	check("after more than a day", 23*time.Hour, "01011")
	l.save(store.Batch{Key: chat(1), Epoch: l.acquire(chat(1)).Epoch, Then: store.Release})
	check("with one room less", 0, "00011")
	if err := l.s.Renew(t.Context(), ids[3]); err != nil {
		t.Errorf("Renew of one that has a room: %v", err)
	}
}
