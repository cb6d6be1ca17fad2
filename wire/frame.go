package wire

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the sort of an envelope.
type Kind uint8

// The four kinds of envelope. The zero Kind is none of them.
const (
	ClientRequest  Kind = iota + 1 // a call, or a one-way call; client to server
	ServerResponse                 // the output of a call; server to client
	ServerError                    // the failure of a call; server to client
	ServerEvent                    // a push; server to client
)

var kindNames = [...]string{"", "clientRequest", "serverResponse", "serverError", "serverEvent"}

// String returns the word that stands for the kind on the wire, such as "clientRequest".
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Frame is one decoded envelope. Body and Data are undecoded bytes in the frame's format. They alias the input of [Decode].
type Frame struct {
	Kind Kind
	// ID ties an answer to its request; empty in a ServerEvent.
	ID string
	// RPC is the name of the call; empty in a ServerEvent, and in a ServerError that carries none.
	RPC string
	// Event is the name of the push, in a ServerEvent.
	Event string
	// Body is nil if the frame carries none (or msgpack's undefined). A ClientRequest always has one, and it is an object.
	Body []byte
	// Error is the message of a ServerError.
	Error string
	// Code is the code of a ServerError if HasCode is true; the empty code can be set.
	Code    string
	HasCode bool
	// Data is the data of a ServerError, nil if it carries none. A null is data.
	Data []byte
	// RetryAfter is the number of milliseconds after which a failed call may be tried again, 0 if the frame does not say.
	// It is an extension of this project, which the clients of @firtoz/socka ignore.
	RetryAfter int64
}

// Decode reads one envelope of either direction. The whole frame is checked for syntax, UTF-8, and depth; its body is not
// decoded. Fields may come in any order. Unknown ones are ignored, a repeated known one is refused.
//
// The error is a [*MalformedError]. A server answers it if HasID is true and stays silent otherwise; the connection stays open.
func Decode(f Format, data []byte) (Frame, error) {
	fr, err := Scan(f, data)
	if err != nil {
		return fr, err
	}
	for _, s := range [...]*string{&fr.ID, &fr.RPC, &fr.Event, &fr.Error, &fr.Code} {
		*s = strings.Clone(*s)
	}
	return fr, nil
}

// Scan is [Decode] without copies: the strings of the frame share memory with data, as its body does, and hold only while
// data does not change. It allocates nothing, unless there are escapes in those strings or it fails.
func Scan(f Format, data []byte) (Frame, error) {
	var fr Frame
	if f == Msgpack && fr.requestMsgpack(data) || f == JSON && fr.requestJSON(data) {
		return fr, nil
	}
	fr, err := scanAny(f, data)
	if err != nil {
		return Frame{}, err
	}
	return fr, nil
}

// scanAny is Scan of any frame.
func scanAny(f Format, data []byte) (Frame, *MalformedError) {
	var e envelope
	var err *MalformedError
	if f == Msgpack {
		err = e.readMsgpack(data)
	} else {
		err = e.readJSON(data)
	}
	if err != nil {
		return Frame{}, err
	}
	return e.frame(f)
}

// field is an envelope field that this package knows.
type field uint8

const (
	fieldSocka field = iota
	fieldV
	fieldID
	fieldRPC
	fieldBody
	fieldEvent
	fieldError
	fieldCode
	fieldData
	fieldRetryAfter
	fieldCount
)

var fieldNames = [fieldCount]string{"socka", "v", "id", "rpc", "body", "event", "error", "code", "data", "retryAfter"}

// envelope holds the undecoded values of the known fields; nil is absent.
type envelope struct {
	raw      [fieldCount][]byte
	seen     uint16
	repeated uint16
}

func (e *envelope) set(key, value []byte) {
	for i, name := range fieldNames {
		if string(key) == name {
			bit := uint16(1) << i
			e.repeated |= e.seen & bit
			e.seen |= bit
			e.raw[i] = value
			return
		}
	}
}

func malformed(reason string) *MalformedError { return &MalformedError{Reason: reason} }

func (e *envelope) readJSON(data []byte) *MalformedError {
	if !utf8.Valid(data) {
		return malformed("invalid JSON: not UTF-8")
	}
	r := jsonReader{data: data}
	if c := r.peek(); c != '{' {
		if r.skip(MaxDepth+1) && r.end() {
			return malformed("not an object")
		}
		return malformed(r.reason())
	}
	r.pos++
	var text [64]byte
	for n := 0; ; n++ {
		more, ok := r.next(n, '}')
		if !ok {
			return malformed(r.reason())
		}
		if !more {
			break
		}
		key, escaped, ok := r.str()
		if ok && escaped {
			var whole bool
			if key, whole = unescape(text[:0], key); !whole {
				key = nil // half a surrogate pair stands in no known name
			}
		}
		if !ok || !r.colon() {
			return malformed(r.reason())
		}
		r.peek()
		from := r.pos
		if !r.skip(MaxDepth) {
			return malformed(r.reason())
		}
		e.set(key, data[from:r.pos:r.pos])
	}
	if !r.end() {
		return malformed(r.reason())
	}
	return nil
}

