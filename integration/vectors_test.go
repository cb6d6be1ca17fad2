package integration

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// vectors are what the TypeScript library @firtoz/socka puts on the wire, measured.
type vectors struct {
	Frames    []vectorFrame
	Numbers   []vectorNumber
	Malformed []struct{ Name, JSON string }
}

type vectorFrame struct{ Name, JSON, Msgpack string }

type vectorNumber struct {
	Value   json.Number
	Msgpack string
}

func loadVectors(t *testing.T) *vectors {
	t.Helper()
	data, err := os.ReadFile("../wire/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectors)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	if len(v.Frames) < 12 || len(v.Numbers) < 29 || len(v.Malformed) < 17 {
		t.Fatalf("the vectors are not complete: %d frames, %d numbers, %d malformed inputs", len(v.Frames), len(v.Numbers), len(v.Malformed))
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// in gives a frame's bytes in a format.
func (v vectorFrame) in(t *testing.T, f wire.Format) []byte {
	if f == wire.JSON {
		return []byte(v.JSON)
	}
	return unhex(t, v.Msgpack)
}

func (v *vectors) frame(t *testing.T, name string) vectorFrame {
	t.Helper()
	for _, f := range v.Frames {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no vector %q", name)
	return vectorFrame{}
}

func eachFormat(t *testing.T, f func(t *testing.T, format wire.Format)) {
	for _, format := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(format.String(), func(t *testing.T) { f(t, format) })
	}
}

// TestEveryRequestOfTheVectorsIsAnswered sends the request frames as the peer's client writes them, byte for byte.
func TestEveryRequestOfTheVectorsIsAnswered(t *testing.T) {
	v := loadVectors(t)
	eachFormat(t, func(t *testing.T, f wire.Format) {
		s := serve(t, setup{}, newLab(nil))
		p := s.peer("lab/r", f, peerOptions{})
		requests := 0
		for _, frame := range v.Frames {
			sent := frame.in(t, f)
			request, err := wire.Decode(f, sent)
			if err != nil {
				t.Fatalf("%s: %v", frame.Name, err)
			}
			if request.Kind != wire.ClientRequest {
				continue
			}
			requests++
			p.write(f == wire.JSON, sent)
			// All of these calls but ping give back what they get.
			body := request.Body
			if request.RPC == "ping" {
				body = nil
			}
			want := wire.AppendResponse(nil, f, request.ID, request.RPC, body)
			if got := p.answer(request.ID); string(got.raw) != string(want) {
				t.Errorf("%s is answered\n%q, want\n%q", frame.Name, got.raw, want)
			}
		}
		if requests != 4 {
			t.Errorf("%d requests were tried, want the 4 of the vectors", requests)
		}
	})
}

// TestAnswersAndPushesAreThoseOfTheVectors has a server make every frame that the vectors have from servers, and compares
// bytes.
func TestAnswersAndPushesAreThoseOfTheVectors(t *testing.T) {
	v := loadVectors(t)
	cases := []struct {
		vector, id, rpc string
		in              any
	}{
		{"response", "echo-1", "echo", text{"hi"}},
		{"response, array", "list-1", "list", nil},
		{"response, null output", "n-1", "n", nil},
		{"response, void output", "ack-3", "ack", nil},
		{"error", "ghost-1", "ghost", nil},
		{"error with code and data", "fail-6", "fail", failIn{"coded"}},
		{"event", "say-7", "say", text{"all"}},
		{"event, epoch milliseconds", "post-8", "post", lineBody{1700000000000, "x"}},
	}
	fromServers := 0
	for _, frame := range v.Frames {
		if !strings.HasPrefix(frame.Name, "request") {
			fromServers++
		}
	}
	if fromServers != len(cases) {
		t.Errorf("the vectors have %d frames from servers, %d are made here", fromServers, len(cases))
	}
	eachFormat(t, func(t *testing.T, f wire.Format) {
		s := serve(t, setup{}, newLab(nil))
		p := s.peer("lab/r", f, peerOptions{})
		for _, c := range cases {
			want := v.frame(t, c.vector).in(t, f)
			p.write(f == wire.JSON, p.request(c.id, c.rpc, c.in))
			got := p.read()
			if got.Kind == wire.ServerEvent {
				p.answer(c.id)
			}
			raw := got.raw
			if c.vector == "error" {
				// This server adds a code, which the peer's has none of; the rest is the same.
				if got.Code != string(contract.UnknownCall) {
					t.Errorf("%s: the code is %q, want %q", c.vector, got.Code, contract.UnknownCall)
				}
				raw = wire.AppendError(nil, f, wire.ErrorFrame{ID: got.ID, RPC: got.RPC, Error: got.Error})
			}
			if string(raw) != string(want) {
				t.Errorf("%s: the server sent\n%q, want\n%q", c.vector, raw, want)
			}
		}
		p.quiet()
	})
}

// answeredMalformed are the malformed requests that have an id, and so are answered.
var answeredMalformed = map[string]bool{"rpc missing": true, "body missing": true, "body null": true, "body array": true}

// malformedIn gives a malformed input in a format. What has no JSON to be translated has a counterpart in msgpack.
func malformedIn(t *testing.T, name, text string, f wire.Format) []byte {
	t.Helper()
	if f == wire.JSON {
		return []byte(text)
	}
	switch name {
	case "not json": // a map that ends after its first key
		return unhex(t, "81a5736f636b61")
	case "empty":
		return nil
	case "two objects":
		first, _, _ := strings.Cut(text, "}{")
		b, err := wire.Transcode(nil, f, wire.JSON, []byte(first+"}"))
		if err != nil {
			t.Fatal(err)
		}
		return append(b, 0x80)
	}
	b, err := wire.Transcode(nil, f, wire.JSON, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func TestMalformedInputIsReportedAndTheConnectionStaysOpen(t *testing.T) {
	v := loadVectors(t)
	eachFormat(t, func(t *testing.T, f wire.Format) {
		for _, bad := range v.Malformed {
			t.Run(bad.Name, func(t *testing.T) {
				s := serve(t, setup{}, newLab(nil))
				p := s.peer("lab/r", f, peerOptions{})
				p.write(f == wire.JSON, malformedIn(t, bad.Name, bad.JSON, f))
				if answeredMalformed[bad.Name] {
					if m := p.answer("a"); m.Kind != wire.ServerError || m.Error == "" || m.Code != string(contract.InvalidInput) {
						t.Errorf("it is answered %q, want a serverError invalid_input", m.raw)
					}
				}
				p.quiet()
				reports := s.invalid.all()
				if len(reports) != 1 || !reports[0].Input || reports[0].Err == nil || reports[0].ID.Name != "r" {
					t.Errorf("the ValidationError hook was told %+v, want one fault of the client", reports)
				}
			})
		}
	})
}

func TestABinaryMessageOnAJSONConnectionIsReadAndAnsweredInText(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	p := s.peer("lab/r", wire.JSON, peerOptions{})
	p.write(false, p.request("echo-1", "echo", text{"hi"}))
	if m := p.answer("echo-1"); !m.text || m.Kind != wire.ServerResponse {
		t.Errorf("the answer is %q (text: %v), want a response in a text message", m.raw, m.text)
	}
	p.write(false, []byte{0xff, 0x80})
	p.quiet()
	if n := len(s.invalid.all()); n != 1 {
		t.Errorf("%d reports of a binary message that is not UTF-8, want 1", n)
	}
}

func TestATextMessageOnAMsgpackConnectionIsReported(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	p := s.peer("lab/r", wire.Msgpack, peerOptions{})
	p.write(true, []byte(`{"socka":"clientRequest","v":1,"id":"echo-1","rpc":"echo","body":{"text":"hi"}}`))
	p.quiet()
	if got, want := s.invalid.wait(t, "it is reported", 1).Err.Error(), "socka: unexpected JSON frame in msgpack mode"; got != want {
		t.Errorf("the report says %q, want %q", got, want)
	}
}

func TestUnknownCallsAreAnsweredByName(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wire.Format) {
		s := serve(t, setup{}, newLab(nil))
		p := s.peer("lab/r", f, peerOptions{})
		for _, name := range []string{"ghost", "toString", "constructor", "__proto__", "hasOwnProperty", "then", "", "notify", "socka:x", "héé\u2028<"} {
			m := p.call(name, nil)
			if m.Kind != wire.ServerError || m.Error != "Unknown call: "+name || m.RPC != name || m.Code != string(contract.UnknownCall) {
				t.Errorf("a call of %q is answered %q", name, m.raw)
			}
		}
	})
}

func TestInvalidInputIsAnsweredWithItsFieldsAndDoesNotRun(t *testing.T) {
	s := serve(t, setup{}, newLab(nil))
	p := s.peer("lab/r", wire.JSON, peerOptions{})
	for body, parts := range map[string][]string{
		`{"text":7}`:              {"text"},
		`{}`:                      {"text"},
		`{"text":null}`:           {"text"},
		`{"TEXT":"x"}`:            {"text"},
		`{"text":"a","text":"b"}`: {"text"},
		`{"text":"\ud800"}`:       {"text"},
	} {
		id := "say-" + body
		p.write(true, wire.AppendRequest(nil, wire.JSON, strings.ReplaceAll(id, `\`, ""), "say", []byte(body)))
		m := p.answer(strings.ReplaceAll(id, `\`, ""))
		if m.Code != string(contract.InvalidInput) || m.RPC != "say" {
			t.Errorf("%s is answered %q, want invalid_input", body, m.raw)
		}
		for _, part := range parts {
			if !strings.Contains(m.Error, part) {
				t.Errorf("%s: the message %q does not name %q", body, m.Error, part)
			}
		}
	}
	both := wire.AppendRequest(nil, wire.JSON, "post-1", "post", []byte(`{"ts":"x","text":1}`))
	p.write(true, both)
	if m := p.answer("post-1"); !strings.Contains(m.Error, "ts") || !strings.Contains(m.Error, "text") || !strings.Contains(m.Error, "; ") {
		t.Errorf("two faults are told as %q, want both fields, joined by \"; \"", m.Error)
	}
	p.quiet() // no handler ran: there is no push
	if n := len(s.failed.all()); n != 0 {
		t.Errorf("the HandlerError hook was called %d times for inputs that never came to a handler", n)
	}
}

// TestNumbersArriveAsTheyWereSent sends every number of the vectors through calls, in both formats and between them.
func TestNumbersArriveAsTheyWereSent(t *testing.T) {
	v := loadVectors(t)
	s := serve(t, setup{}, newLab(nil))
	asJSON, asMsgpack := s.peer("lab/r", wire.JSON, peerOptions{}), s.peer("lab/r", wire.Msgpack, peerOptions{})
	for _, n := range v.Numbers {
		value, err := n.Value.Float64()
		if err != nil {
			t.Fatal(err)
		}
		calls := []string{"number"}
		if value == math.Trunc(value) && math.Abs(value) < 1<<53 {
			calls = append(calls, "integer")
		}
		for _, rpc := range calls {
			// msgpack: the value's bytes come back as they went.
			body := append([]byte{0x81, 0xa5}, "value"...)
			body = append(body, unhex(t, n.Msgpack)...)
			id := rpc + "-" + n.Value.String()
			asMsgpack.write(false, wire.AppendRequest(nil, wire.Msgpack, id, rpc, body))
			if m := asMsgpack.answer(id); m.Kind != wire.ServerResponse || !strings.HasSuffix(string(m.Body), "\xa5value"+string(unhex(t, n.Msgpack))) {
				t.Errorf("msgpack, %s: %s is answered %x, want %s at its end", rpc, n.Value, m.raw, n.Msgpack)
			}
			var got numberBody
			asJSON.write(true, wire.AppendRequest(nil, wire.JSON, id, rpc, []byte(`{"value":`+n.Value.String()+`}`)))
			if m := asJSON.answer(id); m.Kind != wire.ServerResponse {
				t.Errorf("JSON, %s: %s is answered %q", rpc, n.Value, m.raw)
			} else if asJSON.unmarshal(m.Body, &got); got.Value != value {
				t.Errorf("JSON, %s: %s came back as %v", rpc, n.Value, got.Value)
			}
		}
	}
	// Between the formats: what a JSON client posts reaches a msgpack client in the form that its peer can read.
	asJSON.call("post", lineBody{1700000000000, "x"})
	if m := asMsgpack.push("line", nil); !strings.Contains(string(m.raw), string(unhex(t, "a27473cb4278bcfe56800000"))) {
		t.Errorf("epoch milliseconds reached a msgpack client as %x", m.raw)
	}
}
