package rooms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/store"
)

func TestExportAndImport(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	put(t, from, sample("chat", "one"), sample("chat", "two"), small("game", "\xff\x00", "x"), small("game", "plain", ""))
	file := exported(t, from)
	done, left := imported(t, to, file, ImportOptions{})
	if done.Written.Rooms != 4 || done.Left() != 0 || done.Cut || len(left) != 0 {
		t.Errorf("%+v, %v", done, left)
	}
	if got, want := contents(t, to), contents(t, from); got != want {
		t.Errorf("imported:\n%s\nwant:\n%s", got, want)
	}
	nobody(t, to)
	for e, err := range All(t.Context(), to, "", store.Key{}) {
		if err != nil || e.Owner != "" {
			t.Errorf("room %s is left with owner %q, error %v", e.Key, e.Owner, err)
		}
	}

	// Once more changes nothing.
	before, err := to.Load(t.Context(), key("chat", "one"))
	if err != nil {
		t.Fatal(err)
	}
	done, left = imported(t, to, file, ImportOptions{})
	if done.Same.Rooms != 4 || done.Written.Rooms != 0 || done.Left() != 0 || len(left) != 0 {
		t.Errorf("again: %+v, %v", done, left)
	}
	if after, err := to.Load(t.Context(), key("chat", "one")); err != nil || after.Epoch != before.Epoch {
		t.Errorf("a room with the same contents was acquired: %v", err)
	}
}

