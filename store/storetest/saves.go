package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/store"
)

var saveTests = []test{
	{"None", testSaveNone},
	{"Twice", testSaveTwice},
	{"RemoveTwice", testRemoveTwice},
	{"Independent", testSaveIndependent},
	{"WholeOrNotAtAll", testSaveWhole},
	{"WholeForReaders", testSaveWholeForReaders},
	{"Refused", testSaveRefused},
	{"RefusedAmongOthers", testSaveRefusedAmongOthers},
	{"Keep", testSaveKeep},
	{"Release", testSaveRelease},
	{"Remove", testSaveRemove},
	{"Updated", testSaveUpdated},
	{"Copies", testSaveCopies},
	{"Reopened", testSaveReopened},
}

func testSaveNone(e *env) {
	if errs := e.s.Save(e.Context(), nil); len(errs) != 0 {
		e.Errorf("Save of no batches returned %v", errs)
	}
}

func testSaveTwice(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a", "old", "b"),
		Append: []store.Append{appendTo("log", 1, "a"), appendTo("log", 2, "b"), appendTo("log", 3, "c")},
	})
	wake := e.now.Add(time.Hour)
	b := store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "c", "new", "d"), Delete: []string{"old", "absent"},
		Append: []store.Append{appendTo("log", 3, "C"), appendTo("log", 4, "d"), appendTo("other", 9, "e"), appendTo("log", 1, "again")},
		Trim:   []store.Trim{{Log: "log", Before: 2}, {Log: "absent", Before: 5}}, Wake: wake, Linger: time.Minute,
	}
	want := &store.Room{
		Key: room1, Epoch: r.Epoch, Owner: o.ID, Wake: wake, Linger: time.Minute,
		Parts: map[string][]byte{"state": []byte("c"), "new": []byte("d")},
		Logs: map[string][]store.Record{
			"log":   {{Seq: 1, Data: []byte("again")}, {Seq: 2, Data: []byte("b")}, {Seq: 3, Data: []byte("C")}, {Seq: 4, Data: []byte("d")}},
			"other": {{Seq: 9, Data: []byte("e")}},
		},
	}
	for range 3 {
		e.save(e.s, b)
		e.wantSame(e.load(e.s, room1), want)
	}
	b.Then, want.Owner = store.Release, ""
	for range 3 {
		e.save(e.s, b)
		e.wantSame(e.load(e.s, room1), want)
	}
}

func testRemoveTwice(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	b := store.Batch{Key: room1, Epoch: r.Epoch, Then: store.Remove}
	e.save(e.s, b)
	e.wantFenced(e.s, b)
}

func testSaveIndependent(e *env) {
	o := e.join(e.s, ttl)
	const n = 12
	batches := make([]store.Batch, n)
	for i := range batches {
		k := store.Key{Kind: "chat", Name: fmt.Sprint(i)}
		batches[i] = store.Batch{Key: k, Put: parts("state", "old")}
		if i%4 == 3 {
			continue // it is not there
		}
		batches[i].Epoch = e.acquire(e.s, o, k).Epoch
		if i%4 == 1 {
			e.acquire(e.s, o, k)
		}
	}
	errs := e.s.Save(e.Context(), batches)
	if len(errs) != n {
		e.Fatalf("Save of %d batches returned %d errors", n, len(errs))
	}
	other := e.open()
	for i, b := range batches {
		if i%2 == 1 {
			if !errors.Is(errs[i], store.ErrFenced) {
				e.Errorf("batch %d: error %v, want ErrFenced", i, errs[i])
			}
			if r, err := other.Load(e.Context(), b.Key); !errors.Is(err, store.ErrNotFound) {
				e.Errorf("batch %d was fenced, and Load says %+v, %v", i, r, err)
			}
			continue
		}
		if errs[i] != nil {
			e.Errorf("batch %d: error %v", i, errs[i])
			continue
		}
		e.wantParts(e.load(other, b.Key), "state", "old")
	}
}

func testSaveWhole(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}})
	want := e.load(e.s, room1)
	// All that is wrong with these comes last.
	long := strings.Repeat("n", store.MaxNameBytes+1)
	for name, b := range map[string]store.Batch{
		"a part's name":  {Put: parts("state", "x", "other", "y", long, "z"), Then: store.Release},
		"a log's name":   {Put: parts("state", "x"), Append: []store.Append{appendTo("log", 2, "y"), appendTo(long, 1, "z")}},
		"a Seq":          {Put: parts("state", "x"), Append: []store.Append{appendTo("log", 2, "y"), appendTo("log", 1<<63, "z")}},
		"an unknown end": {Put: parts("state", "x"), Trim: []store.Trim{{Log: "log", Before: 5}}, Then: store.Remove + 1},
	} {
		b.Key, b.Epoch = room1, r.Epoch
		if err := e.trySave(e.s, b); err == nil {
			e.Errorf("a batch with %s that is not allowed was saved", name)
		}
		e.wantSame(e.load(e.s, room1), want)
	}
}

