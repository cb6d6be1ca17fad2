package room_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

var updateGolden = flag.Bool("update", false, "write the golden snapshots anew; only ever add new ones")

// The shelf is an example that has changed twice: books were titles, then had an author, then came to be kept by number.
type (
	shelfV1 struct{ Titles []string }
	bookV2  struct{ Title, Author string }
	shelfV2 struct{ Books []bookV2 }
	bookV3  struct {
		ID            int64
		Title, Author string
	}
	shelfV3 struct {
		Books []bookV3
		Next  int64
	}
	shelfV4 struct{ Gone string }

	readerV1 struct{ Name string }
	readerV3 struct{ First, Last string }

	titlesOut struct {
		Titles  []string
		Readers []string
		Alarms  []string
	}
)

var (
	shelf     = contract.New("shelf")
	putBook   = contract.NewCall[word, contract.None](shelf, "put")
	readShelf = contract.NewCall[contract.None, titlesOut](shelf, "read")
)

// shelfOf is the shelf's definition in one of its versions.
func shelfOf[State, Data any](version int, put func(*State, string), read func(*State) []string, name func(Data) string, enter func(string) Data) *room.Definition[State, Data] {
	def := &room.Definition[State, Data]{Contract: shelf, Version: version, Save: room.EachTurn, ResumeFor: time.Hour}
	def.Authenticate = func(r *http.Request, _ room.ID) (Data, error) { return enter(r.URL.Query().Get("name")), nil }
	def.Principal = name
	def.OnAlarm = func(context.Context, *room.Turn[State, Data], room.Alarm) error { return nil }
	room.Handle(def, putBook, func(_ context.Context, t *room.Turn[State, Data], in word) (contract.None, error) {
		put(t.State, in.Text)
		return contract.None{}, t.SetAlarm("due:"+in.Text[:1], time.Now().Add(24*time.Hour), room.RepeatCron("@weekly", nil))
	})
	room.Handle(def, readShelf, func(_ context.Context, t *room.Turn[State, Data], _ contract.None) (out titlesOut, err error) {
		out.Titles = read(t.State)
		for _, s := range t.Sessions() {
			out.Readers = append(out.Readers, name(s.Data))
		}
		for _, a := range t.Alarms() {
			out.Alarms = append(out.Alarms, a.Name+" "+a.Cron)
		}
		return out, nil
	}, room.AllowServer)
	return def
}

func shelfV1Definition() *room.Definition[shelfV1, readerV1] {
	return shelfOf(1, func(s *shelfV1, title string) { s.Titles = append(s.Titles, title) },
		func(s *shelfV1) []string { return s.Titles },
		func(d readerV1) string { return d.Name }, func(name string) readerV1 { return readerV1{name} })
}

func shelfV2Definition() *room.Definition[shelfV2, readerV1] {
	return shelfOf(2, func(s *shelfV2, title string) { s.Books = append(s.Books, bookV2{title, "Anon"}) },
		func(s *shelfV2) (titles []string) {
			for _, b := range s.Books {
				titles = append(titles, b.Title)
			}
			return titles
		},
		func(d readerV1) string { return d.Name }, func(name string) readerV1 { return readerV1{name} })
}

func shelfV3Definition() *room.Definition[shelfV3, readerV3] {
	def := shelfOf(3, func(s *shelfV3, title string) {
		s.Next++
		s.Books = append(s.Books, bookV3{s.Next, title, "Anon"})
	},
		func(s *shelfV3) (titles []string) {
			for _, b := range s.Books {
				titles = append(titles, fmt.Sprintf("%d %s by %s", b.ID, b.Title, b.Author))
			}
			return titles
		},
		func(d readerV3) string { return d.First + " " + d.Last }, func(name string) readerV3 {
			first, last, _ := strings.Cut(name, " ")
			return readerV3{first, last}
		})
	def.Migrate = map[int]room.Migration{
		1: {State: room.NewStep(func(_ context.Context, old shelfV1) (shelfV2, error) {
			var s shelfV2
			for _, title := range old.Titles {
				s.Books = append(s.Books, bookV2{title, "unknown"})
			}
			return s, nil
		})},
		2: {
			State: room.NewStep(func(_ context.Context, old shelfV2) (shelfV3, error) {
				var s shelfV3
				for _, b := range old.Books {
					s.Next++
					s.Books = append(s.Books, bookV3{s.Next, b.Title, b.Author})
				}
				return s, nil
			}),
			Data: room.NewStep(func(_ context.Context, old readerV1) (readerV3, error) {
				first, last, _ := strings.Cut(old.Name, " ")
				return readerV3{first, last}, nil
			}),
		},
	}
	return def
}

