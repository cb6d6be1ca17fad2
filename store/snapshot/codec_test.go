package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// sampleTypes are what values are made of in these tests.
var sampleTypes = []reflect.Type{
	reflect.TypeFor[scalars](), reflect.TypeFor[lists](), reflect.TypeFor[dictionaries](), reflect.TypeFor[pointers](),
	reflect.TypeFor[embeds](), reflect.TypeFor[own](), reflect.TypeFor[zeros](), reflect.TypeFor[wide](), reflect.TypeFor[tree](),
	reflect.TypeFor[map[string][]map[int]tree](), reflect.TypeFor[[]*scalars](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[*int](), reflect.TypeFor[grid](), reflect.TypeFor[struct{}](), reflect.TypeFor[float32](),
}

// generator makes values that JSON keeps: no NaN, valid UTF-8, times in UTC.
type generator struct {
	*rand.Rand
	depth int
}

func (g *generator) text() string {
	const letters = "abc \"\\<>&\x00\n\u2028üλ🎲"
	runes := []rune(letters)
	var b strings.Builder
	for range g.length() {
		b.WriteRune(runes[g.IntN(len(runes))])
	}
	return b.String()
}

func (g *generator) length() int {
	switch g.IntN(20) {
	case 0:
		return 20 + g.IntN(300)
	case 1, 2, 3:
		return 0
	}
	return 1 + g.IntN(4)
}

// number returns one whose size is as likely as any other, so that all forms come up.
func (g *generator) number() uint64 {
	n := g.Uint64() >> g.IntN(64)
	switch g.IntN(8) {
	case 0:
		return 0
	case 1:
		return 1<<g.IntN(64) - 1
	case 2:
		return 1 << g.IntN(64)
	}
	return n
}

func (g *generator) fill(v reflect.Value) {
	if g.depth++; g.depth > 6 {
		g.depth--
		return
	}
	defer func() { g.depth-- }()
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		if g.IntN(4) > 0 {
			*at = time.Unix(g.Int64N(250e9)-60e9, g.Int64N(2)*g.Int64N(1e9)).UTC()
		}
		return
	case *temperature:
		at.tenths = int(int16(g.number()))
		return
	case *grid:
		at.width, at.height = g.IntN(100), g.IntN(100)
		return
	case *key:
		at.a, at.b = uint8(g.IntN(256)), uint8(g.IntN(256))
		return
	case *both:
		at.n = int(g.number())
		return
	case *coder:
		g.fill(reflect.ValueOf(&at.list).Elem())
		return
	case *packed:
		at.n = uint16(g.number())
		return
	case *netip.Addr:
		*at = netip.AddrFrom4([4]byte{byte(g.number()), 1, 2, 3})
		return
	case *big.Int:
		at.SetUint64(g.number()).Mul(at, at)
		return
	case *json.Number:
		*at = json.Number(fmt.Sprint(g.number()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.number()) << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(g.number() >> (64 - v.Type().Bits()))
	case reflect.Float32:
		v.SetFloat(float64(float32(g.NormFloat64() * math.Pow10(g.IntN(20)-10))))
	case reflect.Float64:
		v.SetFloat(g.NormFloat64() * math.Pow10(g.IntN(600)-300))
	case reflect.String:
		v.SetString(g.text())
	case reflect.Pointer:
		if g.IntN(3) > 0 && g.depth < 6 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem())
		}
	case reflect.Slice:
		if g.IntN(6) == 0 {
			return // nil
		}
		n := g.length()
		if g.depth > 3 {
			n %= 4
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i))
		}
	case reflect.Map:
		if g.IntN(6) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		n := g.length()
		if g.depth > 3 {
			n %= 4
		}
		for range n {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			g.fill(key)
			g.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if v.Type().Field(i).Tag.Get("json") == "-" {
				continue
			}
			if !f.CanSet() { // an embedded struct that is not exported: its fields are set by themselves
				f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			}
			g.fill(f)
		}
	default:
		panic("no values are made of " + v.Type().String())
	}
}

func (g *generator) value(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	g.fill(p.Elem())
	return p
}

