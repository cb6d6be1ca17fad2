package load

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gosocka/socka/wire"
)

func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 15, 125, 126, 127, 65535, 65536, 70001} {
		payload := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		frame := appendFrame([]byte("before"), opText, payload)[len("before"):]
		if frame[0] != 0x80|opText || frame[1]&0x80 == 0 {
			t.Fatalf("size %d: the frame begins with %x", size, frame[:2])
		}
		head := 2
		switch frame[1] & 0x7f {
		case 126:
			head = 4
		case 127:
			head = 10
		}
		mask := frame[head : head+4]
		plain := bytes.Clone(frame[:head])
		plain[1] &= 0x7f
		for i, b := range frame[head+4:] {
			plain = append(plain, b^mask[i%4])
		}
		op, final, got, n, _, err := parseFrame(append(bytes.Clone(plain), "next"...))
		if err != nil || op != opText || !final || n != len(plain) || !bytes.Equal(got, payload) {
			t.Fatalf("size %d: parsed as %d bytes of op %d, error %v", size, n, op, err)
		}
		for cut := range min(len(plain), 20) {
			_, _, _, n, need, err := parseFrame(plain[:cut])
			if err != nil || n != 0 || need <= cut || need > len(plain) {
				t.Fatalf("size %d, first %d bytes: size %d, need %d, error %v", size, cut, n, need, err)
			}
		}
	}
	huge := binary.BigEndian.AppendUint64([]byte{0x82, 127}, maxFrame+1)
	for name, frame := range map[string][]byte{
		"masked":    {0x81, 0x80, 0, 0, 0, 0},
		"extension": {0xc1, 0},
		"too large": huge,
	} {
		if _, _, _, _, _, err := parseFrame(frame); err == nil {
			t.Errorf("a frame that is %s was taken", name)
		}
	}
}

func TestScanner(t *testing.T) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		s := newScanner(f, "echo", "message", "n")
		value := func(v any) []byte {
			b, err := wire.Marshal(f, v)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		push := func(n any) []byte {
			return wire.AppendEvent(nil, f, "message", value(map[string]any{"a": `"n":5`, "n": n}))
		}
		tests := []struct {
			name string
			data []byte
			kind messageKind
			n    int64
		}{
			{"answer", wire.AppendResponse(nil, f, "echo-17", "echo", value(map[string]any{"text": "x"})), answerMessage, 17},
			{"void answer", wire.AppendResponse(nil, f, "echo-0", "echo", nil), answerMessage, 0},
			{"answer with a long id", wire.AppendResponse(nil, f, "echo-1234567890123456", "echo", nil), answerMessage, 1234567890123456},
			{"answer to somebody else", wire.AppendResponse(nil, f, "other-3", "echo", nil), answerMessage, -1},
			{"answer without a number", wire.AppendResponse(nil, f, "echo-", "echo", nil), answerMessage, -1},
			{"error", wire.AppendError(nil, f, wire.ErrorFrame{ID: "echo-4", Error: "no"}), failureMessage, 4},
			{"other push", wire.AppendEvent(nil, f, "messages", value(map[string]any{"n": 1})), otherMessage, 0},
			{"push without a number", wire.AppendEvent(nil, f, "message", value(map[string]any{"m": 1})), pushMessage, -1},
			{"malformed", []byte("\xff{"), otherMessage, 0},
			{"nothing", nil, otherMessage, 0},
		}
		for _, n := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<53 - 1} {
			tests = append(tests, struct {
				name string
				data []byte
				kind messageKind
				n    int64
			}{"push", push(n), pushMessage, n})
		}
		for _, tt := range tests {
			if m := s.scan(tt.data); m.kind != tt.kind || m.n != tt.n {
				t.Errorf("%v, %s: kind %d, number %d; want %d, %d", f, tt.name, m.kind, m.n, tt.kind, tt.n)
			}
		}
	}
	// Fields in another order, as other servers may write them.
	s := newScanner(wire.JSON, "echo", "message", "n")
	for text, want := range map[string]message{
		`{"id":"echo-5","rpc":"echo","v":1,"body":{},"socka":"serverResponse"}`:              {kind: answerMessage, n: 5},
		`{"event":"message","body":{"n": 7},"v":1,"socka":"serverEvent"}`:                    {kind: pushMessage, n: 7},
		`{"socka":"serverResponse","v":1,"id":"ech\u006f-6","rpc":"echo","body":{"n":1}}`:    {kind: answerMessage, n: 6},
		`{"socka":"serverEvent","v":1,"event":"message","seq":3,"body":{"n":8,"z":"\"n\""}}`: {kind: pushMessage, n: 8},
	} {
		if m := s.scan([]byte(text)); m.kind != want.kind || m.n != want.n {
			t.Errorf("%s: kind %d, number %d", text, m.kind, m.n)
		}
	}
}

func TestParseStat(t *testing.T) {
	fields := strings.Fields("S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000000 300 18446744073709551615")
	got, err := parseStat([]byte("42 (a) b (c) " + strings.Join(fields, " ")))
	if err != nil || got.cpu != 3 || got.rss == 0 || got.rss%300 != 0 {
		t.Errorf("read %+v, %v", got, err)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 (x) " + strings.Replace(strings.Join(fields, " "), "250", "x", 1)} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
