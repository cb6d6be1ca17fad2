package contract

import (
	"fmt"
	"reflect"

	"github.com/gosocka/socka/wire"
)

// None is the absence of input or output. As an input it is the body {} on the
// wire, as an output no body at all (socka v1 wire).
type None struct{}

var noneType = reflect.TypeFor[None]()

// Call is a request that a client sends and a room answers with an Out or an
// error. It is made by [NewCall] and names the types of both sides; a [Method]
// is the same without type parameters.
type Call[In, Out any] struct{ m *Method }

// OneWay is a call that is answered only when it fails. It is made by
// [NewOneWay].
type OneWay[In any] struct{ m *Method }

// CallOptions are the optional parts of a call; the zero value has none.
type CallOptions struct {
	// Doc describes the call for documents. Default: none.
	Doc string
	// Input validates the input in place of the schema of its Go type.
	Input Schema
	// Output validates the output in place of the schema of its Go type.
	Output Schema
}

// OneWayOptions are the optional parts of a one-way call; the zero value has
// none.
type OneWayOptions struct {
	// Doc describes the call for documents. Default: none.
	Doc string
	// Input validates the input in place of the schema of its Go type.
	Input Schema
}

// NewCall defines a call of c. In must be a type that travels as an object: a
// struct, a map, a pointer to one of them, or [None]. Out may be any type that
// can travel. At most one options struct may be given.
//
// It panics, naming the place of the definition and, for a name that is taken,
// the place of the other, if the name is empty, reserved or taken (one-way calls
// share the names of calls), or if a type or one of its tags cannot be used; the
// package documentation has the rules.
func NewCall[In, Out any](c *Contract, name string, opts ...CallOptions) *Call[In, Out] {
	at := caller(1)
	c.define("call", name, at, len(opts))
	var o CallOptions
	if len(opts) == 1 {
		o = opts[0]
	}
	m := newMethod(c, name, at, o.Doc, false, reflect.TypeFor[In](), reflect.TypeFor[Out](), o.Input, o.Output)
	return &Call[In, Out]{m}
}

// NewOneWay defines a one-way call of c. The rules are those of [NewCall].
func NewOneWay[In any](c *Contract, name string, opts ...OneWayOptions) *OneWay[In] {
	at := caller(1)
	c.define("one-way call", name, at, len(opts))
	var o OneWayOptions
	if len(opts) == 1 {
		o = opts[0]
	}
	m := newMethod(c, name, at, o.Doc, true, reflect.TypeFor[In](), noneType, o.Input, nil)
	return &OneWay[In]{m}
}

// Name returns the name of the call, as it is on the wire.
func (c *Call[In, Out]) Name() string { return c.m.name }

// Method returns the call without its type parameters.
func (c *Call[In, Out]) Method() *Method { return c.m }

// Name returns the name of the one-way call, as it is on the wire.
func (c *OneWay[In]) Name() string { return c.m.name }

// Method returns the one-way call without its type parameters.
func (c *OneWay[In]) Method() *Method { return c.m }

// Method is a call or one-way call without type parameters, which servers and
// clients work with. It does not change after its definition and is safe for
// concurrent use.
type Method struct {
	contract *Contract
	name     string
	at       string
	doc      string
	oneWay   bool
	in, out  bodyType
}

func newMethod(c *Contract, name, at, doc string, oneWay bool, in, out reflect.Type, inSchema, outSchema Schema) *Method {
	m := &Method{contract: c, name: name, at: at, doc: doc, oneWay: oneWay}
	if err := checkInput(in); err != nil {
		c.panicf(m.what(), name, at, "input: %v", err)
	}
	m.in = newBodyType(in, c.schemaFor(m.what(), name, at, "input", in, inSchema), InvalidInput)
	m.out = newBodyType(out, c.schemaFor(m.what(), name, at, "output", out, outSchema), InvalidOutput)
	c.addMethod(m)
	return m
}

func (m *Method) what() string {
	if m.oneWay {
		return "one-way call"
	}
	return "call"
}

// Name returns the name of the call, as it is on the wire.
func (m *Method) Name() string { return m.name }

// Doc returns the description given with the definition, if any.
func (m *Method) Doc() string { return m.doc }

// OneWay reports whether the call is answered only when it fails.
func (m *Method) OneWay() bool { return m.oneWay }

// Contract returns the contract that the call belongs to.
func (m *Method) Contract() *Contract { return m.contract }

// DefinedAt returns the place of the definition as "file.go:12".
func (m *Method) DefinedAt() string { return m.at }

// InputType returns the Go type of the input, that of [None] if there is none.
func (m *Method) InputType() reflect.Type { return m.in.typ }

// OutputType returns the Go type of the output, that of [None] if there is none.
func (m *Method) OutputType() reflect.Type { return m.out.typ }

// Void reports whether there is no output: its type is that of [None].
func (m *Method) Void() bool { return m.out.typ == noneType }

// DecodeInput reads body, validates it and stores it in dst, a pointer to a zero
// value of InputType. Every failure is an *[Error] with code [InvalidInput],
// whose message has one part for each fault, joined by "; " and naming its field;
// dst is then not to be used.
func (m *Method) DecodeInput(f wire.Format, body []byte, dst any) error {
	return m.in.decode(f, body, dst)
}

// EncodeInput returns v, a value of InputType, as a request body, after
// validating what it is about to send. Every failure is an *[Error] with code
// [InvalidInput].
func (m *Method) EncodeInput(f wire.Format, v any) ([]byte, error) {
	return m.in.encode(f, v)
}

// EncodeOutput returns v, a value of OutputType, as a response body, after
// validating what it is about to send; nil, that is no body, for [None]. Every
// failure is an *[Error] with code [InvalidOutput].
func (m *Method) EncodeOutput(f wire.Format, v any) ([]byte, error) {
	if m.Void() {
		return nil, nil
	}
	return m.out.encode(f, v)
}

// AppendOutput appends the response body of what v points to, a value of
// OutputType, after validating what it is about to send; nothing for [None].
// Failures are those of EncodeOutput; dst is then returned as it was.
func (m *Method) AppendOutput(dst []byte, f wire.Format, v any) ([]byte, error) {
	if m.Void() {
		return dst, nil
	}
	return m.out.append(dst, f, v)
}

// DecodeOutput reads the body of a response, validates it and stores it in dst,
// a pointer to a zero value of OutputType. For [None] the body must be absent,
// as the TypeScript client has it. Every failure is an *[Error] with code
// [InvalidOutput].
func (m *Method) DecodeOutput(f wire.Format, body []byte, dst any) error {
	if m.Void() {
		if body != nil {
			return invalid(InvalidOutput, []Issue{{Message: "must be absent: the call has no output"}})
		}
		return nil
	}
	return m.out.decode(f, body, dst)
}

// String returns a description such as `call "send"`.
func (m *Method) String() string { return fmt.Sprintf("%s %q", m.what(), m.name) }
