package contract

import (
	"fmt"
	"reflect"

	"github.com/gosocka/socka/wire"
)

// Push is a message that a room sends to its sessions unasked. It is made by
// [NewPush]; a [PushDef] is the same without the type parameter.
type Push[T any] struct{ d *PushDef }

// PushOptions are the optional parts of a push; the zero value has none.
type PushOptions struct {
	// Doc describes the push for documents. Default: none.
	Doc string
	// Schema validates the payload in place of the schema of its Go type.
	Schema Schema
	// Delivery says what a slow consumer may lose. Default: [Must].
	Delivery Delivery
}

// NewPush defines a push of c. T may be any type that can travel. At most one
// options struct may be given. It panics as [NewCall] does, and if Delivery asks
// for a field that T does not have; pushes have a namespace of their own.
func NewPush[T any](c *Contract, name string, opts ...PushOptions) *Push[T] {
	at := caller(1)
	c.define("push", name, at, len(opts))
	var o PushOptions
	if len(opts) == 1 {
		o = opts[0]
	}
	p := &PushDef{contract: c, name: name, at: at, doc: o.Doc, delivery: o.Delivery}
	t := reflect.TypeFor[T]()
	p.body = newBodyType(t, c.schemaFor("push", name, at, "payload", t, o.Schema), InvalidOutput)
	if err := p.findKey(); err != nil {
		c.panicf("push", name, at, "%v", err)
	}
	c.addPush(p)
	return &Push[T]{p}
}

// Name returns the name of the push, as it is on the wire.
func (p *Push[T]) Name() string { return p.d.name }

// Def returns the push without its type parameter.
func (p *Push[T]) Def() *PushDef { return p.d }

// PushDef is a push without its type parameter, which servers and clients work
// with. It does not change after its definition and is safe for concurrent use.
type PushDef struct {
	contract *Contract
	name     string
	at       string
	doc      string
	body     bodyType
	delivery Delivery
	keyIndex []int // where LatestBy's field is in the payload struct
}

// Name returns the name of the push, as it is on the wire.
func (p *PushDef) Name() string { return p.name }

// Doc returns the description given with the definition, if any.
func (p *PushDef) Doc() string { return p.doc }

// Contract returns the contract that the push belongs to.
func (p *PushDef) Contract() *Contract { return p.contract }

// DefinedAt returns the place of the definition as "file.go:12".
func (p *PushDef) DefinedAt() string { return p.at }

// Type returns the Go type of the payload.
func (p *PushDef) Type() reflect.Type { return p.body.typ }

// Delivery returns what a slow consumer may lose of the push.
func (p *PushDef) Delivery() Delivery { return p.delivery }

// Encode returns v, a value of Type, as the body of an event, after validating
// what it is about to send. Every failure is an *[Error] with code
// [InvalidOutput].
func (p *PushDef) Encode(f wire.Format, v any) ([]byte, error) {
	return p.body.encode(f, v)
}

// AppendBody appends the event body of what v points to, a value of Type, after
// validating what it is about to send. Failures are those of Encode; dst is then
// returned as it was.
func (p *PushDef) AppendBody(dst []byte, f wire.Format, v any) ([]byte, error) {
	return p.body.append(dst, f, v)
}

// Decode reads the body of an event, validates it and stores it in dst, a
// pointer to a zero value of Type. Every failure is an *[Error] with code
// [InvalidOutput].
func (p *PushDef) Decode(f wire.Format, body []byte, dst any) error {
	return p.body.decode(f, body, dst)
}

// String returns a description such as `push "message"`.
func (p *PushDef) String() string { return fmt.Sprintf("push %q", p.name) }
