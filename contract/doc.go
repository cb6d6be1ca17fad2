// Package contract declares what passes between the clients of a room and the
// room: typed calls, one-way calls and pushes, the schemas that their bodies
// satisfy, and the coded errors that answer a call that failed.
//
// A contract is the variables of a package that the server and Go clients share:
//
//	package chat
//
//	var Contract = contract.New("chat")
//
//	var (
//		Send    = contract.NewCall[SendIn, SendOut](Contract, "sendMessage")
//		Clear   = contract.NewCall[contract.None, contract.None](Contract, "clearHistory")
//		Typing  = contract.NewOneWay[TypingIn](Contract, "typing")
//		Message = contract.NewPush[Row](Contract, "roomMessage")
//	)
//
//	type SendIn struct {
//		Text string `json:"text" jsonschema:"minLength=1,maxLength=2000"`
//	}
//
// [NewCall], [NewOneWay] and [NewPush] panic while the program starts if a
// definition is wrong, and name its place; nothing of a contract can fail later
// for being defined badly. The type parameters end here: servers and clients work
// with [Method] and [PushDef], which read and write bodies by reflection.
//
// # What is validated where
//
//	input    by the Go client before it is sent; by the room before the handler runs
//	output   by the room before it is sent; by the Go client when it arrives
//	push     by the room when it is made; by the Go client when it arrives
//
// What was validated is what is decoded. A body is read once, by the wire
// package, into a tree; the schema looks at that tree and the Go value is bound
// from that tree. Going out, the Go value is written first and the bytes written
// are read back and validated, so that JSON and msgpack are held to the same.
//
// A body that is in order mostly takes a shorter way to the same result: the
// schema of a Go type, or of [RawSchema], is compiled with the type into a codec
// of the wire package, which validates while it reads and writes. Whenever that is
// not sure, for a fault or for an uncommon form, the body goes the way above from
// its start; a [Schema] of another kind always does. MarshalJSON, UnmarshalJSON
// and the like may therefore be called twice, and before the rest of a body was
// validated.
//
// Therefore:
//
//   - Names match exactly. {"text":"ok","TEXT":"…"} is the text "ok" and an
//     unknown field; unknown fields are ignored, at any depth.
//   - Repeated keys, invalid UTF-8 and half surrogate pairs are refused.
//   - 1.0 and 1e2 are integers, in both formats; 1.5 and 300 for an int8 are
//     refused with the field named.
//   - If a body is accepted, encoding what the handler got gives an accepted body
//     that is equal to it, less unknown fields. Equal is meant by value: a zero in
//     an omitempty or omitzero field is the same as its absence, base64 and times
//     may be spelt differently, numbers are what float64 (or the field's float32)
//     makes of them.
//
// Every fault is named in the message, "path: what", joined by "; ":
//
//	text: must have at most 5 characters; items[2].score: must be at most 150
//
// A message lists 8 faults at most and cuts long names, since both come from the
// peer. The codes are [InvalidInput] for inputs and [InvalidOutput] for outputs
// and pushes.
//
// # Types
//
// A type travels the same way through the schema, JSON and msgpack:
//
//	Go                          JSON Schema                              JSON      msgpack
//	bool                        boolean                                  true      bool
//	string                      string                                   "text"    str
//	int8 … int32, uint8 …       integer, bounds of the type              7         shortest integer
//	int, int64, uint, uint64    integer, within ±2⁵³ (unsigned: from 0)  7         integer; float64 beyond 32 bits
//	integers with ",string"     string, pattern of an integer            "7"       str
//	bool, floats, ",string"     string, "true"/"false" or a number       "true"    str
//	float32                     number, bounds of the type               0.1       float64
//	float64, json.Number        number                                   0.1       float64 or integer
//	[]byte                      string, base64                           "AQID"    bin
//	time.Time                   string, date-time (RFC 3339)             "2024-…"  timestamp extension
//	time.Duration               integer, nanoseconds                     1000000   integer
//	[]T                         array; nil is []                         [1]       array
//	[N]T                        array of exactly N                       [1,2]     array
//	map[string]T, text keys     object; nil is {}                        {"a":1}   map
//	map[integer]T               object, names are integers               {"7":1}   map
//	struct                      object; named ones in $defs              {…}       map
//	*T                          as T; see below                          as T      as T
//	any, json.RawMessage        true: anything, null too                 any       any
//	MarshalText+UnmarshalText   string                                   "text"    str
//	MarshalJSON+UnmarshalJSON   anything but null                        any       any
//
// Integers stay within ±2⁵³ because a JavaScript number holds no more; use the
// json option ",string" for larger ones. Ranges of ",string" integers and integer
// map keys, and what UnmarshalText and UnmarshalJSON refuse, are not in the
// schema; such a body is refused when it is bound, with the field named all the
// same. Embedded structs lend their fields as in encoding/json.
//
// A type with a method JSONSchema() *jsonschema.Schema
// (github.com/invopop/jsonschema) brings its own schema, in one piece without
// $ref; it should describe what the type writes.
//
// Refused when defined: chan, func, complex numbers, uintptr, interfaces with
// methods, pointers to pointers and to interfaces, embedded pointers, types with
// only one of the two text or JSON methods, and inputs that are not a struct, a
// map, a pointer to one of them or None: a request body is an object (socka v1
// wire).
//
// # Optional and nullable
//
//	A T                        required; null is refused
//	A *T                       may be absent; nil is left out, never null
//	A T  `json:"a,omitempty"`  may be absent; empty is left out. Not for structs and arrays
//	A T  `json:"a,omitzero"`   may be absent; zero is left out
//	A *T `socka:"nullable"`    required; nil is null
//	A *T `jsonschema:"required"`  required; a nil cannot be sent
//
// # Constraints
//
// The tag jsonschema takes a list of name=value, a comma within a value written
// as \, (which is `\\,` inside the tag's quotes):
//
//	required                               the field may not be absent, though it is a pointer
//	title=…, description=…                 for documents; also the tag jsonschema_description
//	example=…                              for documents (strings and numbers)
//	minLength=n, maxLength=n               strings, in characters (Unicode code points)
//	pattern=expr                           strings, somewhere in it: anchor with ^ and $
//	format=name                            strings; see below
//	enum=a,enum=b                          strings and numbers, one for each value
//	minimum=x, maximum=x                   numbers, inclusive
//	exclusiveMinimum=x, exclusiveMaximum=x integers and float64
//	multipleOf=x                           integers and float64
//	minItems=n, maxItems=n                 slices
//	uniqueItems=true                       slices of strings, integers, booleans
//
// On a slice, the names that slices do not have apply to its items. A limit
// looser than the type's is ignored. Any other name, a name that does not fit
// the type, or a value that cannot be read is refused when defined.
//
// Formats are date-time, date, time, email (a bare address), hostname, ipv4,
// ipv6, uri, uri-reference, uuid and regex. They are checked, and unknown ones
// are refused.
//
// Patterns are Go's regular expressions (RE2). A JavaScript client that uses the
// exported schema reads them as its own, so keep to what both have: literals,
// ., [a-z], \d, \w, \b, (…), (?:…), |, ^, $, and the repetitions ?, *, +, {n,m}.
// Lookahead and back references do not exist in Go; (?i), (?P<name>…), \A, \z and
// [[:alpha:]] do not exist in JavaScript; \s and characters beyond 16 bits differ.
// Lengths differ too: 😀 is one character here, and two to a JavaScript validator
// that counts UTF-16 units.
//
// # Other schemas
//
// [CallOptions], [OneWayOptions] and [PushOptions] take a [Schema] for each side
// in place of the one of the Go type: [RawSchema] for JSON Schema text,
// [SchemaFunc] or one's own type for any other validator. The Go type still
// decides what can be bound.
//
// [Contract.JSONSchema] writes all of a contract as one document.
//
// # Errors
//
// [Error] is the one error that crosses the wire, with a [Code]. Two codes
// matter most to a caller: [Unavailable] certainly did not run, [OutcomeUnknown]
// may have run. The constants say for each code who sends it, whether the call
// ran and what to do.
//
// # Imports and invariants
//
// The package imports wire and nothing else of this module
// (docs/decisions/0002-contract-imports-wire.md). Only it imports
// invopop/jsonschema and gojsonschema
// (docs/decisions/0001-schema-reflection.md).
//
//   - A Method or PushDef does not change once it is in its contract, and a
//     definition that panicked is not in it.
//   - Only bodyType in codec.go turns bytes into values and back: by decode and
//     encode, or by a codec that never differs from them.
//   - An acceptor never differs from gojsonschema; where it could, it leaves the
//     value to it.
package contract