// roundTrip writes what p points to, and reads it back.
func roundTrip(t *testing.T, e Encoding, p reflect.Value) ([]byte, any) {
	t.Helper()
	data, err := e.Marshal(p.Interface())
	if err != nil {
		t.Fatalf("%s of %s: %v\n%+v", e, p.Type().Elem(), err, p.Elem())
	}
	back := reflect.New(p.Type().Elem())
	if err := e.Unmarshal(data, back.Interface()); err != nil {
		t.Fatalf("%s of %s, back again: %v\n%+v\n%x", e, p.Type().Elem(), err, p.Elem(), data)
	}
	return data, back.Interface()
}

// Whatever comes out of JSON comes out of msgpack, and the same value is written as the same bytes.
func TestMsgpackKeepsWhatJSONKeeps(t *testing.T) {
	for _, typ := range sampleTypes {
		t.Run(typ.String(), func(t *testing.T) {
			if err := CheckMsgpack(typ); err != nil {
				t.Fatal(err)
			}
			g := &generator{Rand: rand.New(rand.NewPCG(5, 6))}
			for range 100 {
				value := g.value(typ)
				_, fromJSON := roundTrip(t, JSON, value)
				data, fromMsgpack := roundTrip(t, Msgpack, value)
				if !equal(fromJSON, fromMsgpack) {
					t.Fatalf("%s comes back from JSON as\n%s\nand from msgpack as\n%s", typ, shown(fromJSON), shown(fromMsgpack))
				}
				again, _ := roundTrip(t, Msgpack, reflect.ValueOf(fromMsgpack))
				if !bytes.Equal(data, again) {
					t.Fatalf("%s is written as\n%x\nand when it has been read, as\n%x", typ, data, again)
				}
			}
		})
	}
}

// equal compares values; those of math/big have no single form, so their text counts.
func equal(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, ok := a.(*own)
	if !ok {
		return false
	}
	y := b.(*own)
	if fmt.Sprint(x.Big) != fmt.Sprint(y.Big) {
		return false
	}
	copy := *y
	copy.Big = x.Big
	return reflect.DeepEqual(x, &copy)
}

func shown(v any) string {
	text, err := json.Marshal(v)
	return fmt.Sprintf("%s %v", text, err)
}

// Another reader of msgpack finds the same values under the names that JSON has.
func TestOthersReadOurMsgpack(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(7, 8))}
	for _, typ := range []reflect.Type{reflect.TypeFor[scalars](), reflect.TypeFor[tree](), reflect.TypeFor[pointers]()} {
		for range 100 {
			value := g.value(typ)
			data, ours := roundTrip(t, Msgpack, value)
			theirs := reflect.New(typ)
			d := msgpack.NewDecoder(bytes.NewReader(data))
			d.SetCustomStructTag("json")
			if err := d.Decode(theirs.Interface()); err != nil {
				t.Fatal(err)
			}
			if got, want := shown(theirs.Interface()), shown(ours); inUTC(got) != inUTC(want) {
				t.Fatalf("%s is read by another reader as\n%s\nwant\n%s", typ, got, want)
			}
		}
	}
}

// inUTC leaves texts alone that have no time in the zone of this machine.
func inUTC(s string) string {
	_, offset := time.Now().Zone()
	if offset == 0 {
		return s
	}
	return ""
}

// A map is written in the same order each time, whatever its type.
func TestEqualValuesAreWrittenAsEqualBytes(t *testing.T) {
	type all struct {
		A map[string]int
		B map[color]map[int]string
		C map[key]*point
		D map[uint64]bool
	}
	build := func(order []int) *all {
		v := &all{map[string]int{}, map[color]map[int]string{}, map[key]*point{}, map[uint64]bool{}}
		for _, i := range order {
			v.A[fmt.Sprint(i)] = i
			v.C[key{uint8(i), 1}] = &point{float64(i), 0}
			v.D[uint64(i)<<i] = true
			m := map[int]string{}
			for _, j := range order {
				m[j-20] = "x"
			}
			v.B[color(fmt.Sprint(i))] = m
		}
		return v
	}
	r := rand.New(rand.NewPCG(9, 9))
	for _, e := range []Encoding{JSON, Msgpack} {
		first, err := e.Marshal(build(r.Perm(40)))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if again, err := e.Marshal(build(r.Perm(40))); err != nil || !bytes.Equal(first, again) {
				t.Fatalf("%s: the same value is written in another way, error %v", e, err)
			}
		}
	}
}