func (e *envelope) readMsgpack(data []byte) *MalformedError {
	r := msgReader{data: data}
	top, ok := r.next()
	if !ok {
		return malformed(r.reason())
	}
	if top.kind != tokMap {
		if r.skipRest(top, MaxDepth+1) && r.end() {
			return malformed("not an object")
		}
		return malformed(r.reason())
	}
	for range top.n {
		key, ok := r.key()
		if !ok {
			return malformed(r.reason())
		}
		from := r.pos
		t, ok := r.next()
		if !ok || !r.skipRest(t, MaxDepth) {
			return malformed(r.reason())
		}
		value := data[from:r.pos:r.pos]
		if t.kind == tokUndefined {
			value = nil
		}
		e.set(key, value)
	}
	if !r.end() {
		return malformed(r.reason())
	}
	return nil
}

// frame checks the fields that the kind of the envelope needs.
func (e *envelope) frame(f Format) (Frame, *MalformedError) {
	var fr Frame
	name, ok := e.bytes(f, fieldSocka)
	switch {
	case e.raw[fieldSocka] == nil:
		return fr, malformed(`no field "socka"`)
	case !ok:
		return fr, malformed(`field "socka" is not a string`)
	}
	for k := ClientRequest; k <= ServerEvent; k++ {
		if string(name) == kindNames[k] {
			fr.Kind = k
		}
	}
	if fr.Kind == 0 {
		return fr, malformed("unknown kind " + strconv.Quote(clip(name)))
	}
	if v, ok := numberOf(f, e.raw[fieldV]); !ok || v != 1 {
		return fr, malformed(`field "v" is not 1: another version of the protocol`)
	}

	var missing string // the first field that is absent or of a wrong type
	need := func(i field) string {
		s, ok := e.text(f, i)
		if !ok && missing == "" {
			missing = fieldNames[i]
		}
		return s
	}
	optional := func(i field) (string, bool) {
		if e.raw[i] == nil {
			return "", false
		}
		return need(i), true
	}
	switch fr.Kind {
	case ClientRequest:
		fr.ID, fr.RPC = need(fieldID), need(fieldRPC)
		fr.Body = e.raw[fieldBody]
	case ServerResponse:
		fr.ID, fr.RPC = need(fieldID), need(fieldRPC)
		fr.Body = e.raw[fieldBody]
	case ServerError:
		fr.ID, fr.Error = need(fieldID), need(fieldError)
		fr.RPC, _ = optional(fieldRPC)
		fr.Code, fr.HasCode = optional(fieldCode)
		fr.Data = e.raw[fieldData]
		fr.RetryAfter = e.retryAfter(f)
	case ServerEvent:
		fr.Event = need(fieldEvent)
		fr.Body = e.raw[fieldBody]
	}

	reason := ""
	switch {
	case e.repeated != 0:
		for i, name := range fieldNames {
			if e.repeated>>i&1 == 1 {
				reason = `repeated field "` + name + `"`
				break
			}
		}
	case missing != "":
		reason = fr.Kind.String() + ` needs a string in field "` + missing + `"`
	case fr.Kind == ClientRequest && !isObject(f, fr.Body):
		reason = `clientRequest needs an object in field "body"`
	default:
		return fr, nil
	}
	err := malformed(reason)
	once := func(i field) bool { return e.repeated>>i&1 == 0 }
	if fr.Kind == ClientRequest && once(fieldSocka) && once(fieldV) && once(fieldID) {
		if id, ok := e.text(f, fieldID); ok {
			err.ID, err.HasID = strings.Clone(id), true
		}
		if err.HasID && once(fieldRPC) {
			err.RPC = strings.Clone(fr.RPC)
		}
	}
	return Frame{}, err
}

// bytes returns the text of a string field. It may alias the input.
func (e *envelope) bytes(f Format, i field) ([]byte, bool) {
	raw := e.raw[i]
	if len(raw) == 0 {
		return nil, false
	}
	if f == Msgpack {
		r := msgReader{data: raw}
		t, ok := r.next()
		return t.raw, ok && t.kind == tokStr
	}
	if raw[0] != '"' {
		return nil, false
	}
	r := jsonReader{data: raw}
	s, escaped, ok := r.str()
	if ok && escaped {
		return unescape(nil, s)
	}
	return s, ok
}

// text is bytes as a string, which may share memory with the input too.
func (e *envelope) text(f Format, i field) (string, bool) {
	b, ok := e.bytes(f, i)
	if !ok {
		return "", false
	}
	return textOf(b), true
}

// retryAfter reads the extension field. Anything but a positive number of milliseconds is ignored, as unknown fields are.
func (e *envelope) retryAfter(f Format) int64 {
	v, ok := numberOf(f, e.raw[fieldRetryAfter])
	if !ok || !(v >= 1 && v <= maxSafe) {
		return 0
	}
	return int64(v)
}

// numberOf reads a number that the frame's scan has passed.
func numberOf(f Format, raw []byte) (float64, bool) {
	if len(raw) == 0 {
		return 0, false
	}
	if f == JSON {
		if c := raw[0]; c != '-' && (c < '0' || c > '9') {
			return 0, false
		}
		if len(raw) == 1 {
			return float64(raw[0] - '0'), true
		}
		v, err := strconv.ParseFloat(string(raw), 64)
		return v, err == nil
	}
	r := msgReader{data: raw}
	t, ok := r.next()
	switch {
	case !ok:
		return 0, false
	case t.kind == tokInt:
		return float64(int64(t.bits)), true
	case t.kind == tokUint:
		return float64(t.bits), true
	case t.kind == tokFloat:
		return math.Float64frombits(t.bits), true
	}
	return 0, false
}

func isObject(f Format, raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	c := raw[0]
	if f == JSON {
		return c == '{'
	}
	return c >= 0x80 && c <= 0x8f || c == 0xde || c == 0xdf
}
