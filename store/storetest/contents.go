package storetest

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/gosocka/socka/store"
)

var partTests = []test{
	{"PutAndDelete", testPartsPutDelete},
	{"Empty", testPartsEmpty},
	{"BinaryNames", testBinaryNames},
	{"BinaryValues", testBinaryValues},
	{"Large", testPartsLarge},
	{"ManyInOneRoom", testPartsMany},
}

var logTests = []test{
	{"OrderAndReplacement", testLogOrder},
	{"SeqRange", testLogSeqRange},
	{"Trim", testLogTrim},
	{"TrimComesBeforeAppend", testLogTrimBeforeAppend},
	{"Empty", testLogEmpty},
	{"Apart", testLogsApart},
	{"Sliding", testLogSliding},
}

func testPartsPutDelete(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	put := func(b store.Batch) {
		e.Helper()
		b.Key, b.Epoch = room1, r.Epoch
		e.save(e.s, b)
	}
	put(store.Batch{Put: parts("state", "a", "alarms", "b")})
	put(store.Batch{Put: parts("sessions", "c")})
	e.wantParts(e.load(e.s, room1), "state", "a", "alarms", "b", "sessions", "c")
	put(store.Batch{Put: parts("state", "longer than before"), Delete: []string{"alarms"}})
	e.wantParts(e.load(e.s, room1), "state", "longer than before", "sessions", "c")
	put(store.Batch{Put: parts("state", "d"), Delete: []string{"alarms", "absent"}})
	e.wantParts(e.load(e.s, room1), "state", "d", "sessions", "c")
	put(store.Batch{Keep: true})
	e.wantParts(e.load(e.open(), room1), "state", "d", "sessions", "c")
}

func testPartsEmpty(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: []store.Part{{Name: "nil"}, {Name: "empty", Data: []byte{}}},
	})
	e.wantParts(e.load(e.open(), room1), "nil", "", "empty", "")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("nil", "a"), Delete: []string{"empty"}})
	e.wantParts(e.load(e.s, room1), "nil", "a")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: []store.Part{{Name: "nil"}}})
	e.wantParts(e.load(e.s, room1), "nil", "")
}

// binaryNames are names that text would not survive, two of them as long as a name may be.
func binaryNames() []string {
	all := make([]byte, 255)
	for i := range all {
		all[i] = byte(i)
	}
	return []string{
		"\x00", "\x00\x00", "a\x00b", "a", "A", "a ", " a", "\xff", "\xff\xfe", "\xc3\x28", "é", "e\u0301",
		"%", "_", "'", "\"", "\\", "\\x61", "a/b", "/",
		string(all), strings.Repeat("\xff", store.MaxNameBytes),
	}
}

func testBinaryNames(e *env) {
	o := e.join(e.s, ttl)
	names := binaryNames()
	var want []string
	var batch store.Batch
	for i, name := range names {
		batch.Put = append(batch.Put, store.Part{Name: name, Data: []byte(fmt.Sprint(i))})
		batch.Append = append(batch.Append, appendTo(name, 1, fmt.Sprint(i)))
		want = append(want, name, fmt.Sprint(i))
	}
	other := e.open()
	for i, name := range names {
		k := store.Key{Kind: name, Name: names[len(names)-1-i]}
		batch.Key, batch.Epoch = k, e.acquire(e.s, o, k).Epoch
		e.save(e.s, batch)
	}
	for i, name := range names {
		k := store.Key{Kind: name, Name: names[len(names)-1-i]}
		got := e.load(other, k)
		e.wantParts(got, want...)
		for i, name := range names {
			e.wantLog(got, name, "1:"+fmt.Sprint(i))
		}
	}
	// And each of them can be deleted, alone.
	k := store.Key{Kind: names[0], Name: names[len(names)-1]}
	epoch := e.load(other, k).Epoch
	for i, name := range names {
		e.save(e.s, store.Batch{Key: k, Epoch: epoch, Delete: []string{name}, Trim: []store.Trim{{Log: name, Before: 2}}})
		if i == len(names)-1 {
			break
		}
		got := e.load(other, k)
		e.wantParts(got, want[2*(i+1):]...)
		if len(got.Logs) != len(names)-1-i || got.Logs[name] != nil {
			e.Fatalf("%d logs are left after the records of %d were trimmed, want %d", len(got.Logs), i+1, len(names)-1-i)
		}
	}
}

