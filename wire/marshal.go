package wire

import "encoding/json"

// Marshal returns the encoding of v.
func Marshal(f Format, v any) ([]byte, error) { return AppendMarshal(nil, f, v) }

// AppendMarshal appends the encoding of v to dst.
func AppendMarshal(dst []byte, f Format, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, failf("%v", err)
	}
	return Transcode(dst, f, JSON, b)
}

// Unmarshal is [Parse] and then [Bind].
func Unmarshal(f Format, data []byte, v any) error {
	tree, err := Parse(f, data)
	if err != nil {
		return err
	}
	return Bind(tree, v)
}

// Bind stores a neutral tree in the Go value that v points to.
func Bind(tree any, v any) error {
	b, err := Append(nil, JSON, tree)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return failf("%v", err)
	}
	return nil
}
