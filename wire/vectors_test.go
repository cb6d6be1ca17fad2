package wire

import (
	"encoding/hex"
	"encoding/json"
	"os"
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

func TestVectorMalformed(t *testing.T) {
	for _, v := range loadVectors(t).Malformed {
		fr, err := Decode(JSON, []byte(v.JSON))
		if v.Name == "server frame from a client" {
			if err != nil || fr.Kind == ClientRequest {
				t.Errorf("%s: %v, %v", v.Name, fr.Kind, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: decoded as %+v", v.Name, fr)
		}
		t.Logf("%s: %#v", v.Name, err)
	}
}

func TestVectorNumbers(t *testing.T) {
	for _, v := range loadVectors(t).Numbers {
		want := unhex(t, v.Msgpack)
		got, err := Append(nil, Msgpack, v.Value)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %x, %v; want %x", v.Value, got, err, want)
		}
		back, err := Transcode(nil, JSON, Msgpack, want)
		if err != nil || string(back) != v.Value.String() {
			t.Errorf("%x: %s, %v; want %s", want, back, err, v.Value)
		}
	}
}
