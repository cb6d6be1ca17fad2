package rooms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

func TestDelete(t *testing.T) {
	s := store.NewMemory()
	var keys []store.Key
	for i := range 2*batchRooms + 5 {
		r := small("chat", fmt.Sprintf("%03d", i), "x")
		keys = append(keys, r.Key)
		put(t, s, r)
	}
	put(t, s, small("chat", "stays", "x"))
	o := joined(t, s, "10.0.0.1:3450")
	hold(t, s, o, small("chat", "runs", "x"))
	keys = append(keys, key("chat", "runs"), key("chat", "nowhere"), keys[0], keys[len(keys)-1])
	var left notes
	told := int64(0)
	done, err := Delete(t.Context(), s, keys, left.left, func(d Deleted) { told = d.Gone })
	want := notes{fmt.Sprintf("chat/runs: held by 10.0.0.1:3450 (%s)", o.ID), "chat/nowhere: is not there"}
	if err != nil || done != (Deleted{Gone: 2*batchRooms + 5, Held: 1, Missing: 1}) || !slices.Equal(left, want) || told != done.Gone {
		t.Errorf("%+v, error %v, %q, told %d", done, err, left, told)
	}
	if got := contents(t, s); strings.Count(got, "\n") != 2 || !strings.Contains(got, "stays") || !strings.Contains(got, "runs") {
		t.Errorf("what is left:\n%s", got)
	}
	nobody(t, s, o)
	if due, _, err := s.Due(t.Context(), o.Joined, 10); err != nil || len(due) != 0 {
		t.Errorf("%v are due, error %v", due, err)
	}
}

