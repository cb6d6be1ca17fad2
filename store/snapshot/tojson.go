package snapshot

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// ToJSON shows a frame to people: its value in JSON, compact, and its header. What msgpack has and JSON has not is shown as
// follows, and cannot be read back:
//
//	bytes                  base64
//	timestamp              RFC 3339, or {"seconds":n,"nanoseconds":n} beyond the year 9999
//	NaN, ±Inf              "NaN", "+Inf", "-Inf"
//	another extension      {"extension":type,"data":base64}
//	key that is no string  its JSON as a string
//
// A patch is shown as
//
//	{"patch":{"of":bytes,"to":bytes,"keepFirst":bytes,"edits":[{"drop":bytes,"insert":…,"keep":bytes},…]}}
//
// Each edit drops bytes, puts others in and keeps those that follow. What is put in is a string if it is UTF-8, else
// {"base64":…}; what an edit does not do is left out.
func ToJSON(data []byte) ([]byte, Header, error) {
	f, err := parse(data)
	if err != nil {
		return nil, f.Header, err
	}
	if f.form == formPatch {
		text, err := f.patch.toJSON()
		return text, f.Header, err
	}
	text, err := valueToJSON(f.Encoding, f.body)
	if err != nil {
		return nil, f.Header, fmt.Errorf("snapshot: %w: %s in %s: %w", ErrCorrupt, f.Kind, f.Encoding, err)
	}
	return text, f.Header, nil
}

func valueToJSON(e Encoding, body []byte) ([]byte, error) {
	if e == JSON {
		var out bytes.Buffer
		err := json.Compact(&out, body)
		return out.Bytes(), err
	}
	if err := checkMsgpack(body); err != nil {
		return nil, err
	}
	c := converter{reader: reader{data: body}}
	err := c.value()
	return c.out, err
}

// shownEdit is an edit as it is shown, together with what the next one, or the end, keeps.
type shownEdit struct {
	Drop   uint64 `json:"drop,omitempty"`
	Insert any    `json:"insert,omitempty"`
	Keep   uint64 `json:"keep,omitempty"`
}

func (p Patch) toJSON() ([]byte, error) {
	type patch struct {
		Of        uint64      `json:"of"`
		To        uint64      `json:"to"`
		KeepFirst uint64      `json:"keepFirst"`
		Edits     []shownEdit `json:"edits"`
	}
	var shown struct {
		Patch patch `json:"patch"`
	}
	s := &shown.Patch
	s.Of, s.To, s.Edits = p.base.length, p.result.length, []shownEdit{}
	kept, left := &s.KeepFirst, p.base.length
	for data := p.edits; len(data) > 0; {
		var e edit
		e, data = nextEdit(data)
		*kept = e.keep
		left -= e.keep + e.drop
		now := shownEdit{Drop: e.drop}
		if len(e.insert) > 0 {
			now.Insert = asText(e.insert)
		}
		s.Edits = append(s.Edits, now)
		kept = &s.Edits[len(s.Edits)-1].Keep
	}
	*kept = left
	return JSON.Marshal(&shown)
}

// asText is what is shown of bytes that may be a text.
func asText(data []byte) any {
	if utf8.Valid(data) {
		return string(data)
	}
	return map[string][]byte{"base64": data}
}

// converter writes the JSON of msgpack that checkMsgpack has passed, which bounds its depth.
type converter struct {
	reader
	out []byte
}

func (c *converter) value() error {
	t, err := c.next()
	if err != nil {
		return err
	}
	switch t.kind {
	case tokenNil:
		c.out = append(c.out, "null"...)
	case tokenBool:
		c.out = strconv.AppendBool(c.out, t.bits == 1)
	case tokenInt:
		c.out = strconv.AppendInt(c.out, int64(t.bits), 10)
	case tokenUint:
		c.out = strconv.AppendUint(c.out, t.bits, 10)
	case tokenFloat32:
		c.float(t.float(), 32)
	case tokenFloat64:
		c.float(t.float(), 64)
	case tokenString:
		c.text(string(t.data))
	case tokenBin:
		c.base64(t.data)
	case tokenExt:
		c.extension(t)
	case tokenArray:
		c.out = append(c.out, '[')
		for i := range t.bits {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			if err := c.value(); err != nil {
				return err
			}
		}
		c.out = append(c.out, ']')
	case tokenMap:
		c.out = append(c.out, '{')
		for i := range t.bits {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			if err := c.key(); err != nil {
				return err
			}
			c.out = append(c.out, ':')
			if err := c.value(); err != nil {
				return err
			}
		}
		c.out = append(c.out, '}')
	}
	return nil
}

// key writes a value as the key of an object. One that has others in it would be quoted over and over.
func (c *converter) key() error {
	if t, _, _ := next(c.data); t.kind == tokenArray || t.kind == tokenMap {
		return fmt.Errorf("%s is the key of a map", t.kind)
	}
	start := len(c.out)
	if err := c.value(); err != nil {
		return err
	}
	if c.out[start] != '"' {
		key := string(c.out[start:])
		c.out = c.out[:start]
		c.text(key)
	}
	return nil
}

func (c *converter) text(s string) {
	w := appender{c.out}
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // there is no string that cannot be encoded
	}
	c.out = w.data[:len(w.data)-1]
}

func (c *converter) base64(data []byte) {
	c.out = append(c.out, '"')
	c.out = base64.StdEncoding.AppendEncode(c.out, data)
	c.out = append(c.out, '"')
}

func (c *converter) float(f float64, bits int) {
	switch {
	case math.IsNaN(f):
		c.out = append(c.out, `"NaN"`...)
	case math.IsInf(f, 0):
		c.out = fmt.Appendf(c.out, `"%+v"`, f)
	default:
		c.out = strconv.AppendFloat(c.out, f, 'g', -1, bits)
	}
}

func (c *converter) extension(t token) {
	if at, ok := timeOf(t.data); ok && t.ext == extTime {
		if text, err := at.MarshalJSON(); err == nil {
			c.out = append(c.out, text...)
		} else {
			c.out = fmt.Appendf(c.out, `{"seconds":%d,"nanoseconds":%d}`, at.Unix(), at.Nanosecond())
		}
		return
	}
	c.out = fmt.Appendf(c.out, `{"extension":%d,"data":`, int8(t.ext))
	c.base64(t.data)
	c.out = append(c.out, '}')
}
