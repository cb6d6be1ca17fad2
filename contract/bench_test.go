package contract

import (
	"testing"

	"github.com/gosocka/socka/wire"
)

func BenchmarkDecodeInput(b *testing.B) {
	body := []byte(`{"text":"hello","seen":null,"parts":[{"score":1.5},{"score":2}]}`)
	for _, f := range formatsOf {
		b.Run(f.String(), func(b *testing.B) {
			packed := body
			if f == wire.Msgpack {
				packed, _ = wire.Transcode(nil, f, wire.JSON, body)
			}
			b.ReportAllocs()
			for b.Loop() {
				var in message
				if err := testCall.Method().DecodeInput(f, packed, &in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeOutput(b *testing.B) {
	v := message{Text: "hello", Parts: []part{{1.5}, {2}}}
	for _, f := range formatsOf {
		b.Run(f.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := testCall.Method().EncodeOutput(f, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDefine measures what a definition costs when a program starts.
func BenchmarkDefine(b *testing.B) {
	b.ReportAllocs()
	doc := SchemaOf[message]().JSONSchema()
	for b.Loop() {
		if _, err := compile(doc); err != nil {
			b.Fatal(err)
		}
	}
}
