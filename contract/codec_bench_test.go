package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gosocka/socka/wire"
)

// benchBody is a body of five fields with the usual constraints.
type benchBody struct {
	TS   int64  `json:"ts" jsonschema:"minimum=0"`
	N    int    `json:"n" jsonschema:"minimum=0,maximum=1000"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag" jsonschema:"minLength=1,maxLength=16"`
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

var benchCall = NewCall[benchBody, benchBody](New("bench"), "sendMessage")

// benchBodyOf returns a body that is n bytes of JSON.
func benchBodyOf(n int) benchBody {
	v := benchBody{TS: 1700000000000, N: 17, OK: true, Tag: "a"}
	bare, err := benchCall.Method().EncodeOutput(wire.JSON, v)
	if err != nil {
		panic(err)
	}
	v.Text = strings.Repeat("x", max(0, n-len(bare)))
	return v
}

func eachBenchBody(b *testing.B, run func(b *testing.B, f wire.Format, v benchBody, body []byte)) {
	for _, n := range []int{64, 1024} {
		v := benchBodyOf(n)
		for _, f := range formatsOf {
			body, err := benchCall.Method().EncodeOutput(f, v)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%v/%dB", f, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				run(b, f, v, body)
			})
		}
	}
}

func BenchmarkDecodeInputFlat(b *testing.B) {
	m := benchCall.Method()
	eachBenchBody(b, func(b *testing.B, f wire.Format, _ benchBody, body []byte) {
		for b.Loop() {
			var in benchBody
			if err := m.DecodeInput(f, body, &in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendOutputFlat(b *testing.B) {
	m := benchCall.Method()
	eachBenchBody(b, func(b *testing.B, f wire.Format, v benchBody, body []byte) {
		dst := make([]byte, 0, 2*len(body))
		for b.Loop() {
			var err error
			if dst, err = m.AppendOutput(dst[:0], f, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
