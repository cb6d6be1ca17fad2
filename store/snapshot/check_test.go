package snapshot

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// onlyJSON has methods for JSON alone.
type onlyJSON struct{ N int }

func (onlyJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (*onlyJSON) UnmarshalJSON([]byte) error  { return nil }

// halfText can be written and not read.
type halfText int

func (halfText) MarshalText() ([]byte, error) { return nil, nil }

// halfPacked can be read and not written.
type halfPacked struct{}

func (*halfPacked) UnmarshalMsgpack([]byte) error { return nil }

// halfBinary has half a binary codec, which JSON does not know either.
type halfBinary struct{ N int }

func (halfBinary) MarshalBinary() ([]byte, error) { return nil, nil }

// stamped has the methods of the time in it, which write the time alone.
type stamped struct {
	time.Time
	Note string
}

// moment is nothing but a time.
type moment struct{ time.Time }

type hidden struct{ N int }

// Selfish is exported, so that a pointer to it can be embedded.
type Selfish struct {
	*Selfish
	N int
}

func TestCheckMsgpack(t *testing.T) {
	type state struct {
		Rows []map[string]*struct {
			When onlyJSON `json:"when"`
		}
	}
	for _, c := range []struct {
		value any
		says  []string // nothing: it is fine
	}{
		{state{}, []string{"snapshot.state.Rows[][].When is a snapshot.onlyJSON, which has methods for JSON alone", "MarshalText"}},
		{onlyJSON{}, []string{"snapshot.onlyJSON is a snapshot.onlyJSON"}},
		{struct{ A *onlyJSON }{}, []string{".A is a snapshot.onlyJSON"}},
		{struct{ A halfText }{}, []string{".A is a snapshot.halfText, which has MarshalText without UnmarshalText"}},
		{struct{ A halfPacked }{}, []string{".A is a snapshot.halfPacked, which has UnmarshalMsgpack without MarshalMsgpack"}},
		{struct{ A halfBinary }{}, nil},
		{struct{ A stamped }{}, []string{".A is a snapshot.stamped, which embeds time.Time, whose MarshalText may write that", "give the field a name"}},
		{struct{ A moment }{}, nil},
		{struct{ A any }{}, []string{".A is the interface interface {}", "concrete type"}},
		{struct{ A error }{}, []string{".A is the interface error"}},
		{struct{ A json.Marshaler }{}, []string{".A is the interface json.Marshaler"}},
		{struct{ A chan int }{}, []string{".A is a chan (chan int)"}},
		{struct{ A []func() }{}, []string{".A[] is a func"}},
		{struct{ A complex128 }{}, []string{".A is a complex128"}},
		{struct{ A uintptr }{}, []string{".A is a uintptr"}},
		{struct{ A map[float64]int }{}, []string{".A is a map with keys of type float64; keys are strings or integers"}},
		{struct{ A map[bool]int }{}, []string{".A is a map with keys of type bool"}},
		{struct{ A map[point]int }{}, []string{".A is a map with keys of type snapshot.point"}},
		{struct{ A map[grid]int }{}, []string{".A is a map with keys of type snapshot.grid"}},
		{struct{ A map[key]int }{}, nil},
		{struct{ A map[color]int }{}, nil},
		{struct{ a int }{}, []string{".a is not exported; export it, or tag it"}},
		{struct {
			a int `json:"-"`
		}{}, nil},
		{struct{ hidden }{}, nil},
		{struct{ *hidden }{}, []string{".hidden is an embedded pointer to a struct that is not exported"}},
		{Selfish{}, []string{".Selfish embeds snapshot.Selfish in itself"}},
		{reflect.Zero(tagged("x", "x")).Interface(), []string{".A and", ".B are both \"x\""}},
		{struct {
			hidden
			N string
		}{}, []string{".hidden.N and", ".N are both \"N\""}},
		{struct {
			hidden
			N string `json:"n"`
		}{}, nil},
		{reflect.Zero(tagged(`not valid: "x"`, "-,")).Interface(), nil},
		{struct {
			A int64 `json:",string"`
		}{}, nil},
		{tree{}, nil},
		{[]tree{}, nil},
	} {
		err := CheckMsgpack(reflect.TypeOf(c.value))
		if len(c.says) == 0 {
			if err != nil {
				t.Errorf("%T is refused: %v", c.value, err)
			}
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%T: error %v; want one that says %q", c.value, err, want)
			}
		}
		// Nothing of the type is written or read either.
		at := reflect.New(reflect.TypeOf(c.value)).Interface()
		if data, werr := Msgpack.Marshal(at); fmt.Sprint(werr) != fmt.Sprint(err) {
			t.Errorf("%T is written as %x, error %v", c.value, data, werr)
		}
		if rerr := Msgpack.Unmarshal([]byte{codeNil}, at); fmt.Sprint(rerr) != fmt.Sprint(err) {
			t.Errorf("%T is read, error %v", c.value, rerr)
		}
	}
}

// What passes the check in spite of being unusual comes back as from JSON.
func TestUnusualTypesSurvive(t *testing.T) {
	odd := reflect.New(tagged(`not valid: "x"`, "-,"))
	odd.Elem().Field(0).SetInt(7)
	odd.Elem().Field(1).SetInt(8)
	for _, v := range []any{
		&moment{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}, &struct{ hidden }{hidden{5}}, odd.Interface(), &halfBinary{8},
		&struct{ A *halfBinary }{&halfBinary{9}},
	} {
		_, fromJSON := roundTrip(t, JSON, reflect.ValueOf(v))
		_, fromMsgpack := roundTrip(t, Msgpack, reflect.ValueOf(v))
		if !reflect.DeepEqual(fromJSON, v) || !reflect.DeepEqual(fromMsgpack, v) {
			t.Errorf("%+v comes back as %+v from JSON and as %+v from msgpack", v, fromJSON, fromMsgpack)
		}
	}
}
