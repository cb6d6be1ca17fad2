package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Types as applications have them.

type color string

type level int8

type point struct{ X, Y float64 }

// temperature has a codec for text, with a reader on the pointer.
type temperature struct{ tenths int }

func (c temperature) MarshalText() ([]byte, error) {
	return strconv.AppendInt(nil, int64(c.tenths), 10), nil
}

func (c *temperature) UnmarshalText(text []byte) (err error) {
	c.tenths, err = strconv.Atoi(string(text))
	return err
}

// grid has a codec for text on the pointer alone.
type grid struct{ width, height int }

func (g *grid) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%dx%d", g.width, g.height), nil
}

func (g *grid) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%dx%d", &g.width, &g.height)
	return err
}

// key is a map key with a codec for text.
type key struct{ a, b uint8 }

func (k key) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d-%d", k.a, k.b), nil }

func (k *key) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d-%d", &k.a, &k.b)
	return err
}

// both has methods for JSON, and others for msgpack.
type both struct{ n int }

func (b both) MarshalJSON() ([]byte, error)     { return strconv.AppendInt(nil, int64(b.n), 10), nil }
func (b *both) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &b.n) }
func (b both) MarshalMsgpack() ([]byte, error)  { return appendInt(nil, int64(b.n)), nil }

func (b *both) UnmarshalMsgpack(data []byte) error { return msgpack.Unmarshal(data, &b.n) }

// coder has methods for JSON, and for msgpack those that stream.
type coder struct{ list []int }

func (c coder) MarshalJSON() ([]byte, error)     { return json.Marshal(c.list) }
func (c *coder) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &c.list) }
func (c coder) EncodeMsgpack(e *msgpack.Encoder) error {
	return e.Encode(c.list)
}
func (c *coder) DecodeMsgpack(d *msgpack.Decoder) error { return d.Decode(&c.list) }

// packed has methods for JSON and a binary codec.
type packed struct{ n uint16 }

func (p packed) MarshalJSON() ([]byte, error)     { return strconv.AppendUint(nil, uint64(p.n), 10), nil }
func (p *packed) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.n) }
func (p packed) MarshalBinary() ([]byte, error)   { return []byte{byte(p.n >> 8), byte(p.n)}, nil }
func (p *packed) UnmarshalBinary(data []byte) error {
	if len(data) != 2 {
		return errors.New("packed: 2 bytes are wanted")
	}
	p.n = uint16(data[0])<<8 | uint16(data[1])
	return nil
}

type scalars struct {
	Bool bool
	I    int
	I8   int8 `json:"i8"`
	I16  int16
	I32  int32
	I64  int64 `json:"i64,string"`
	U    uint
	U8   uint8
	U16  uint16
	U32  uint32
	U64  uint64 `json:",omitempty"`
	F32  float32
	F64  float64 `json:"f64,omitempty"`
	S    string  `json:"s"`
	T    time.Time
	D    time.Duration
	C    color
	L    level
	Lost int `json:"-"`
}

type lists struct {
	Ints    []int
	Bytes   []byte
	Small   [3]byte
	Pair    [2]string
	Structs []point
	Ptrs    []*point
	Deep    [][]string
	Levels  []level
	Empty   []string `json:"empty,omitempty"`
	Times   []time.Time
	Temps   []temperature
	Grids   []grid
	Raw     []*string
}

type dictionaries struct {
	Strings map[string]string
	Colors  map[color]point
	Ints    map[int]string
	Levels  map[level][]int
	Uints   map[uint64]*scalars
	Keys    map[key]bool
	Nested  map[string]map[string]int `json:"nested,omitempty"`
	Temps   map[string]temperature
	Structs map[string]point
	Lists   map[string][]byte
}

type pointers struct {
	P     *point
	I     *int
	S     *string
	PP    **int
	M     *map[string]int
	L     *[]int
	T     *time.Time
	Zero  *time.Time `json:",omitempty"`
	Grid  *grid      `json:"grid,omitempty"`
	Tree  *tree
	Empty *point `json:",omitempty"`
}

type tree struct {
	Value int              `json:"v"`
	Left  *tree            `json:"l,omitempty"`
	Kids  []tree           `json:"kids,omitempty"`
	Named map[string]*tree `json:"named,omitempty"`
}

type inner struct {
	A int
	B string `json:"b,omitempty"`
}

// Deeper is exported, so that a pointer to it can be embedded.
type Deeper struct {
	C []int `json:"c"`
	D *int
}

// Place is embedded under a name.
type Place point

type embeds struct {
	inner
	*Deeper
	Named inner `json:"inner"`
	Place `json:"p"`
	E     string
}

type own struct {
	Temp   temperature
	Grid   grid
	Both   both
	Coder  coder
	Packed packed
	Addr   netip.Addr
	Big    *big.Int
	Number json.Number `json:"number,omitempty"`
}

type zeros struct {
	T time.Time       `json:"t,omitzero"`
	P point           `json:"p,omitzero"`
	N int             `json:"n,omitzero"`
	L []int           `json:"l,omitzero"`
	Q *time.Time      `json:"q,omitzero"`
	A [2]int          `json:"a,omitempty"`
	Z [0]int          `json:"z,omitempty"`
	S struct{ N int } `json:"s,omitempty"`
}

// wide has so many fields that its map has another form.
type wide struct {
	A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q *int `json:",omitempty"`
}

// tagged is a struct with the fields A, B, … of int, with these tags. Those that no tool would let pass are made so.
func tagged(tags ...string) reflect.Type {
	var fields []reflect.StructField
	for i, tag := range tags {
		fields = append(fields, reflect.StructField{
			Name: string(rune('A' + i)), Type: reflect.TypeFor[int](), Tag: reflect.StructTag("json:" + strconv.Quote(tag)),
		})
	}
	return reflect.StructOf(fields)
}
