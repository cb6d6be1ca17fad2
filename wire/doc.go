// Package wire reads and writes the messages of the socka v1 protocol: its envelopes, and values in JSON and in msgpack.
// The protocol is that of the TypeScript package @firtoz/socka, versions 2.0.0 to 4.0.0, measured frame by frame; this page
// describes it. The package imports the standard library alone, holds no connections and keeps no state but the plans of Go
// types. All its functions may be called from several goroutines.
//
// # Transport
//
// One envelope travels in one WebSocket message, JSON in a text message and msgpack in a binary one. Envelopes are never
// put together in one message. The encoding belongs to the connection and does not change; JSON is the default. A client
// that expects JSON silently drops binary messages, so a server must keep to text there.
//
// The client offers no subprotocol and fails if the server selects one. It may offer permessage-deflate. It answers pings
// and sends none. After a lost connection it opens the same URL again, after min(30 s, 1 s · 2^(n−1)) ± 20 % for the n-th
// attempt, whatever the close code was, and sends nothing again.
//
// # Envelopes
//
// An envelope is an object. The peer writes its fields in the order of this table, as the Append functions here do; any
// order is read.
//
//	clientRequest   socka, v, id, rpc, body           a call, or a one-way call
//	serverResponse  socka, v, id, rpc, body           its output; echoes id and rpc
//	serverError     socka, v, id, error, rpc?, code?, data?, retryAfter?
//	serverEvent     socka, v, event, body             a push
//
//	socka       the kind: one of the four words
//	v           the number 1
//	id          string, "<call>-<n>"; n counts up for the life of a client object, across reconnects
//	rpc         string, the name of the call
//	event       string, the name of the push
//	body        of a request an object, {} for a call without input; else any value, absent for a void output
//	error       string, the message
//	code, data  string and any value; left out when unset, but "" and null are sent when they are set
//	retryAfter  an extension of this project: milliseconds until another try makes sense
//
// Fields that a reader does not know are ignored by the peer and here, so that an extension may ride on an envelope. An
// unknown kind or version is an error at the client, so a server never sends one; a serverEvent of an unknown name is
// dropped by a client that did not subscribe to it.
//
// A call without declared output is one-way: no serverResponse follows, a serverError only if it fails. A client has no
// timeout on calls and does not give up the pending ones when its socket closes, so every request with a string id must be
// answered, once. The client ignores a second answer, rejects an answer with an unknown rpc for a pending id, and hands a
// serverError of an unknown id to its error hook.
//
// # JSON
//
// What JSON.parse accepts is accepted, and nothing else; a message must also be valid UTF-8, without a byte order mark. On
// the way out only quotes, backslashes and control characters are escaped: <, >, &, U+2028 and U+2029 stand as they are. The
// client validates every output with its own schema, so an unset optional is left out rather than null, and an empty list
// is [] rather than null.
//
// # msgpack
//
// Standard msgpack, without records or shared structures. On the way out:
//
//   - Objects are map16, map32 beyond 65535 fields; arrays and strings take their shortest form. Text is str, never bin.
//   - Integers in [−2³¹, 2³²−1] take the shortest 8, 16 or 32 bit form, all other numbers are float64: 1700000000000 is
//     cb4278bcfe56800000. The forms uint64 and int64 are never written, because the peer reads them as BigInt, which no
//     number schema accepts, and which in v breaks the frame.
//   - Bytes are bin. Instants are the timestamp extension −1, of 32 bits for whole seconds up to 2³²−1, else of 64 or 96.
//   - A void body is undefined, which is the extension 0 (d40000), as the peer writes it. Nil would be rejected.
//
// On the way in maps may have any form, keys must be str, numbers may have any form, uint64 and int64 too. Undefined is an
// absent key in a map, an absent field in an envelope, and null in an array. Any other extension, trailing bytes and
// truncation make the frame malformed, as at the peer.
//
// # What a server does with what it gets
//
// The connection stays open in every case.
//
//	not JSON or not msgpack, no object, no kind or an          reported, no answer
//	unknown one, another version, a kind that servers send
//	clientRequest with a string id but without a string rpc    reported, and answered with serverError: MalformedError.HasID
//	or an object as body, or with rpc or body repeated         (the peer's server leaves the caller waiting)
//	binary message on a JSON connection                        read as JSON in UTF-8, answered in text
//	text message on a msgpack connection                       reported: "socka: unexpected JSON frame in msgpack mode"
//	unknown call, toString and __proto__ among them            serverError "Unknown call: NAME" with rpc
//	invalid input                                              serverError, its messages joined by "; ", with rpc
//	a coded error of a handler                                 serverError with its message, code and data
//	any other error, or a panic                                serverError with a fixed message
//	a valid output                                             serverResponse, after the pushes that the call made
//	an output that its schema refuses                          serverError; reported
//	a one-way call that succeeds                               nothing
//	data of an error that cannot be encoded                    the serverError without data; reported
//
// [Decode], and [Scan], which does not copy, take frames of both directions; that a serverResponse does not belong at a
// server is for the server to say. They check the syntax of the whole frame but do not look into the body: repeated keys,
// half surrogate pairs and numbers beyond float64 in a body are found by [Parse], and are then invalid input of a call that
// can be answered.
//
// # Values
//
// [Parse] and [Append] translate between bytes and a neutral tree, [Transcode] between the formats, [Marshal] and
// [Unmarshal] between bytes and Go values. A value means the same in both formats: its tree is the same, and a Go value
// binds to it in the same way.
//
// A [Codec] does for one Go type and one [Rule] what Parse, the rule on the tree and Bind do, or Marshal and the rule on what
// it wrote, in one go and without a tree. It is sure of nearly all bodies that are accepted, and agrees with those functions
// on each; of all others it says that it is not sure, and they decide.
//
// The names of struct fields, and which fields an embedded struct lends, are those of encoding/json: tags with a name, "-",
// omitempty, omitzero, string. These rules differ from encoding/json:
//
//   - Names match exactly, in upper and lower case. Fields unknown to the Go type are ignored. A repeated key is refused.
//   - A nil pointer in a field is left out. If the field is tagged `socka:"nullable"` it is null, and null binds to it;
//     omitempty and omitzero have then no say in that. Elsewhere inside a value a nil pointer is refused.
//   - A nil slice is [] and a nil map {}. A nil any and an empty json.RawMessage are null, as is a nil at the top.
//   - Null binds to nullable pointers, to any, to json.RawMessage, and to a pointer at the top; to nothing else.
//   - Fields absent from the input keep what the destination holds, also in the struct behind a pointer that is not nil.
//     Slices and maps are made anew.
//   - An array [N]T takes N elements exactly.
//   - 1.0 and 1e2 are integers. A number that does not fit the Go type is refused.
//   - Integers beyond ±2⁵³ are refused both ways, as JavaScript numbers cannot tell them apart; `json:",string"` carries
//     all of int64 and uint64. Floats may be as large as they are, json.Number and json.RawMessage keep 17 digits.
//   - A string that is not UTF-8 is refused.
//   - Types that marshal themselves do so by MarshalJSON and UnmarshalJSON or by the methods for text, also if these belong
//     to the pointer and the value has no address. Null does not reach them.
//   - Numbers of math/big take no text with an exponent or beyond 4096 characters, which could mean gigabytes.
//
// These are the forms of Go types; chan, func, complex numbers and interfaces with methods have none.
//
//	Go                              JSON                     msgpack
//	bool, string                    boolean, string          bool, str
//	integers, time.Duration (ns)    number                   integer, or float64 beyond 32 bits
//	float64                         number                   float64, or integer if integral and within 32 bits
//	float32                         shortest float32 number  the float64 nearest to that
//	[]byte                          string, padded base64    bin
//	time.Time                       string, RFC 3339, UTC    timestamp
//	slice, array                    array                    array
//	map                             object, keys sorted      map, keys sorted
//	struct                          object, declared order   map, declared order
//	any                             that of its value        that of its value
//	json.RawMessage                 the value                the value
//	json.Number                     number                   as an integer or float64
//
// Keys of maps are strings, integers in decimal, or have both MarshalText and UnmarshalText. An any binds to nil, bool,
// float64, string, []any or map[string]any.
//
// # Invariants
//
//   - No input makes a function panic. Scan allocates nothing to speak of, Decode its few strings; Parse at most about 150
//     times its input (a msgpack byte can be an empty map), whatever lengths the input announces; Bind what the Go type
//     of each element that is really there needs, a codec a few times that.
//   - What a codec is sure of, the way by a tree accepts, with the same Go value and the same bytes.
//   - Only unsafe.go uses unsafe; it says why that is safe.
//   - At most [MaxDepth] objects and arrays stand inside each other in a value, on the way in and out.
//   - Errors quote a bounded part of their input. The Append functions leave dst as it was when they fail.
//   - Everything that is written is read again, and encodes again to the same bytes.
package wire