func TestInterruptedDelete(t *testing.T) {
	s := store.NewMemory()
	var keys []store.Key
	for i := range 5 {
		r := small("chat", fmt.Sprint(i), "x")
		keys = append(keys, r.Key)
		put(t, s, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopping := &faulty{Store: s, load: func(k store.Key) error {
		if k.Name == "3" {
			cancel()
		}
		return nil
	}}
	done, err := Delete(ctx, stopping, keys, nil, nil)
	if !errors.Is(err, context.Canceled) || done.Gone != 3 || strings.Count(contents(t, s), "\n") != 2 {
		t.Errorf("%+v, error %v, left:\n%s", done, err, contents(t, s))
	}
	nobody(t, s)
	if _, err := Delete(ctx, s, keys, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestDeleteStopsWhenTheStoreFails(t *testing.T) {
	s := store.NewMemory()
	put(t, s, small("chat", "1", "x"))
	broken := errors.New("the disk is full")
	done, err := Delete(t.Context(), &faulty{Store: s, save: func([]store.Batch) error { return broken }}, []store.Key{key("chat", "1")}, nil, nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "deleting room chat/1") || done.Gone != 0 {
		t.Errorf("%+v, error %v", done, err)
	}
	done, err = Delete(t.Context(), &faulty{Store: s, load: func(store.Key) error { return broken }}, []store.Key{key("chat", "1")}, nil, nil)
	if !errors.Is(err, broken) || done.Gone != 0 {
		t.Errorf("%+v, error %v", done, err)
	}
}

func TestExportPassesOverRoomsDeletedMeanwhile(t *testing.T) {
	s := store.NewMemory()
	put(t, s, small("chat", "1", "x"), small("chat", "2", "x"))
	gone := &faulty{Store: s, load: func(k store.Key) error {
		if k.Name == "1" {
			return fmt.Errorf("wrapped: %w", store.ErrNotFound)
		}
		return nil
	}}
	var out bytes.Buffer
	n, err := Export(t.Context(), gone, &out, "", nil)
	if err != nil || n.Rooms != 1 || !strings.Contains(out.String(), `{"end":{"rooms":1}}`) {
		t.Errorf("%+v, error %v:\n%s", n, err, out.String())
	}
}

// stuck is a disk that is full after some bytes.
type stuck struct{ room int }

var errFull = errors.New("full")

func (s *stuck) Write(p []byte) (int, error) {
	if s.room -= len(p); s.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestExportSaysWhenItCannotWrite(t *testing.T) {
	s := store.NewMemory()
	put(t, s, small("chat", "1", strings.Repeat("x", 1<<17)), small("chat", "2", "x"))
	if n, err := Export(t.Context(), s, &stuck{100}, "", nil); !errors.Is(err, errFull) || n.Rooms != 0 {
		t.Errorf("%+v, error %v", n, err)
	}
}

func TestInterruptedExportIsNotWhole(t *testing.T) {
	s := store.NewMemory()
	put(t, s, small("chat", "1", "x"), small("chat", "2", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	n, err := Export(ctx, s, &out, "", func(Count) { cancel() })
	if !errors.Is(err, context.Canceled) || n.Rooms != 1 || strings.Contains(out.String(), `"end"`) {
		t.Errorf("%+v, error %v:\n%s", n, err, out.String())
	}
	done, _ := imported(t, store.NewMemory(), out.Bytes(), ImportOptions{})
	if !done.Cut || done.Written.Rooms != 1 {
		t.Errorf("what it wrote is imported as %+v", done)
	}
}

func TestShow(t *testing.T) {
	s := store.NewMemory()
	o := joined(t, s, "10.0.0.1:3450")
	r := sample("chat", "one")
	r.Parts["damaged"] = append(snapshot.Append(nil, snapshot.Header{Kind: "x"}, []byte("{}")), 0)
	hold(t, s, o, r)
	room, err := s.Load(t.Context(), r.Key)
	if err != nil {
		t.Fatal(err)
	}
	live, err := LiveOwners(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Show(room, live)
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(string(text)), "")
	for _, want := range []string{
		`"kind":"chat","name":"one"`, `"addr":"10.0.0.1:3450","lives":true`, `"wake":"2026-05-06T07:08:09.000123Z","linger":"1m30s"`,
		`"state":{"bytes":`, `"kind":"state","version":3,"encoding":"msgpack","pushes":8,"patches":1,"value":{"n":1,"m":2}}`,
		`"value":[{"id":"a<b"}]`, `"raw":{"bytes":3,"base64":"//5v"}`, `"empty":{"bytes":0}`,
		`"damaged":{"bytes":36,"problem":"snapshot:corruptsnapshot:`,
		`"pushes":[{"seq":7,"bytes":49,"kind":"push","encoding":"json","value":{"text":"hi"}},{"seq":9,"bytes":5,"base64":"cGxhaW4="}]`,
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("it does not say %s:\n%s", want, text)
		}
	}
	if strings.Count(flat, `"state":`) != 1 {
		t.Errorf("patches that were applied are shown once more:\n%s", text)
	}

	// Patches that do not fit are shown by themselves, with what is wrong.
	room.Logs["state"] = append(room.Logs["state"], room.Logs["state"][0])
	if text, err = Show(room, nil); err != nil {
		t.Fatal(err)
	}
	flat = strings.Join(strings.Fields(string(text)), "")
	for _, want := range []string{`"value":{"n":1},"problem":"snapshot:patch2of2:`, `"state":[{"seq":4,`, `"keepFirst":0`, `"lives":false`} {
		if !strings.Contains(flat, want) {
			t.Errorf("with a patch that does not fit, it does not say %s:\n%s", want, text)
		}
	}
}

func TestAllGoesThroughPages(t *testing.T) {
	s := store.NewMemory()
	var list []*store.Room
	for i := range 2 * pageSize {
		list = append(list, small("chat", fmt.Sprintf("%04d", i), "x"))
	}
	put(t, s, list...)
	n := 0
	for e, err := range All(t.Context(), s, "", key("chat", "0009")) {
		if err != nil || e.Key.Name != fmt.Sprintf("%04d", n+10) {
			t.Fatalf("%+v, error %v", e, err)
		}
		n++
	}
	if n != 2*pageSize-10 {
		t.Errorf("%d rooms", n)
	}
	for range All(t.Context(), s, "", store.Key{}) {
		break // stops asking
	}
}