func TestImportLeavesAloneWhatDiffers(t *testing.T) {
	from := store.NewMemory()
	put(t, from, sample("chat", "one"), small("chat", "two", "new"), small("chat", "three", "new"))
	file := exported(t, from)
	// Each of these differs from the first room in one thing.
	for name, change := range map[string]func(*store.Room){
		"a part":       func(r *store.Room) { r.Parts["raw"] = []byte("other") },
		"a part less":  func(r *store.Room) { delete(r.Parts, "empty") },
		"another part": func(r *store.Room) { delete(r.Parts, "empty"); r.Parts["full"] = nil },
		"a record":     func(r *store.Room) { r.Logs["pushes"][1].Data = []byte("other") },
		"a number":     func(r *store.Room) { r.Logs["pushes"][1].Seq = 10 },
		"a log more":   func(r *store.Room) { r.Logs["more"] = []store.Record{{Seq: 1}} },
		"the wake":     func(r *store.Room) { r.Wake = r.Wake.Add(time.Microsecond) },
		"the linger":   func(r *store.Room) { r.Linger++ },
	} {
		t.Run(name, func(t *testing.T) {
			to := store.NewMemory()
			r := sample("chat", "one")
			change(r)
			put(t, to, r)
			before := contents(t, to)
			done, left := imported(t, to, file, ImportOptions{})
			if done.Exists.Rooms != 1 || done.Written.Rooms != 2 || !slices.Equal(left, notes{"chat/one: is there already, with other contents"}) {
				t.Errorf("%+v, %v", done, left)
			}
			if got := contents(t, to); !strings.HasPrefix(got, before) {
				t.Errorf("the room has become\n%s\nit was\n%s", got, before)
			}
			done, left = imported(t, to, file, ImportOptions{Replace: true})
			if done.Same.Rooms != 2 || done.Written.Rooms != 1 || len(left) != 0 {
				t.Errorf("with Replace: %+v, %v", done, left)
			}
			if got, want := contents(t, to), contents(t, from); got != want {
				t.Errorf("with Replace:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestImportLeavesAloneWhatRuns(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	put(t, from, small("chat", "runs", "new"), small("chat", "starts", "new"))
	file := exported(t, from)
	o := joined(t, to, "10.0.0.1:3450")
	hold(t, to, o, small("chat", "runs", "old"))
	if _, err := to.Acquire(t.Context(), o.ID, key("chat", "starts")); err != nil { // and has saved nothing yet
		t.Fatal(err)
	}
	before := contents(t, to)
	want := notes{
		fmt.Sprintf("chat/runs: held by 10.0.0.1:3450 (%s)", o.ID),
		fmt.Sprintf("chat/starts: held by 10.0.0.1:3450 (%s)", o.ID),
	}
	done, left := imported(t, to, file, ImportOptions{Replace: true})
	if done.Held.Rooms != 2 || done.Written.Rooms != 0 || !slices.Equal(left, want) {
		t.Errorf("%+v, %v", done, left)
	}
	if got := contents(t, to); got != before {
		t.Errorf("the store has\n%s\nit had\n%s", got, before)
	}
	nobody(t, to, o)
}

func TestImportOfAKind(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	put(t, from, small("a", "1", "x"), small("b", "1", "x"), small("b", "2", "x"))
	done, _ := imported(t, to, exported(t, from), ImportOptions{Kind: "b"})
	if done.Written.Rooms != 2 || done.Other != 1 || done.Cut {
		t.Errorf("%+v", done)
	}
	var out bytes.Buffer
	if n, err := Export(t.Context(), from, &out, "b", nil); err != nil || n.Rooms != 2 || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("exported %+v, error %v:\n%s", n, err, out.String())
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	put(t, from, small("chat", "new", "x"), small("chat", "other", "x"), small("chat", "runs", "x"), small("chat", "same", "x"))
	put(t, to, small("chat", "other", "y"), small("chat", "same", "x"))
	o := joined(t, to, "10.0.0.1:3450")
	hold(t, to, o, small("chat", "runs", "y"))
	before := contents(t, to)
	epochs := func() map[string]store.Epoch {
		m := make(map[string]store.Epoch)
		for e, err := range All(t.Context(), to, "", store.Key{}) {
			if err != nil {
				t.Fatal(err)
			}
			m[e.Key.Name] = e.Epoch
		}
		return m
	}
	first := epochs()
	done, _ := imported(t, to, exported(t, from), ImportOptions{DryRun: true, Replace: true})
	if done.Written.Rooms != 2 || done.Held.Rooms != 1 || done.Same.Rooms != 1 || done.Exists.Rooms != 0 {
		t.Errorf("with Replace: %+v", done)
	}
	done, _ = imported(t, to, exported(t, from), ImportOptions{DryRun: true})
	if done.Written.Rooms != 1 || done.Exists.Rooms != 2 || done.Same.Rooms != 1 {
		t.Errorf("%+v", done)
	}
	if got := contents(t, to); got != before || !maps.Equal(epochs(), first) {
		t.Errorf("the store has become\n%s", got)
	}
	nobody(t, to, o)
}

func TestImportOfADamagedFile(t *testing.T) {
	from := store.NewMemory()
	put(t, from, small("chat", "1", "one"), small("chat", "2", "two"), small("chat", "3", "three"))
	file := exported(t, from)
	lines := bytes.SplitAfter(file, []byte("\n"))[:5]
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	for _, c := range []struct {
		name    string
		file    []byte
		written int64
		damaged int64
		cut     bool
		says    string
	}{
		{"whole", file, 3, 0, false, ""},
		{"without its end", join(lines[:4]...), 3, 0, true, ""},
		{"cut off in a line", file[:len(file)-len(lines[4])-len(lines[3])/2], 2, 1, true, "line 4: damaged: unexpected end"},
		{"a room missing", join(lines[0], lines[1], lines[3], lines[4]), 2, 0, true, ""},
		{"changed", bytes.Replace(file, []byte(`"name":"2"`), []byte(`"name":"4"`), 1), 2, 1, false, "line 3: damaged: the checksum"},
		{"an empty line", join(lines[0], []byte("\n"), lines[1], lines[2], lines[3], lines[4]), 3, 1, true, "line 2: damaged"},
		{"no room", join(lines[0], lines[1], []byte("{}\n"), lines[2], lines[3], lines[4]), 3, 1, true, "line 3: damaged: it has neither"},
		{"twice", join(lines[0], lines[1], lines[1], lines[1], lines[2], lines[3], lines[4]), 3, 0, true, ""},
		{"no line feed at the end", file[:len(file)-1], 3, 0, false, ""},
		{"more behind the end", append(bytes.Clone(file), "whatever"...), 3, 0, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := store.NewMemory()
			done, left := imported(t, to, c.file, ImportOptions{})
			if done.Written.Rooms != c.written || done.Damaged != c.damaged || done.Cut != c.cut || !strings.Contains(strings.Join(left, "\n"), c.says) {
				t.Errorf("%+v, %q", done, left)
			}
			if got := strings.Count(contents(t, to), "\n"); int64(got) != c.written {
				t.Errorf("%d rooms are there", got)
			}
		})
	}
	for _, c := range []struct{ name, file, says string }{
		{"nothing", "", "this is no file of rooms"},
		{"something else", "{\"a\":1}\n", "this is no file of rooms"},
		{"no JSON", "PK\x03\x04", "this is no file of rooms"},
		{"a later version", `{"format":"socka-rooms","version":2}` + "\n", "of version 2, this program reads version 1"},
		{"no version", `{"format":"socka-rooms"}` + "\n", "of version 0"},
	} {
		if _, err := Import(t.Context(), store.NewMemory(), strings.NewReader(c.file), &ImportOptions{}); !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: error %v; want one that says %q", c.name, err, c.says)
		}
	}
}

// Rooms that no store may have are damage, whoever made them.
func TestImportChecksRooms(t *testing.T) {
	long := strings.Repeat("n", store.MaxNameBytes+1)
	for _, c := range []struct{ room, says string }{
		{`{"kind":"","name":"x"}`, "name of the kind is empty"},
		{`{"kind":"chat","name":"` + long + `"}`, "name of the room has 256 bytes"},
		{`{"kind":"chat","name":"x","parts":[{"name":"a","data":""},{"name":"a","data":""}]}`, `part "a" is there twice`},
		{`{"kind":"chat","name":"x","parts":[{"name":"","data":""}]}`, "name of the part is empty"},
		{`{"kind":"chat","name":"x","logs":[{"name":"a","records":[]},{"name":"a","records":[]}]}`, `log "a" is there twice`},
		{`{"kind":"chat","name":"x","logs":[{"name":"a","records":[{"seq":2},{"seq":2}]}]}`, "record 2 behind record 2"},
		{`{"kind":"chat","name":"x","logs":[{"name":"a","records":[{"seq":0}]}]}`, "the Seq of Append[0] is 0"},
		{`{"kind":"chat","name":"x","linger":"soon"}`, "invalid duration"},
		{`{"kind":"chat","name":"x","parts":[{"name":"a","data":"?"}]}`, "illegal base64"},
	} {
		file := fmt.Sprintf(`{"format":"socka-rooms","version":1}`+"\n"+`{"room":%s,"crc32c":"%s"}`+"\n"+`{"end":{"rooms":1}}`, c.room, sumOf([]byte(c.room)))
		done, left := imported(t, store.NewMemory(), []byte(file), ImportOptions{})
		if done.Damaged != 1 || !strings.Contains(strings.Join(left, ""), c.says) {
			t.Errorf("%s: %+v, %q; want damage that says %q", c.room, done, left, c.says)
		}
	}
}

func TestImportOfManyRooms(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	var list []*store.Room
	for i := range pageSize + 3*batchRooms {
		list = append(list, small("chat", fmt.Sprintf("%04d", i), "x"))
	}
	big := strings.Repeat("b", batchBytes/2+1)
	list = append(list, small("large", "1", big), small("large", "2", big), small("large", "3", big))
	put(t, from, list...)
	var biggest, saves int
	counting := &faulty{Store: to, save: func(b []store.Batch) error {
		biggest, saves = max(biggest, len(b)), saves+1
		return nil
	}}
	told := int64(0)
	done, err := Import(t.Context(), counting, bytes.NewReader(exported(t, from)), &ImportOptions{Tell: func(i *Imported) { told = i.Written.Rooms }})
	if err != nil || done.Written.Rooms != int64(len(list)) || contents(t, to) != contents(t, from) {
		t.Errorf("%+v, error %v", done, err)
	}
	if biggest != batchRooms || saves < len(list)/batchRooms || saves > len(list)/batchRooms+3 {
		t.Errorf("%d saves of up to %d rooms", saves, biggest)
	}
	if told == 0 {
		t.Error("progress was not told")
	}
}

// feeder is a file that ends an import in its middle.
type feeder struct {
	io.Reader
	then func()
}

func (f *feeder) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p[:1]) // byte by byte, so that nothing is read ahead
	if err == io.EOF {
		f.then()
	}
	return n, err
}

func TestInterruptedImportKeepsWhatItDidAndGoesOnLater(t *testing.T) {
	from, to := store.NewMemory(), store.NewMemory()
	put(t, from, small("chat", "1", "x"), small("chat", "2", "x"), small("chat", "3", "x"))
	file := exported(t, from)
	lines := bytes.SplitAfter(file, []byte("\n"))
	ctx, cancel := context.WithCancel(t.Context())
	in := &feeder{bytes.NewReader(bytes.Join(lines[:3], nil)), nil}
	never := make(chan struct{})
	defer close(never)
	in.then = func() { cancel(); <-never } // as a pipe into which nobody writes any more
	done, err := Import(ctx, to, in, &ImportOptions{})
	if !errors.Is(err, context.Canceled) || done.Written.Rooms != 2 {
		t.Fatalf("%+v, error %v", done, err)
	}
	nobody(t, to)
	again, _ := imported(t, to, file, ImportOptions{})
	if again.Same.Rooms != 2 || again.Written.Rooms != 1 || contents(t, to) != contents(t, from) {
		t.Errorf("again: %+v", again)
	}
}

func TestImportStopsWhenTheStoreFails(t *testing.T) {
	from := store.NewMemory()
	put(t, from, small("chat", "1", "x"), small("chat", "2", "x"))
	file := exported(t, from)
	broken := errors.New("the disk is full")

	to := store.NewMemory()
	done, err := Import(t.Context(), &faulty{Store: to, save: func([]store.Batch) error { return broken }}, bytes.NewReader(file), &ImportOptions{})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "writing room chat/1") || done.Written.Rooms != 0 {
		t.Errorf("Save fails: %+v, error %v", done, err)
	}
	nobody(t, to)

	to = store.NewMemory()
	fails := func(k store.Key) error {
		if k.Name == "2" {
			return broken
		}
		return nil
	}
	done, err = Import(t.Context(), &faulty{Store: to, load: fails}, bytes.NewReader(file), &ImportOptions{})
	if !errors.Is(err, broken) || done.Written.Rooms != 1 {
		t.Errorf("Load fails: %+v, error %v", done, err)
	}
	nobody(t, to)

	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(t.Context(), to, bytes.NewReader(file), &ImportOptions{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
	if _, err := Export(t.Context(), to, io.Discard, "", nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("export of a closed store: %v", err)
	}
}

// slow is a file whose next line comes after a while.
type slow struct {
	lines [][]byte
	pause time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.lines) == 0 {
		return 0, io.EOF
	}
	<-time.After(s.pause)
	n := copy(p, s.lines[0])
	if s.lines[0] = s.lines[0][n:]; len(s.lines[0]) == 0 {
		s.lines = s.lines[1:]
	}
	return n, nil
}

func TestTheLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := store.NewMemory(), store.NewMemory()
		put(t, from, small("chat", "1", "x"), small("chat", "2", "x"))
		in := &slow{bytes.SplitAfter(exported(t, from), []byte("\n")), 5 * leaseTime}
		hiccup := 0
		s := &faulty{Store: to}
		s.renew = func() error {
			if hiccup++; hiccup%3 == 1 {
				return errors.New("no answer")
			}
			live, err := to.Owners(t.Context())
			if err != nil || len(live) != 1 {
				return fmt.Errorf("%d owners, %w", len(live), err)
			}
			return to.Renew(t.Context(), live[0].ID)
		}
		done, err := Import(t.Context(), s, in, &ImportOptions{})
		if err != nil || done.Written.Rooms != 2 {
			t.Errorf("%+v, error %v", done, err)
		}
	})
}

func TestImportEndsWithItsLease(t *testing.T) {
	for name, renew := range map[string]error{"lapsed": store.ErrLapsed, "no answer": errors.New("no answer")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from, to := store.NewMemory(), store.NewMemory()
				put(t, from, small("chat", "1", "x"), small("chat", "2", "x"))
				in := &slow{bytes.SplitAfter(exported(t, from), []byte("\n")), leaseTime / 2}
				start := time.Now()
				done, err := Import(t.Context(), &faulty{Store: to, renew: func() error { return renew }}, in, &ImportOptions{})
				if !errors.Is(err, errLease) || !errors.Is(err, renew) || done.Written.Rooms > 1 {
					t.Errorf("%+v, error %v", done, err)
				}
				// It joined after the first line.
				if took := time.Since(start) - leaseTime/2; took >= leaseTime {
					t.Errorf("it went on for %v with a lease of %v", took, leaseTime)
				}
				<-time.After(leaseTime) // whoever still reads gets its line
			})
		})
	}
}
