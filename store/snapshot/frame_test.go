package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var someHeaders = []Header{
	{Kind: "state"},
	{Kind: "s", Version: 1, Encoding: Msgpack, Pushes: 1},
	{Kind: strings.Repeat("k", MaxKind), Version: 1<<32 - 1, Encoding: JSON, Pushes: 1<<64 - 1},
}

// resum puts a right checksum at the end of a frame that was changed.
func resum(frame []byte) []byte {
	end := len(frame) - sizeSum
	return binary.LittleEndian.AppendUint32(bytes.Clone(frame[:end]), sum(frame[:end]))
}

func TestAppendAndDecode(t *testing.T) {
	for _, h := range someHeaders {
		for _, body := range [][]byte{nil, []byte("{}"), bytes.Repeat([]byte{0xc1, 0}, 5000)} {
			data := Append([]byte("before"), h, body)
			if !bytes.HasPrefix(data, []byte("before")) {
				t.Fatal("what was in dst is gone")
			}
			got, gotBody, err := Decode(data[len("before"):])
			want := h
			want.Layout = Layout
			if err != nil || got != want || !bytes.Equal(gotBody, body) {
				t.Errorf("%+v with %d bytes comes back as %+v with %d bytes, error %v", h, len(body), got, len(gotBody), err)
			}
			if cap(gotBody) != len(gotBody) {
				t.Error("an append to the body would overwrite the checksum")
			}
		}
	}
}

func TestAppendRefusesWhatIsNoHeader(t *testing.T) {
	for _, h := range []Header{{}, {Kind: strings.Repeat("k", MaxKind+1)}, {Kind: "state", Encoding: 2}} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "snapshot: Header.") {
					t.Errorf("%.40v: panic %v, want one that names the field", h, text)
				}
			}()
			Append(nil, h, nil)
		}()
	}
}

func TestDecodeTellsErrorsApart(t *testing.T) {
	good := Append(nil, Header{Kind: "state", Version: 3}, []byte(`{"n":1}`))
	patch := AppendPatch(nil, Header{Kind: "state"}, Diff([]byte("a"), []byte("b")))
	change := func(at int, b byte) []byte {
		data := bytes.Clone(good)
		data[at] = b
		return resum(data)
	}
	atBody := len(good) - sizeSum - len(`{"n":1}`) - sizeBody
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"nothing", nil, ErrNotSnapshot, "0 bytes"},
		{"JSON", []byte(`{"n":1}`), ErrNotSnapshot, "7 bytes"},
		{"less than magic", good[:3], ErrNotSnapshot, ""},
		{"magic alone", good[:4], ErrCorrupt, "cut off after 4 bytes"},
		{"a patch", patch, ErrNotSnapshot, "patch of state"},
		{"cut off", good[:len(good)-1], ErrCorrupt, "checksum"},
		{"a byte too many", append(bytes.Clone(good), 0), ErrCorrupt, "checksum"},
		{"two frames", append(bytes.Clone(good), good...), ErrCorrupt, "checksum"},
		{"a newer layout", change(atLayout, Layout+1), ErrNewerLayout, "layout 2, this version reads up to 1"},
		{"layout 0", change(atLayout, 0), ErrCorrupt, "layout 0"},
		{"no form", change(atForm, 2), ErrCorrupt, "at byte 5: there is no form 2"},
		{"no encoding", change(atEncoding, 9), ErrCorrupt, "at byte 6: there is no encoding 9"},
		{"no kind", change(atKind, 0), ErrCorrupt, "at byte 7: the kind is empty"},
		{"a kind beyond the end", change(atKind, 200), ErrCorrupt, "less than a header"},
		{"a longer body", change(atBody, 8), ErrCorrupt, "7 bytes of body follow, and should be 8"},
		{"a body longer than memory", change(atBody+7, 0xff), ErrCorrupt, "7 bytes of body follow"},
		{"a patch without its fields", change(atForm, formPatch), ErrCorrupt, "less than a header"},
		{"no room for a header", resum(append([]byte(magic), Layout, 0, 0, 1, 0, 0, 0, 0)), ErrCorrupt, "less than a header"},
	} {
		h, body, err := Decode(c.data)
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.HasPrefix(fmt.Sprint(err), "snapshot: ") {
			t.Errorf("%s: error %v; want one that is %q and says %q", c.name, err, c.want, c.says)
		}
		if h != (Header{}) || body != nil {
			t.Errorf("%s: an error comes with %+v and %q", c.name, h, body)
		}
		for _, other := range []error{ErrNotSnapshot, ErrNewerLayout, ErrCorrupt} {
			if other != c.want && errors.Is(err, other) {
				t.Errorf("%s: the error is %q too", c.name, other)
			}
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	h, body := Header{Kind: "state"}, make([]byte, 1000)
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], h, body) }); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
	p := Diff(body, append(bytes.Clone(body), 1))
	if n := testing.AllocsPerRun(100, func() { buf = AppendPatch(buf[:0], h, p) }); n != 0 {
		t.Errorf("AppendPatch allocates %v times", n)
	}
}
