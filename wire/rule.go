package wire

// Sort is a set of sorts of values, one bit for each.
type Sort uint8

// The sorts of values in a tree. An integer is a number without a fraction that has no exponent in its canonical form.
const (
	SortNull Sort = 1 << iota
	SortBoolean
	SortString
	SortInteger
	SortFraction // a number that is not an integer
	SortArray
	SortObject
	// SortNone is no value's sort: a set of it alone accepts nothing.
	SortNone
)

// Rule says which values a [Codec] accepts, beside what its Go type can hold. A nil *Rule accepts every value. It is neutral
// towards the language of schemas that it was made from. A rule must not change once a codec was made of it; it may refer to
// itself.
type Rule struct {
	// Accept is the whole rule on a tree as [Parse] gives it: true only if the value is certainly accepted. It must be safe
	// for concurrent use and keep and change nothing. It is asked about the parts of a value that a codec does not read and
	// write by itself, and must not be nil.
	Accept func(tree any) bool
	// Opaque says that Accept alone knows; the fields below mean nothing then.
	Opaque bool
	// OrNull, if not nil, is the rule for every value but null, which is accepted; the fields below mean nothing then.
	OrNull *Rule

	// Sorts are the sorts of values accepted. 0: all.
	Sorts Sort
	// Enum are the only values accepted: nil, bool, string, [json.Number] in canonical form. nil: all.
	Enum []any

	// MinLength and MaxLength bound the characters of a string; negative: no bound.
	MinLength, MaxLength int
	// Text are further checks of a string, such as its pattern. They must be safe for concurrent use.
	Text []func(string) bool

	// Min and Max bound a number. nil: no bound.
	Min, Max *Bound

	// MinItems and MaxItems bound the number of elements of an array; negative: no bound.
	MinItems, MaxItems int
	// Items is the rule of each element.
	Items *Rule

	// Properties are the rules of the fields of an object by their names, Additional that of all other fields.
	Properties map[string]*Rule
	Additional *Rule
	// Required are the names of fields that must be there.
	Required []string
}

// Bound is a limit of a number.
type Bound struct {
	Value float64
	// Open says that Value is beyond the limit, or that it is not certain, because the limit is not exactly Value. If it is
	// false the limit is a decimal of at most 15 digits.
	Open bool
}

// takes reports whether values of one of the sorts may be accepted.
func (r *Rule) takes(s Sort) bool { return r.Sorts == 0 || r.Sorts&s != 0 }

// anyValue is the rule of a nil *Rule.
var anyValue = &Rule{Accept: func(any) bool { return true }, MinLength: -1, MaxLength: -1, MinItems: -1, MaxItems: -1}
