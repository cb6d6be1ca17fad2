package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
)

var listTests = []test{
	{"Nothing", testListNothing},
	{"Entries", testListEntries},
	{"Pages", testListPages},
	{"WithoutEmptyRooms", testListEmpty},
	{"BytewiseOrder", testListOrder},
	{"AfterWhatIsNotThere", testListAfterAbsent},
}

func (e *env) list(s store.Store, kind string, after store.Key, limit int) []store.Entry {
	e.Helper()
	list, err := s.List(e.Context(), kind, after, limit)
	if err != nil {
		e.Fatalf("List(%q, %s, %d): %v", kind, after, limit, err)
	}
	return list
}

func (e *env) wantList(kind string, after store.Key, limit int, want ...store.Key) {
	e.Helper()
	var got []store.Key
	for _, entry := range e.list(e.s, kind, after, limit) {
		got = append(got, entry.Key)
	}
	if !slices.Equal(got, want) {
		e.Fatalf("List(%q, after %q, %d): got %q, want %q", kind, after, limit, got, want)
	}
}

func testListNothing(e *env) {
	e.wantList("", store.Key{}, 10)
	e.wantList("chat", store.Key{}, 10)
	e.asleep(e.s, e.join(e.s, ttl), room3, time.Time{})
	e.wantList("chat", store.Key{}, 10)
	e.wantList("", room3, 10)
}

func testListEntries(e *env) {
	o := e.join(e.s, ttl)
	wake := e.now.Add(time.Hour)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "12345", "empty", "", "other", "123"),
		Append: []store.Append{appendTo("log", 1, "123"), appendTo("log", 2, "4567"), appendTo("other", 1, "8")}, Wake: wake,
	})
	e.asleep(e.s, o, room2, time.Time{})
	check := func(bytes1 int64, owner store.OwnerID) {
		e.Helper()
		list := e.list(e.open(), "chat", store.Key{}, 10)
		if len(list) != 2 {
			e.Fatalf("List: %+v, want two rooms", list)
		}
		loaded := e.load(e.s, room1)
		if got := list[0]; got.Key != room1 || got.Epoch != r.Epoch || got.Owner != owner || got.Bytes != bytes1 ||
			!got.Wake.Equal(wake) || !got.Updated.Equal(loaded.Updated) {
			e.Fatalf("List: %+v; want the epoch %d, owner %q, Wake %v, Updated %v and %d bytes", got, r.Epoch, owner, wake, loaded.Updated, bytes1)
		}
		if got := list[1]; got.Key != room2 || got.Owner != "" || got.Bytes != int64(len(room2.Name)) ||
			!got.Wake.IsZero() || got.Updated.IsZero() {
			e.Fatalf("List: %+v; want nobody's, no Wake, %d bytes", got, len(room2.Name))
		}
	}
	check(16, o.ID)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "1"), Delete: []string{"empty", "other"},
		Append: []store.Append{appendTo("log", 2, "45")}, Trim: []store.Trim{{Log: "log", Before: 2}}, Keep: true,
	})
	check(4, o.ID)
	e.leave(e.s, o)
	check(4, "")
}

func testListPages(e *env) {
	o := e.join(e.s, ttl)
	var all []store.Key
	for _, kind := range []string{"a", "ab", "b"} {
		for i := range 7 {
			all = append(all, store.Key{Kind: kind, Name: fmt.Sprint("room", i)})
		}
	}
	for i := range all {
		e.asleep(e.s, o, all[i*8%len(all)], time.Time{})
	}
	pages := func(kind string, limit int) []store.Key {
		var got []store.Key
		for range len(all) + 1 {
			var after store.Key
			if len(got) > 0 {
				after = got[len(got)-1]
			}
			page := e.list(e.s, kind, after, limit)
			if len(page) > limit {
				e.Fatalf("List with limit %d returned %d", limit, len(page))
			}
			for _, entry := range page {
				got = append(got, entry.Key)
			}
			if len(page) < limit {
				break
			}
		}
		return got
	}
	for _, limit := range []int{1, 2, 7, 10, 21, 100} {
		if got := pages("", limit); !slices.Equal(got, all) {
			e.Fatalf("all kinds by pages of %d: %v, want %v", limit, got, all)
		}
		for i, kind := range []string{"a", "ab", "b"} {
			if got := pages(kind, limit); !slices.Equal(got, all[7*i:7*i+7]) {
				e.Fatalf("kind %q by pages of %d: %v, want %v", kind, limit, got, all[7*i:7*i+7])
			}
		}
	}
	if got := pages("c", 5); len(got) != 0 {
		e.Fatalf("a kind without rooms: %v", got)
	}
}

func testListEmpty(e *env) {
	o := e.join(e.s, ttl)
	r1, r2, r3 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2), e.acquire(e.s, o, room3)
	e.wantList("", store.Key{}, 10)
	e.save(e.s,
		store.Batch{Key: room1, Epoch: r1.Epoch, Wake: e.now},
		store.Batch{Key: room2, Epoch: r2.Epoch, Append: []store.Append{appendTo("log", 1, "")}},
		store.Batch{Key: room3, Epoch: r3.Epoch, Put: parts("state", "")},
	)
	e.wantList("", store.Key{}, 10, room2, room3)
	e.wantList("", store.Key{}, 1, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Put: parts("state", "a")})
	e.wantList("", store.Key{}, 10, room1, room2, room3)
	e.save(e.s,
		store.Batch{Key: room2, Epoch: r2.Epoch, Trim: []store.Trim{{Log: "log", Before: 2}}},
		store.Batch{Key: room3, Epoch: r3.Epoch, Delete: []string{"state"}},
	)
	e.wantList("", store.Key{}, 10, room1)
}

func testListOrder(e *env) {
	o := e.join(e.s, ttl)
	var keys []store.Key
	for _, kind := range []string{"a", "\xff", "\x00"} {
		for _, name := range binaryNames() {
			keys = append(keys, store.Key{Kind: kind, Name: name})
		}
	}
	for _, k := range keys {
		e.asleep(e.s, o, k, time.Time{})
	}
	slices.SortFunc(keys, func(a, b store.Key) int {
		if a.Less(b) {
			return -1
		}
		return 1
	})
	e.wantList("", store.Key{}, 1000, keys...)
	e.wantList("\xff", store.Key{}, 1000, keys[2*len(keys)/3:]...)
	for i := range keys {
		e.wantList("", keys[i], 3, keys[i+1:min(i+4, len(keys))]...)
	}
}

func testListAfterAbsent(e *env) {
	o := e.join(e.s, ttl)
	for _, k := range []store.Key{room1, room2, room3} {
		e.asleep(e.s, o, k, time.Time{})
	}
	e.wantList("", store.Key{Kind: "a", Name: "zzz"}, 10, room1, room2, room3)
	e.wantList("", store.Key{Kind: "chat"}, 10, room1, room2, room3)
	e.wantList("", store.Key{Kind: "chat", Name: "p"}, 10, room2, room3)
	e.wantList("", store.Key{Kind: "chat", Name: "zzz"}, 10, room3)
	e.wantList("", store.Key{Kind: "zzz"}, 10)
	e.wantList("game", store.Key{Kind: "chat", Name: "zzz"}, 10, room3)
	e.wantList("chat", store.Key{Kind: "chat", Name: "one\x00"}, 10, room2)
	e.wantList("chat", store.Key{Kind: "game"}, 10)
}