func testBinaryValues(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	values := []string{"\x00", "\x00a\x00", "\xff\xfe\xfd", "\\x00", "'", strings.Repeat("\x00", 1000)}
	b := store.Batch{Key: room1, Epoch: r.Epoch}
	for i, v := range values {
		b.Put = append(b.Put, parts(fmt.Sprint(i), v)...)
		b.Append = append(b.Append, appendTo("log", uint64(i+1), v))
	}
	e.save(e.s, b)
	got := e.load(e.open(), room1)
	for i, v := range values {
		if string(got.Parts[fmt.Sprint(i)]) != v || len(got.Logs["log"]) != len(values) || string(got.Logs["log"][i].Data) != v {
			e.Fatalf("value %q did not come back", v)
		}
	}
}

func testPartsLarge(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	large := make([]byte, 4<<20)
	for i := range large {
		large[i] = byte(i * 7 >> 3)
	}
	record := bytes.Repeat([]byte("record"), 100_000)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: large}},
		Append: []store.Append{{Log: "log", Record: store.Record{Seq: 1, Data: record}}},
	})
	got := e.load(e.open(), room1)
	if !bytes.Equal(got.Parts["state"], large) {
		e.Fatalf("a part of %d bytes came back as other %d bytes", len(large), len(got.Parts["state"]))
	}
	if len(got.Logs["log"]) != 1 || !bytes.Equal(got.Logs["log"][0].Data, record) {
		e.Fatalf("a record of %d bytes did not come back", len(record))
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "small")})
	e.wantParts(e.load(e.s, room1), "state", "small")
}

func testPartsMany(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	const n = 2000
	b := store.Batch{Key: room1, Epoch: r.Epoch}
	var want []string
	for i := range n {
		name := fmt.Sprint("part ", i*7919%n)
		b.Put = append(b.Put, parts(name, name)...)
		b.Append = append(b.Append, appendTo(fmt.Sprint("log ", i%50), uint64(i/50+1), "r"))
		if i%2 == 0 {
			want = append(want, name, name)
		}
	}
	e.save(e.s, b)
	d := store.Batch{Key: room1, Epoch: r.Epoch}
	for i := 1; i < n; i += 2 {
		d.Delete = append(d.Delete, b.Put[i].Name)
	}
	e.save(e.s, d)
	got := e.load(e.s, room1)
	e.wantParts(got, want...)
	if len(got.Logs) != 50 || len(got.Logs["log 49"]) != n/50 {
		e.Fatalf("got %d logs, the last of them with %d records; want 50 and %d", len(got.Logs), len(got.Logs["log 49"]), n/50)
	}
}

func testLogOrder(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Append: []store.Append{
		appendTo("log", 10, "a"), appendTo("log", 9, "b"), appendTo("log", 100, "c"),
	}})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Append: []store.Append{
		appendTo("log", 2, "d"), appendTo("log", 11, "e"), appendTo("log", 10, "A"),
	}})
	e.wantLog(e.load(e.open(), room1), "log", "2:d", "9:b", "10:A", "11:e", "100:c")
	e.wantLog(e.acquire(e.s, o, room1), "log", "2:d", "9:b", "10:A", "11:e", "100:c")
}

func testLogSeqRange(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Append: []store.Append{
		appendTo("log", 1<<63-1, "last"), appendTo("log", 1, "first"), appendTo("log", 1<<53, "a"), appendTo("log", 1<<53+1, "b"),
	}})
	a, b, last := fmt.Sprintf("%d:a", 1<<53), fmt.Sprintf("%d:b", 1<<53+1), fmt.Sprintf("%d:last", int64(math.MaxInt64))
	e.wantLog(e.load(e.s, room1), "log", "1:first", a, b, last)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: 1<<53 + 1}}})
	e.wantLog(e.load(e.s, room1), "log", b, last)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: 1<<63 - 1}}})
	e.wantLog(e.load(e.s, room1), "log", last)
	for _, before := range []uint64{1 << 63, math.MaxUint64} {
		e.save(e.s, store.Batch{
			Key: room1, Epoch: r.Epoch, Put: parts("state", "a"),
			Append: []store.Append{appendTo("log", 1, "first"), appendTo("log", 1<<63-1, "last")},
		})
		e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: before}}})
		e.wantLog(e.load(e.s, room1), "log")
	}
}

