package wire

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"
)

type vectors struct {
	Frames  []struct{ Name, JSON, Msgpack string }
	Numbers []struct {
		Value   json.Number
		Msgpack string
	}
	Decode    []struct{ Msgpack, JavaScript, Note string }
	Malformed []struct{ Name, JSON string }
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Frames) == 0 || len(v.Numbers) == 0 || len(v.Decode) == 0 || len(v.Malformed) == 0 {
		t.Fatal("vectors.json lacks a section")
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encodeFrame writes what Decode read.
func encodeFrame(f Format, fr Frame) []byte {
	switch fr.Kind {
	case ClientRequest:
		return AppendRequest(nil, f, fr.ID, fr.RPC, fr.Body)
	case ServerResponse:
		return AppendResponse(nil, f, fr.ID, fr.RPC, fr.Body)
	case ServerError:
		return AppendError(nil, f, ErrorFrame{fr.ID, fr.Error, fr.RPC, fr.Code, fr.HasCode, fr.Data, fr.RetryAfter})
	}
	return AppendEvent(nil, f, fr.Event, fr.Body)
}

func TestVectorFrames(t *testing.T) {
	for _, v := range loadVectors(t).Frames {
		t.Run(v.Name, func(t *testing.T) {
			frames := [2][]byte{JSON: []byte(v.JSON), Msgpack: unhex(t, v.Msgpack)}
			for _, f := range []Format{JSON, Msgpack} {
				fr, err := Decode(f, frames[f])
				if err != nil {
					t.Fatalf("%v: %v", f, err)
				}
				if got := encodeFrame(f, fr); string(got) != string(frames[f]) {
					t.Errorf("%v: wrote\n%q, want\n%q", f, got, frames[f])
				}
				other := 1 - f
				for _, part := range []*[]byte{&fr.Body, &fr.Data} {
					if *part == nil {
						continue
					}
					if *part, err = Transcode(nil, other, f, *part); err != nil {
						t.Fatal(err)
					}
				}
				if got := encodeFrame(other, fr); string(got) != string(frames[other]) {
					t.Errorf("%v to %v: wrote\n%q, want\n%q", f, other, got, frames[other])
				}
			}
		})
	}
}

// answered lists the malformed requests that carry an id; the others get no answer.
var answered = map[string]bool{"rpc missing": true, "body missing": true, "body null": true, "body array": true}

func TestVectorMalformed(t *testing.T) {
	for _, v := range loadVectors(t).Malformed {
		frames := map[Format][]byte{JSON: []byte(v.JSON)}
		if m, err := Transcode(nil, Msgpack, JSON, frames[JSON]); err == nil {
			frames[Msgpack] = m
		} else if v.Name == "two objects" {
			frames[Msgpack] = unhex(t, "8080")
		} else if v.Name == "not json" {
			frames[Msgpack] = unhex(t, "81a5736f636b61")
		} else if v.Name == "empty" {
			frames[Msgpack] = nil
		} else {
			t.Errorf("%s: %v", v.Name, err)
		}
		for f, data := range frames {
			fr, err := Decode(f, data)
			if v.Name == "server frame from a client" {
				// Well-formed: it is the server that does not take this kind.
				if err != nil || fr.Kind != ServerResponse {
					t.Errorf("%v, %s: %v, %v", f, v.Name, fr.Kind, err)
				}
				continue
			}
			var bad *MalformedError
			if !errors.As(err, &bad) {
				t.Errorf("%v, %s: decoded as %+v, %v", f, v.Name, fr, err)
				continue
			}
			if bad.HasID != answered[v.Name] || bad.HasID && bad.ID != "a" {
				t.Errorf("%v, %s: %#v", f, v.Name, bad)
			}
		}
	}
}

func TestVectorNumbers(t *testing.T) {
	for _, v := range loadVectors(t).Numbers {
		want := unhex(t, v.Msgpack)
		got, err := Append(nil, Msgpack, v.Value)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %x, %v; want %x", v.Value, got, err, want)
		}
		n, _ := v.Value.Float64()
		for _, form := range []any{n, int64(n), uint64(n), int(n)} {
			if _, isFloat := form.(float64); !isFloat && (n != math.Trunc(n) || math.Abs(n) > maxSafe || n < 0) {
				continue
			}
			for name, write := range map[string]func([]byte, Format, any) ([]byte, error){"Append": Append, "AppendMarshal": AppendMarshal} {
				if got, err := write(nil, Msgpack, form); err != nil || string(got) != string(want) {
					t.Errorf("%s %T %v: %x, %v; want %x", name, form, form, got, err, want)
				}
				if got, err := write(nil, JSON, form); err != nil || string(got) != v.Value.String() {
					t.Errorf("%s %T %v: %s, %v; want %s", name, form, form, got, err, v.Value)
				}
			}
		}
		if tree, err := Parse(Msgpack, want); err != nil || tree != any(v.Value) {
			t.Errorf("%x: %v, %v; want %s", want, tree, err, v.Value)
		}
		back, err := Transcode(nil, JSON, Msgpack, want)
		if err != nil || string(back) != v.Value.String() {
			t.Errorf("%x: %s, %v; want %s", want, back, err, v.Value)
		}
	}
}

func TestVectorDecode(t *testing.T) {
	want := map[string]string{ // msgpack → the same in JSON; "" for nothing
		"cf0000000000000005": `5`,
		"d30000000000000005": `5`,
		"ca3fc00000":         `1.5`,
		"cb4278bcfe56800000": `1700000000000`,
		"c403010203":         `"AQID"`,
		"d40000":             `null`,
		"d6ff65536d00":       `"2023-11-14T12:50:08Z"`,
		"81a16101":           `{"a":1}`,
		"de0001a16101":       `{"a":1}`,
		"df00000001a16101":   `{"a":1}`,
	}
	for _, v := range loadVectors(t).Decode {
		w, ok := want[v.Msgpack]
		if !ok {
			t.Errorf("%s (%s): no expectation", v.Msgpack, v.JavaScript)
			continue
		}
		data := unhex(t, v.Msgpack)
		got, err := Transcode(nil, JSON, Msgpack, data)
		if err != nil || string(got) != w {
			t.Errorf("%s: %s, %v; want %s", v.Msgpack, got, err, w)
		}
		tree, err := Parse(Msgpack, data)
		wantTree, _ := Parse(JSON, []byte(w))
		if err != nil || !reflect.DeepEqual(tree, wantTree) {
			t.Errorf("%s: %v, %v; want %v", v.Msgpack, tree, err, wantTree)
		}
		fr, err := Decode(Msgpack, AppendEvent(nil, Msgpack, "e", data))
		if absent := v.JavaScript == "undefined"; err != nil || absent != (fr.Body == nil) || !absent && string(fr.Body) != string(data) {
			t.Errorf("%s: body %x, %v", v.Msgpack, fr.Body, err)
		}
		// Whatever came, what goes out is not what the peer cannot read.
		again, err := Transcode(nil, Msgpack, Msgpack, data)
		if err != nil || len(again) > 0 && (again[0] == 0xcf || again[0] == 0xd3 || again[0] == 0xd4) {
			t.Errorf("%s: rewritten as %x, %v", v.Msgpack, again, err)
		}
	}
}