func shelfV4Definition() *room.Definition[shelfV4, readerV1] {
	return shelfOf(4, func(s *shelfV4, title string) { s.Gone += title }, func(s *shelfV4) []string { return []string{s.Gone} },
		func(d readerV1) string { return d.Name }, func(name string) readerV1 { return readerV1{name} })
}

// golden is the path of a snapshot of the shelf, as the version with that name wrote it.
func golden(name string) string { return filepath.Join("testdata", "snapshots", name+".json") }

// writeGolden has a definition make a shelf and keeps what the store has of it.
func writeGolden(t *testing.T, name string, def room.AnyDefinition, long bool) {
	t.Run("write "+name, func(t *testing.T) {
		roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
			ada := s.Connect("shelf/1?name=Ada%20Lovelace&sid=AdaAdaAdaAdaAdaAdaAda-1")
			roomtest.Call(ada, putBook, word{"Notes"})
			if long { // so that there are patches
				roomtest.Call(ada, putBook, word{strings.Repeat("x", 5000)})
			}
			roomtest.Call(ada, putBook, word{"Über Ω"})
			ada.Close()
			s.Settle()
			s.Sleep("shelf/1")
			kept, err := s.Store().Load(s.T.Context(), store.Key{Kind: "shelf", Name: "1"})
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.MarshalIndent(kept, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden(name), append(data, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}, def)
	})
}

// Snapshots of every version, in both encodings, whole and with patches, open in version 3; one of version 4 is refused and
// stays as it is.
func TestGoldenSnapshots(t *testing.T) {
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(golden("x")), 0o755); err != nil {
			t.Fatal(err)
		}
		msgpackV1, msgpackV2 := shelfV1Definition(), shelfV2Definition()
		msgpackV1.SnapshotFormat, msgpackV2.SnapshotFormat = wire.Msgpack, wire.Msgpack
		writeGolden(t, "v1-json", shelfV1Definition(), false)
		writeGolden(t, "v1-msgpack", msgpackV1, true)
		writeGolden(t, "v2-json-patches", shelfV2Definition(), true)
		writeGolden(t, "v2-msgpack", msgpackV2, false)
		writeGolden(t, "v4-json", shelfV4Definition(), false)
	}
	files, err := filepath.Glob(golden("*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d golden snapshots, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var kept store.Room
			if err := json.Unmarshal(data, &kept); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				st := store.NewMemory()
				defer st.Close()
				put(t, st, &kept)
				before, err := st.Load(t.Context(), kept.Key)
				if err != nil {
					t.Fatal(err)
				}
				var wrong []error
				opts := quiet()
				opts.Store = st
				opts.Hooks.SnapshotError = func(e room.SnapshotErrorEvent) { wrong = append(wrong, e.Err) }
				s := roomtest.Start(t, opts, shelfV3Definition())
				if strings.HasPrefix(name, "v4") {
					_, err := s.Dial("shelf/1?name=Ada", nil)
					var refused *client.HandshakeError
					if !errors.As(err, &refused) || refused.StatusCode != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "newer version") {
						t.Errorf("got %v", err)
					}
					s.Advance(time.Hour)
					s.Stop()
					if len(wrong) == 0 || !strings.Contains(wrong[0].Error(), "up to version 3") {
						t.Errorf("reported: %v", wrong)
					}
					after, err := st.Load(t.Context(), kept.Key)
					if err != nil || !reflect.DeepEqual(after.Parts, before.Parts) || !reflect.DeepEqual(after.Logs, before.Logs) {
						t.Errorf("it was changed: %v, %+v", err, after)
					}
					return
				}
				defer s.Stop()
				author := "unknown"
				if strings.HasPrefix(name, "v2") {
					author = "Anon"
				}
				ada := s.Connect("shelf/1?name=Ada%20Lovelace&sid=AdaAdaAdaAdaAdaAdaAda-1")
				got := roomtest.Call(ada, readShelf, contract.None{})
				last := len(got.Titles)
				if want := fmt.Sprintf("%d Über Ω by %s", last, author); last < 2 || got.Titles[0] != "1 Notes by "+author || got.Titles[last-1] != want {
					t.Errorf("titles: %.200v", got.Titles)
				}
				if readers := fmt.Sprint(got.Readers); !strings.Contains(readers, "Ada Lovelace") {
					t.Errorf("readers: %s", readers)
				}
				roomtest.Call(ada, putBook, word{"More"})
				s.Sleep("shelf/1")
				if again := roomtest.Call(ada, readShelf, contract.None{}); len(again.Titles) != last+1 || again.Titles[0] != got.Titles[0] {
					t.Errorf("saved in version 3: %.200v", again.Titles)
				}
				if len(wrong) > 0 {
					t.Errorf("reported: %v", wrong)
				}
			})
		})
	}
}

