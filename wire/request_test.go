package wire

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// checkScan holds Scan and Decode, which read requests of the peer's form by themselves, against the readers of all frames.
func checkScan(t *testing.T, f Format, data []byte) {
	t.Helper()
	before := bytes.Clone(data)
	want, werr := scanAny(f, data)
	if werr != nil {
		want = Frame{}
	}
	for name, read := range map[string]func(Format, []byte) (Frame, error){"Scan": Scan, "Decode": Decode} {
		got, err := read(f, data)
		switch {
		case (err == nil) != (werr == nil), err != nil && !reflect.DeepEqual(err, error(werr)):
			t.Fatalf("%s of %q: %v, want %v", name, data, err, werr)
		case !reflect.DeepEqual(got, want):
			t.Fatalf("%s of %q: %+v, want %+v", name, data, got, want)
		case cap(got.Body) != len(got.Body):
			t.Fatalf("%s of %q: a body of %d bytes with room for %d", name, data, len(got.Body), cap(got.Body))
		}
	}
	if !bytes.Equal(before, data) {
		t.Fatalf("%q became %q", before, data)
	}
}

// requests are requests in the peer's form, and some that nearly are.
func requests(f Format) [][]byte {
	var all [][]byte
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, body := range []string{
		`{}`, `{"a":1}`, `{"text":"é😀","long":"` + strings.Repeat("x", 700) + `é"}`, `{"a":[-1.5e+3,0,true,false,null,"\u00e9\n"],"b":{}}`,
		`{"a":[],"n":[1,12345678901,-7,300,70000]}`, deep(MaxDepth), deep(MaxDepth + 1), `{"a":1,"a":2}`, `{"s":"` + strings.Repeat("y", 40) + `"}`,
	} {
		for _, id := range []string{"sendMessage-12", "", "é", strings.Repeat("i", 300), `a"b`} {
			b := []byte(body)
			if f == Msgpack {
				var err error
				if b, err = Transcode(nil, f, JSON, b); err != nil {
					b = emptyObject[f]
				}
			}
			all = append(all, AppendRequest(nil, f, id, "sendMessage", b))
		}
	}
	return all
}

// Every byte of a request changed, left out, doubled, and every end cut off.
func TestScanIsDecode(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		for _, data := range requests(f) {
			checkScan(t, f, data)
			if len(data) > 200 {
				continue
			}
			for i := range data {
				for _, c := range []byte{0, ' ', '"', '\\', '}', '{', '1', 'a', 0x80, 0xc0, 0xd4, 0xff, data[i] + 1} {
					changed := bytes.Clone(data)
					changed[i] = c
					checkScan(t, f, changed)
					checkScan(t, f, slices.Insert(bytes.Clone(data), i, c))
				}
				checkScan(t, f, slices.Delete(bytes.Clone(data), i, i+1))
				checkScan(t, f, data[:i:i])
			}
			checkScan(t, f, append(bytes.Clone(data), ' '))
		}
	}
}

// The peer's requests are read by the fast readers, in both forms of the map.
func TestRequestsAreReadFast(t *testing.T) {
	for _, data := range []string{
		`{"socka":"clientRequest","v":1,"id":"a-1","rpc":"send","body":{}}`,
		`{"socka":"clientRequest","v":1,"id":"é","rpc":"send","body":{"a": [1, "\n"], "é":"😀"}}`,
	} {
		if fr := new(Frame); !fr.requestJSON([]byte(data)) {
			t.Errorf("not sure of %s", data)
		}
	}
	body := "\x82\xa1a\x93\x01\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xd9\x01b\xa1b\xde\x00\x00"
	for _, head := range []string{"\xde\x00\x05", "\x85"} {
		data := head + requestHeadMsgpack + "\xa3a-1\xa3rpc\xa4send\xa4body" + body
		if fr := new(Frame); !fr.requestMsgpack([]byte(data)) {
			t.Errorf("not sure of %q", data)
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		for _, data := range [][]byte{
			AppendRequest(nil, f, "a-1", "send", nil), AppendResponse(nil, f, "a-1", "send", nil), AppendEvent(nil, f, "row", emptyObject[f]),
			AppendError(nil, f, ErrorFrame{ID: "a-1", Error: "no", RPC: "send", Code: "c", HasCode: true, RetryAfter: 1700}),
		} {
			if n := testing.AllocsPerRun(100, func() {
				if _, err := Scan(f, data); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%q: %v allocations", data, n)
			}
		}
	}
}

// The strings of what Decode gives do not change with the input.
func TestDecodeCopies(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		data := AppendError(nil, f, ErrorFrame{ID: "a-1", Error: "no", RPC: "send", Code: "c", HasCode: true})
		event := AppendEvent(nil, f, "row", nil)
		bad := AppendRequest(nil, f, "a-2", "get", appendNull(nil, f))
		fr, err1 := Decode(f, data)
		ev, err2 := Decode(f, event)
		_, err3 := Scan(f, bad)
		for _, b := range [][]byte{data, event, bad} {
			clear(b)
		}
		m, _ := err3.(*MalformedError)
		if err1 != nil || err2 != nil || fr.ID+fr.Error+fr.RPC+fr.Code+ev.Event != "a-1nosendcrow" || m == nil || m.ID+m.RPC != "a-2get" {
			t.Errorf("%v: %+v %v, %+v %v, %v", f, fr, err1, ev, err2, err3)
		}
	}
}
