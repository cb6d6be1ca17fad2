package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

func TestToJSON(t *testing.T) {
	h := Header{Kind: "state", Version: 2, Encoding: Msgpack, Pushes: 9}
	for _, c := range []struct {
		value any
		want  string
	}{
		{map[string]any{"a": []any{nil, true, int8(-5), uint64(1<<64 - 1), int64(math.MinInt64)}}, `{"a":[null,true,-5,18446744073709551615,-9223372036854775808]}`},
		{[]any{0.5, float32(0.1), 1e300, math.Copysign(0, -1)}, `[0.5,0.1,1e+300,-0]`},
		{[]any{math.NaN(), math.Inf(1), float32(math.Inf(-1))}, `["NaN","+Inf","-Inf"]`},
		{[]any{[]byte{0xff, 0xfe}, "<ü>\n\xff"}, `["//4=","<ü>\n\ufffd"]`},
		{map[int]string{-3: "x"}, `{"-3":"x"}`},
		{[]any{time.Unix(5, 6), time.Date(20000, 1, 1, 0, 0, 0, 7, time.UTC)}, `["1970-01-01T00:00:05.000000006Z",{"seconds":568971820800,"nanoseconds":7}]`},
		{msgpack.RawMessage{0xd4, 0x05, 0x01}, `{"extension":5,"data":"AQ=="}`},
		{msgpack.RawMessage{0x81, 0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0xc2}, `{"1970-01-01T00:00:01Z":false}`},
		{msgpack.RawMessage{0x81, 0xd4, 0x05, 0x01, 0xc2}, `{"{\"extension\":5,\"data\":\"AQ==\"}":false}`},
		{[]any{[]any{}, map[string]any{}}, `[[],{}]`},
	} {
		text, got, err := ToJSON(Append(nil, h, pack(t, c.value)))
		if err != nil || string(text) != c.want || !json.Valid(text) {
			t.Errorf("%v is shown as %s, error %v; want %s", c.value, text, err, c.want)
		}
		if got.Kind != "state" || got.Version != 2 || got.Encoding != Msgpack || got.Pushes != 9 || got.Layout != Layout {
			t.Errorf("header %+v", got)
		}
	}
	text, _, err := ToJSON(Append(nil, Header{Kind: "state"}, []byte("{ \"a\" : 1 }\n")))
	if err != nil || string(text) != `{"a":1}` {
		t.Errorf("JSON is shown as %s, error %v", text, err)
	}
}

func TestToJSONOfPatches(t *testing.T) {
	same := strings.Repeat("abcdefghij", 3)
	for _, c := range []struct {
		old, new, want string
	}{
		{"", "", `{"patch":{"of":0,"to":0,"keepFirst":0,"edits":[]}}`},
		{same, same, `{"patch":{"of":30,"to":30,"keepFirst":30,"edits":[]}}`},
		{same, "", `{"patch":{"of":30,"to":0,"keepFirst":0,"edits":[{"drop":30}]}}`},
		{same, same + "x", `{"patch":{"of":30,"to":31,"keepFirst":30,"edits":[{"insert":"x"}]}}`},
		{"1" + same + "2" + same, "3" + same + "\xff" + same,
			`{"patch":{"of":62,"to":62,"keepFirst":0,"edits":[{"drop":1,"insert":"3","keep":30},{"drop":1,"insert":{"base64":"/w=="},"keep":30}]}}`},
	} {
		h := Header{Kind: "state", Version: 2}
		text, got, err := ToJSON(AppendPatch(nil, h, Diff([]byte(c.old), []byte(c.new))))
		if h.Layout = Layout; err != nil || string(text) != c.want || got != h {
			t.Errorf("the patch from %q to %q is shown as %s, header %+v, error %v; want %s", c.old, c.new, text, got, err, c.want)
		}
	}
}

func TestToJSONRefuses(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want error
		says string
	}{
		{[]byte("{}"), ErrNotSnapshot, ""},
		{Append(nil, Header{Kind: "state"}, []byte("{")), ErrCorrupt, "state in json"},
		{Append(nil, Header{Kind: "state", Encoding: Msgpack}, []byte{0x91}), ErrCorrupt, "state in msgpack: at byte 0, the msgpack is cut off"},
		{Append(nil, Header{Kind: "state", Encoding: Msgpack}, bytes.Repeat([]byte{0x81}, 99)), ErrCorrupt, ""},
		{Append(nil, Header{Kind: "state", Encoding: Msgpack}, []byte{0x81, 0x90, 1}), ErrCorrupt, "an array is the key of a map"},
	} {
		if text, _, err := ToJSON(c.data); !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || text != nil {
			t.Errorf("%x is shown as %s, error %v; want one that is %q and says %q", c.data, text, err, c.want, c.says)
		}
	}
}