func TestWhatMsgpackKeepsAndJSONDoesNot(t *testing.T) {
	type odd struct {
		F    float64
		G    float32
		S    string
		At   time.Time
		Neg  float64
		Text map[string]string
	}
	berlin := time.FixedZone("", 3600)
	in := odd{math.Inf(-1), float32(math.Inf(1)), "\xff\xfe", time.Date(-20000, 1, 2, 3, 4, 5, 6, berlin), math.Copysign(0, -1), map[string]string{"\x80": "\xff"}}
	data, err := Msgpack.Marshal(&in)
	if err != nil {
		t.Fatal(err)
	}
	var out odd
	if err := Msgpack.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if !out.At.Equal(in.At) || out.At.Location() != time.UTC {
		t.Errorf("%v comes back as %v", in.At, out.At)
	}
	in.At, out.At = time.Time{}, time.Time{}
	if !reflect.DeepEqual(in, out) || !math.Signbit(out.Neg) {
		t.Errorf("%+v comes back as %+v", in, out)
	}
	nan := math.Float64frombits(0x7ff8dead_beef0001)
	data, err = Msgpack.Marshal(&nan)
	if err != nil {
		t.Fatal(err)
	}
	nan = 0
	if err := Msgpack.Unmarshal(data, &nan); err != nil || math.Float64bits(nan) != 0x7ff8dead_beef0001 {
		t.Errorf("a NaN comes back as %x, error %v", math.Float64bits(nan), err)
	}
}

// RawMessage is a text of its own: JSON writes it as it is, msgpack as a string.
func TestRawMessage(t *testing.T) {
	type doc struct{ Raw, Nil json.RawMessage }
	in := doc{Raw: json.RawMessage(`{"a":[1,2]}`)}
	_, back := roundTrip(t, Msgpack, reflect.ValueOf(&in))
	if !reflect.DeepEqual(back, &in) {
		t.Errorf("%+v comes back as %+v", in, back)
	}
}

func TestIntegersStayExact(t *testing.T) {
	type ints struct {
		I []int64
		U []uint64
		M map[int64]uint64
	}
	in := ints{M: map[int64]uint64{}}
	for i := range 64 {
		for d := range 3 {
			n := uint64(1)<<i + uint64(d) - 1
			in.U = append(in.U, n)
			in.I = append(in.I, int64(n), -int64(n))
			in.M[int64(n)] = n
		}
	}
	for _, e := range []Encoding{JSON, Msgpack} {
		if _, back := roundTrip(t, e, reflect.ValueOf(&in)); !reflect.DeepEqual(back, &in) {
			t.Errorf("%s: integers have changed", e)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	value := benchValue()
	for _, e := range []Encoding{JSON, Msgpack} {
		data, err := e.Marshal(value)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(e.String()+"/write", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			buf := make([]byte, 0, 2*len(data))
			for b.Loop() {
				if buf, err = e.Append(buf[:0], value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(e.String()+"/read", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var back benchState
				if err := e.Unmarshal(data, &back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("vmihailenco/write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var w bytes.Buffer
			enc := msgpack.NewEncoder(&w)
			enc.SetCustomStructTag("json")
			enc.SetSortMapKeys(true)
			if err := enc.Encode(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type benchState struct {
	Rows    []benchRow          `json:"rows"`
	Members map[string]benchRow `json:"members"`
}

type benchRow struct {
	ID   uint64    `json:"id"`
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	Tags []string  `json:"tags,omitempty"`
}

func benchValue() *benchState {
	v := &benchState{Members: map[string]benchRow{}}
	for i := range 200 {
		row := benchRow{uint64(i) << 20, fmt.Sprint("name ", i), strings.Repeat("text ", 10), time.Unix(int64(i)*1e6, 0).UTC(), []string{"a", "b"}}
		v.Rows = append(v.Rows, row)
		v.Members[row.Name] = row
	}
	return v
}