// put writes a snapshot into a store, as nobody's room.
func put(t *testing.T, st store.Store, kept *store.Room) {
	t.Helper()
	owner, err := st.Join(t.Context(), store.Owner{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := st.Acquire(t.Context(), owner.ID, kept.Key)
	if err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Key: kept.Key, Epoch: r.Epoch, Then: store.Release, Wake: kept.Wake, Linger: -1}
	for name, data := range kept.Parts {
		b.Put = append(b.Put, store.Part{Name: name, Data: data})
	}
	for log, records := range kept.Logs {
		for _, rec := range records {
			b.Append = append(b.Append, store.Append{Log: log, Record: rec})
		}
	}
	if err := st.Save(t.Context(), []store.Batch{b})[0]; err != nil {
		t.Fatal(err)
	}
	if err := st.Leave(t.Context(), owner.ID); err != nil {
		t.Fatal(err)
	}
}

// A snapshot that is damaged is refused, kept and reported, and no empty room takes its place.
func TestCorruptSnapshot(t *testing.T) {
	for _, part := range []string{"state", "session/", "alarms", "room"} {
		t.Run(part, func(t *testing.T) {
			data, err := os.ReadFile(golden("v1-json"))
			if err != nil {
				t.Fatal(err)
			}
			var kept store.Room
			if err := json.Unmarshal(data, &kept); err != nil {
				t.Fatal(err)
			}
			found := false
			for name, data := range kept.Parts {
				if strings.HasPrefix(name, part) {
					data[len(data)/2] ^= 1
					found = true
				}
			}
			if !found {
				t.Fatalf("no part %s", part)
			}
			synctest.Test(t, func(t *testing.T) {
				st := store.NewMemory()
				defer st.Close()
				put(t, st, &kept)
				reported := 0
				opts := quiet()
				opts.Store = st
				opts.Hooks.SnapshotError = func(room.SnapshotErrorEvent) { reported++ }
				s := roomtest.Start(t, opts, shelfV3Definition())
				_, err = s.Dial("shelf/1?name=Ada", nil)
				var refused *client.HandshakeError
				if !errors.As(err, &refused) || refused.StatusCode != http.StatusInternalServerError || !strings.Contains(err.Error(), "it was left as it is") {
					t.Errorf("got %v", err)
				}
				if _, err := room.Ask(t.Context(), s.Room("shelf", "1"), readShelf, contract.None{}); err == nil {
					t.Error("it was read")
				}
				s.Advance(50 * time.Hour) // its alarms are due
				s.Stop()
				if reported == 0 {
					t.Error("nothing was reported")
				}
				after, err := st.Load(t.Context(), kept.Key)
				if err != nil || !reflect.DeepEqual(after.Parts, kept.Parts) {
					t.Errorf("it was changed: %v", err)
				}
			})
		})
	}
}

func TestMigrationsAreChecked(t *testing.T) {
	step := room.NewStep(func(_ context.Context, old shelfV1) (shelfV1, error) { return old, nil })
	for want, change := range map[string]func(def *room.Definition[shelfV1, readerV1]){
		"versions begin with 1":                func(def *room.Definition[shelfV1, readerV1]) { def.Version = -1 },
		"Migrate[1] leads from version 1 to 2": func(def *room.Definition[shelfV1, readerV1]) { def.Migrate = map[int]room.Migration{1: {State: step}} },
		"Migrate has no step from version 2 to 3": func(def *room.Definition[shelfV1, readerV1]) {
			def.Version, def.Migrate = 3, map[int]room.Migration{1: {State: step}}
		},
		"the shortest is 1ms":     func(def *room.Definition[shelfV1, readerV1]) { def.Save = room.Every(time.Microsecond) },
		"SleepAfter is -1ns":      func(def *room.Definition[shelfV1, readerV1]) { def.SleepAfter = -1 },
		"there is no PanicPolicy": func(def *room.Definition[shelfV1, readerV1]) { def.OnPanic = 7 },
	} {
		def := shelfV1Definition()
		change(def)
		if _, err := room.NewServer(quiet(), def); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
