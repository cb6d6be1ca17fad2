package contract

import (
	"errors"
	"reflect"
	"strings"

	"github.com/gosocka/socka/wire"
)

// bodyType is a Go type whose values are bodies, with the schema that they
// satisfy.
//
// A codec made of both reads and writes nearly all bodies in one go. What it is
// not sure of, and everything under other schemas than ours, takes the way of
// decode and encode, which are what the codec must agree with.
type bodyType struct {
	typ    reflect.Type
	schema Schema
	code   Code        // of faults
	fast   *wire.Codec // nil if there is none
}

func newBodyType(t reflect.Type, s Schema, code Code) bodyType {
	b := bodyType{typ: t, schema: s, code: code}
	if c, ok := s.(*compiled); ok && c.fast != nil {
		b.fast = wire.NewCodec(t, ruleMaker{}.rule(c.fast))
	}
	return b
}

// decode stores a body in dst, a pointer to a zero value of the type.
func (b *bodyType) decode(f wire.Format, body []byte, dst any) error {
	if b.fast != nil {
		if b.fast.Decode(f, body, dst) {
			return nil
		}
		if checkPointer(dst, b.typ) == nil {
			reflect.ValueOf(dst).Elem().SetZero()
		}
	}
	return decode(f, body, dst, b.typ, b.schema, b.code)
}

// encode returns the body of v, a value of the type.
func (b *bodyType) encode(f wire.Format, v any) ([]byte, error) {
	if b.fast != nil && reflect.TypeOf(v) == b.typ {
		p := reflect.New(b.typ)
		p.Elem().Set(reflect.ValueOf(v))
		if body, ok := b.fast.Append(make([]byte, 0, roomForBody), f, p.Interface()); ok {
			return body, nil
		}
	}
	return encode(f, v, b.typ, b.schema, b.code)
}

// roomForBody is how many bytes a body is made with.
const roomForBody = 128

// append appends the body of what v points to.
func (b *bodyType) append(dst []byte, f wire.Format, v any) ([]byte, error) {
	if b.fast != nil {
		if out, ok := b.fast.Append(dst, f, v); ok {
			return out, nil
		}
	}
	if err := checkPointer(v, b.typ); err != nil {
		return dst, err
	}
	body, err := encode(f, reflect.ValueOf(v).Elem().Interface(), b.typ, b.schema, b.code)
	if err != nil {
		return dst, err
	}
	return append(dst, body...), nil
}

// decode is the way from bytes to a Go value: what the schema saw is what is
// bound, because both are given the same tree.
func decode(f wire.Format, body []byte, dst any, t reflect.Type, s Schema, code Code) error {
	if err := checkType(dst, reflect.PointerTo(t)); err != nil {
		return err
	}
	if body == nil {
		return invalid(code, []Issue{{Message: "is missing"}})
	}
	tree, err := wire.Parse(f, body)
	if err != nil {
		return invalid(code, []Issue{issueOf(err)})
	}
	if issues := s.Validate(tree); len(issues) > 0 {
		return invalid(code, issues)
	}
	if err := wire.Bind(tree, dst); err != nil {
		return invalid(code, []Issue{issueOf(err)})
	}
	return nil
}

// encode is the way from a Go value to bytes. It validates the bytes themselves,
// so that both formats are held to the same and nothing that the peer would
// refuse leaves.
func encode(f wire.Format, v any, t reflect.Type, s Schema, code Code) ([]byte, error) {
	if err := checkType(v, t); err != nil {
		return nil, err
	}
	body, err := wire.Marshal(f, v)
	if err != nil {
		return nil, invalid(code, []Issue{issueOf(err)})
	}
	tree, err := wire.Parse(f, body)
	if err != nil {
		return nil, invalid(code, []Issue{issueOf(err)})
	}
	if issues := s.Validate(tree); len(issues) > 0 {
		return nil, invalid(code, issues)
	}
	return body, nil
}

// checkPointer refuses what is no pointer to a value of the definition's type.
func checkPointer(v any, want reflect.Type) error {
	if err := checkType(v, reflect.PointerTo(want)); err != nil {
		return err
	}
	if reflect.ValueOf(v).IsNil() {
		return Errorf(Internal, "contract: got a nil *%v", want)
	}
	return nil
}

// checkType refuses a value of another type than the definition's: a fault of
// the calling program.
func checkType(v any, want reflect.Type) error {
	if got := reflect.TypeOf(v); got != want && want.Kind() != reflect.Interface {
		return Errorf(Internal, "contract: got a %v where the definition has %v", got, want)
	}
	return nil
}

func issueOf(err error) Issue {
	var v *wire.ValueError
	if errors.As(err, &v) {
		return Issue{Path: v.Path, Message: v.Reason}
	}
	return Issue{Message: err.Error()}
}

const (
	// maxIssues bounds how many faults a message lists.
	maxIssues = 8
	// maxIssueText bounds one fault in bytes: paths and names come from the peer.
	maxIssueText = 256
)

// invalid makes the error for faults found in a body.
func invalid(code Code, issues []Issue) *Error {
	var b strings.Builder
	for i, is := range issues {
		if i > 0 {
			b.WriteString("; ")
		}
		if i == maxIssues {
			b.WriteString("and more")
			break
		}
		b.WriteString(is.String())
	}
	return &Error{Code: code, Message: b.String()}
}

// shorten cuts s to n bytes at most, between characters, and marks the cut.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