// While one handle saves, another sees every batch as a whole.
func testSaveWholeForReaders(e *env) {
	const rounds = 40
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	write := func(i int) error {
		value := fmt.Sprint(i)
		return e.trySave(e.s, store.Batch{
			Key: room1, Epoch: r.Epoch, Put: parts("a", value, "b", value),
			Append: []store.Append{appendTo("log", uint64(i), value), appendTo("mirror", uint64(i), value)},
			Trim:   []store.Trim{{Log: "log", Before: uint64(i)}, {Log: "mirror", Before: uint64(i)}},
		})
	}
	if err := write(1); err != nil {
		e.Fatal(err)
	}
	other := e.open()
	stop := make(chan struct{})
	var loads atomic.Int32
	var wg sync.WaitGroup
	wg.Go(func() {
		defer loads.Store(rounds)
		for {
			loads.Add(1)
			got, err := other.Load(e.Context(), room1)
			if err != nil {
				e.Errorf("Load: %v", err)
				return
			}
			log, mirror := got.Logs["log"], got.Logs["mirror"]
			if !bytes.Equal(got.Parts["a"], got.Parts["b"]) || len(log) != 1 || len(mirror) != 1 ||
				log[0].Seq != mirror[0].Seq || !bytes.Equal(log[0].Data, got.Parts["a"]) {
				e.Errorf("a reader saw half a batch: %+v", *got)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	// Until both have done enough, so that they have done it at once.
	for i := 2; i <= rounds || loads.Load() < rounds; i++ {
		if err := write(i); err != nil {
			e.Errorf("Save: %v", err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

// badBatches are refused by what they say, whatever the store has.
func badBatches() map[string]store.Batch {
	long := strings.Repeat("n", store.MaxNameBytes+1)
	return map[string]store.Batch{
		"Put without a name":       {Put: parts("", "x")},
		"Put with a long name":     {Put: parts(long, "x")},
		"Delete without a name":    {Delete: []string{""}},
		"Delete with a long name":  {Delete: []string{long}},
		"Append without a name":    {Append: []store.Append{appendTo("", 1, "x")}},
		"Append with a long name":  {Append: []store.Append{appendTo(long, 1, "x")}},
		"Append with Seq 0":        {Append: []store.Append{appendTo("log", 0, "x")}},
		"Append with Seq 1<<63":    {Append: []store.Append{appendTo("log", 1<<63, "x")}},
		"Append with Seq 1<<64-1":  {Append: []store.Append{appendTo("log", 1<<64-1, "x")}},
		"Trim without a name":      {Trim: []store.Trim{{Before: 1}}},
		"Trim with a long name":    {Trim: []store.Trim{{Log: long, Before: 1}}},
		"a Number of 1<<63":        {Number: 1 << 63, Put: parts("state", "x")},
		"an unknown Then":          {Then: store.Remove + 1},
		"another unknown Then":     {Then: 255},
		"Remove and a long name":   {Put: parts(long, "x"), Then: store.Remove},
		"Release and Append Seq 0": {Append: []store.Append{appendTo("log", 0, "x")}, Then: store.Release},
	}
}

func testSaveRefused(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}})
	want := e.load(e.s, room1)
	for name, b := range badBatches() {
		b.Key, b.Epoch = room1, r.Epoch
		if err := e.trySave(e.s, b); err == nil || errors.Is(err, store.ErrFenced) {
			e.Errorf("%s: error %v; want one that says that it is not allowed", name, err)
		}
		e.wantSame(e.load(e.s, room1), want)
	}
	for _, k := range badKeys() {
		if err := e.trySave(e.s, store.Batch{Key: k, Epoch: r.Epoch}); err == nil || errors.Is(err, store.ErrFenced) {
			e.Errorf("room %.20q: error %v; want one that says that the name is not allowed", k.String(), err)
		}
	}
}

func testSaveRefusedAmongOthers(e *env) {
	o := e.join(e.s, ttl)
	r1, r2, r3 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2), e.acquire(e.s, o, room3)
	errs := e.s.Save(e.Context(), []store.Batch{
		{Key: room1, Epoch: r1.Epoch, Put: parts("state", "a")},
		{Key: room2, Epoch: r2.Epoch, Append: []store.Append{appendTo("log", 0, "b")}},
		{Key: room3, Epoch: r3.Epoch, Put: parts("state", "c")},
	})
	if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil {
		e.Fatalf("Save of a refused batch among two good ones: %v", errs)
	}
	e.wantParts(e.load(e.s, room1), "state", "a")
	e.wantParts(e.load(e.s, room3), "state", "c")
}

func testSaveKeep(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	wake := e.now.Add(time.Hour)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Wake: wake, Linger: time.Minute})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "b"), Keep: true})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "c"), Keep: true, Wake: wake.Add(time.Hour), Linger: time.Hour})
	if got := e.load(e.s, room1); !got.Wake.Equal(wake) || got.Linger != time.Minute {
		e.Fatalf("after Keep: Wake %v, Linger %v; want %v and %v", got.Wake, got.Linger, wake, time.Minute)
	}
	e.wantParts(e.load(e.s, room1), "state", "c")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Keep: true, Then: store.Release})
	if next := e.wantDue(e.s, e.now); !next.Equal(wake) {
		e.Fatalf("released with Keep: next is %v, want %v", next, wake)
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Then: store.Release})
	if got := e.load(e.s, room1); !got.Wake.IsZero() || got.Linger != 0 {
		e.Fatalf("without Keep: Wake %v, Linger %v; want none and 0", got.Wake, got.Linger)
	}
}