func testLogTrim(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	b := store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")}
	for seq := uint64(1); seq <= 6; seq++ {
		b.Append = append(b.Append, appendTo("log", seq, "x"), appendTo("other", seq, "y"))
	}
	e.save(e.s, b)
	trim := func(before uint64, want ...string) {
		e.Helper()
		e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: before}}})
		got := e.load(e.s, room1)
		e.wantLog(got, "log", want...)
		if len(got.Logs["other"]) != 6 {
			e.Fatalf("a trim of one log left %d records of another, want 6", len(got.Logs["other"]))
		}
		if _, there := got.Logs["log"]; there && len(want) == 0 {
			e.Fatal("a log without records is there")
		}
	}
	trim(0, "1:x", "2:x", "3:x", "4:x", "5:x", "6:x")
	trim(1, "1:x", "2:x", "3:x", "4:x", "5:x", "6:x")
	trim(3, "3:x", "4:x", "5:x", "6:x")
	trim(2, "3:x", "4:x", "5:x", "6:x")
	trim(6, "6:x")
	trim(100)
	trim(100)
}

func testLogTrimBeforeAppend(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Append: []store.Append{
		appendTo("log", 1, "a"), appendTo("log", 5, "b"), appendTo("log", 9, "c"),
	}})
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: 8}},
		Append: []store.Append{appendTo("log", 2, "d"), appendTo("log", 5, "B")},
	})
	e.wantLog(e.load(e.s, room1), "log", "2:d", "5:B", "9:c")
}

func testLogEmpty(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Append: []store.Append{
		{Log: "log", Record: store.Record{Seq: 1}}, {Log: "log", Record: store.Record{Seq: 2, Data: []byte{}}},
	}})
	e.wantLog(e.load(e.open(), room1), "log", "1:", "2:")
	// Records make a room that is not empty, of whatever length.
	if got := e.acquire(e.s, o, room1); got.Empty() {
		e.Fatal("a room with records is empty")
	}
}

func testLogsApart(e *env) {
	o := e.join(e.s, ttl)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	e.save(e.s,
		store.Batch{
			Key: room1, Epoch: r1.Epoch, Put: parts("log", "a part"),
			Append: []store.Append{appendTo("log", 1, "a"), appendTo("log2", 1, "b")},
		},
		store.Batch{Key: room2, Epoch: r2.Epoch, Append: []store.Append{appendTo("log", 1, "c")}},
	)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r1.Epoch, Trim: []store.Trim{{Log: "log", Before: 9}}, Append: []store.Append{appendTo("log2", 2, "d")},
	})
	got := e.load(e.s, room1)
	e.wantLog(got, "log")
	e.wantLog(got, "log2", "1:b", "2:d")
	e.wantParts(got, "log", "a part")
	e.wantLog(e.load(e.s, room2), "log", "1:c")
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Delete: []string{"log", "log2"}})
	e.wantLog(e.load(e.s, room1), "log2", "1:b", "2:d")
}

// A log that is written at one end and trimmed at the other, as those of pushes are.
func testLogSliding(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	var seq uint64
	for range 30 {
		b := store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")}
		for range 4 {
			seq++
			b.Append = append(b.Append, appendTo("log", seq, fmt.Sprint(seq)))
		}
		if seq > 10 {
			b.Trim = []store.Trim{{Log: "log", Before: seq - 9}}
		}
		e.save(e.s, b)
	}
	var want []string
	for i := seq - 9; i <= seq; i++ {
		want = append(want, fmt.Sprintf("%d:%d", i, i))
	}
	e.wantLog(e.load(e.s, room1), "log", want...)
	list, err := e.s.List(e.Context(), "", store.Key{}, 1)
	if err != nil || len(list) != 1 || list[0].Bytes != int64(len("a")+10*len("111")) {
		e.Fatalf("List: %+v (%v); want %d bytes", list, err, 1+10*3)
	}
}
