package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected lines in testdata")

// TestDecodeText runs testdata/decode.txt: a line "json TEXT" or "msgpack HEX" is an input, the line "  → …" after it is
// what Decode makes of it. In the JSON text \xNN stands for one raw byte.
func TestDecodeText(t *testing.T) {
	const path = "testdata/decode.txt"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	inputs := 0
	for s := bufio.NewScanner(bytes.NewReader(old)); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "  → ") {
			continue
		}
		fmt.Fprintln(&out, line)
		format, text, ok := strings.Cut(line, " ")
		if !ok || line[0] == '#' {
			continue
		}
		f, err := ParseFormat(format)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		data := rawBytes(t, text)
		if f == Msgpack {
			data = unhex(t, strings.ReplaceAll(text, " ", ""))
		}
		inputs++
		fmt.Fprintln(&out, "  →", describe(f, data))
	}
	if inputs == 0 {
		t.Fatal("no inputs")
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(string(old), "\n"), strings.Split(out.String(), "\n")
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Fatalf("%s:%d differs (run with -update and review)\n got %q\nwant %q", path, i+1, at(got, i), at(want, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// rawBytes replaces \xNN, which JSON does not have, by the byte.
func rawBytes(t *testing.T, s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4 {
			out = append(out, unhex(t, s[i+2:i+4])...)
			i += 3
			continue
		}
		out = append(out, s[i])
	}
	return out
}

func describe(f Format, data []byte) string {
	show := func(b []byte) string {
		switch {
		case b == nil:
			return "absent"
		case f == Msgpack:
			return hex.EncodeToString(b)
		}
		return string(b)
	}
	fr, err := Decode(f, data)
	var bad *MalformedError
	switch {
	case errors.As(err, &bad) && bad.HasID:
		return fmt.Sprintf("malformed, answer %q rpc %q: %s", bad.ID, bad.RPC, bad.Reason)
	case err != nil:
		return "malformed, silent: " + err.Error()
	}
	switch fr.Kind {
	case ServerError:
		code := "absent"
		if fr.HasCode {
			code = fmt.Sprintf("%q", fr.Code)
		}
		return fmt.Sprintf("%v id %q error %q rpc %q code %s data %s retryAfter %d", fr.Kind, fr.ID, fr.Error, fr.RPC, code, show(fr.Data), fr.RetryAfter)
	case ServerEvent:
		return fmt.Sprintf("%v event %q body %s", fr.Kind, fr.Event, show(fr.Body))
	}
	return fmt.Sprintf("%v id %q rpc %q body %s", fr.Kind, fr.ID, fr.RPC, show(fr.Body))
}

func TestDecodeAliases(t *testing.T) {
	for _, v := range loadVectors(t).Frames {
		data := []byte(v.JSON)
		fr, err := Decode(JSON, data)
		if err != nil {
			t.Fatal(err)
		}
		before := fr.ID + fr.RPC + fr.Event + fr.Error + fr.Code
		for _, part := range [][]byte{fr.Body, fr.Data} {
			if part != nil && (cap(part) != len(part) || !bytes.Contains(data, part)) {
				t.Errorf("%s: body is no slice of the frame, or can grow into it", v.Name)
			}
		}
		clear(data)
		if after := fr.ID + fr.RPC + fr.Event + fr.Error + fr.Code; after != before {
			t.Errorf("%s: the strings alias the input", v.Name)
		}
	}
}

// The envelope adds one level to the depth that a body may have.
func TestDepth(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		for _, shape := range []string{"array", "object"} {
			nest := func(n int) []byte {
				var v []byte
				for i := range n {
					switch {
					case f == JSON && shape == "array" && i > 0:
						v = fmt.Appendf(nil, "[%s]", v)
					case f == JSON && i > 0:
						v = fmt.Appendf(nil, `{"a":%s}`, v)
					case f == JSON:
						v = []byte("{}")
					case i == 0:
						v = []byte{0x80}
					case shape == "array":
						v = append([]byte{0x91}, v...)
					default:
						v = append([]byte{0x81, 0xa1, 'a'}, v...)
					}
				}
				return v
			}
			ok, deep := nest(MaxDepth), nest(MaxDepth+1)
			if _, err := Decode(f, AppendEvent(nil, f, "e", ok)); err != nil {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			if _, err := Decode(f, AppendEvent(nil, f, "e", deep)); err == nil || !strings.Contains(err.Error(), "deeper") {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			tree, err := Parse(f, ok)
			if err != nil {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			if _, err := Append(nil, f, tree); err != nil {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			if _, err := Append(nil, f, []any{tree}); err == nil {
				t.Errorf("%v %s: Append wrote %d levels", f, shape, MaxDepth+1)
			}
			if _, err := Parse(f, deep); err == nil || !strings.Contains(err.Error(), "deeper") {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			if _, err := Transcode(nil, JSON, f, ok); err != nil {
				t.Errorf("%v %s: %v", f, shape, err)
			}
			if _, err := Transcode(nil, JSON, f, deep); err == nil {
				t.Errorf("%v %s: transcoded", f, shape)
			}
		}
	}
}