func testSaveRelease(e *env) {
	a := e.join(e.s, ttl)
	other := e.open()
	b := e.join(other, ttl)
	r := e.acquire(e.s, a, room1)
	e.wantHeld(other, b, room1, a)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Then: store.Release})
	if got := e.load(other, room1); got.Owner != "" || got.Epoch != r.Epoch {
		e.Fatalf("released: owner %q, epoch %d; want nobody and %d", got.Owner, got.Epoch, r.Epoch)
	}
	e.wantParts(e.acquire(other, b, room1), "state", "a")
	// An empty room can be released as well, and stays nobody's.
	r = e.acquire(e.s, a, room2)
	e.save(e.s, store.Batch{Key: room2, Epoch: r.Epoch, Then: store.Release})
	e.acquire(other, b, room2)
}

func testSaveRemove(e *env) {
	o := e.join(e.s, ttl)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	for _, r := range []*store.Room{r1, r2} {
		e.save(e.s, store.Batch{
			Key: r.Key, Epoch: r.Epoch, Put: parts("state", "a", "other", "b"), Append: []store.Append{appendTo("log", 1, "c")}, Wake: e.now,
		})
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Put: parts("state", "last words"), Wake: e.now, Then: store.Remove})
	list, err := e.open().List(e.Context(), "", store.Key{}, 10)
	if err != nil || len(list) != 1 || list[0].Key != room2 {
		e.Fatalf("List after Remove: %v (%v), want %s alone", list, err, room2)
	}
	e.leave(e.s, o)
	e.wantDue(e.s, e.now, room2)
}

func testSaveUpdated(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	first := e.load(e.s, room1).Updated
	if first.IsZero() {
		e.Fatal("a saved room has no Updated")
	}
	e.advance(ttl + margin + slack)
	r = e.acquire(e.s, e.join(e.s, ttl), room1)
	if !r.Updated.Equal(first) {
		e.Fatalf("Acquire changed Updated from %v to %v", first, r.Updated)
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Keep: true})
	if second := e.load(e.s, room1).Updated; second.Before(first) {
		e.Fatalf("Updated went back from %v to %v", first, second)
	}
}

func testSaveCopies(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	part, record := []byte("part"), []byte("record")
	b := store.Batch{
		Key: room1, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: part}},
		Append: []store.Append{{Log: "log", Record: store.Record{Seq: 1, Data: record}}},
	}
	e.save(e.s, b)
	spoil := func(r *store.Room) {
		copy(r.Parts["state"], "XXXX")
		copy(r.Logs["log"][0].Data, "XXXXXX")
		r.Logs["log"][0].Seq = 99
		r.Parts["mine"] = nil
		delete(r.Logs, "log")
	}
	copy(part, "XXXX")
	copy(record, "XXXXXX")
	b.Put[0].Name, b.Append[0].Log = "mine", "mine"
	spoil(e.load(e.s, room1))
	spoil(e.acquire(e.s, o, room1))
	got := e.load(e.s, room1)
	e.wantParts(got, "state", "part")
	e.wantLog(got, "log", "1:record")
}

func testSaveReopened(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	wake := e.now.Add(time.Hour)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a", "empty", ""), Append: []store.Append{appendTo("log", 1, "b")},
		Wake: wake, Linger: time.Minute,
	})
	want := e.load(e.s, room1)
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	s := e.open()
	e.wantSame(e.load(s, room1), want)
	e.wantOwners(s, o.ID)
	e.wantHeld(s, e.join(s, ttl), room1, o)
	e.save(s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "b")})
	e.renew(s, o)
}
