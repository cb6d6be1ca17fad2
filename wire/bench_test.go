package wire

import (
	"fmt"
	"strings"
	"testing"
)

// bodies returns a body in each format that is n bytes of JSON.
func bodies(b *testing.B, n int) map[Format][]byte {
	out := map[Format][]byte{}
	for _, f := range []Format{JSON, Msgpack} {
		const rest = len(`{"ts":1700000000000,"n":17,"ok":true,"tag":"a","text":""}`)
		body, err := Marshal(f, benchRow{1700000000000, 17, true, "a", strings.Repeat("x", n-rest)})
		if err != nil {
			b.Fatal(err)
		}
		out[f] = body
	}
	return out
}

func eachBody(b *testing.B, run func(b *testing.B, f Format, body []byte)) {
	for _, n := range []int{64, 1024} {
		for f, body := range bodies(b, n) {
			b.Run(fmt.Sprintf("%v/%dB", f, n), func(b *testing.B) {
				b.ReportAllocs()
				run(b, f, body)
			})
		}
	}
}

func BenchmarkScan(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		frame := AppendRequest(nil, f, "sendMessage-12", "sendMessage", body)
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			if _, err := Scan(f, frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		frame := AppendRequest(nil, f, "sendMessage-12", "sendMessage", body)
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			if _, err := Decode(f, frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendResponse(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		dst := AppendResponse(nil, f, "sendMessage-12", "sendMessage", body)
		b.SetBytes(int64(len(dst)))
		for b.Loop() {
			dst = AppendResponse(dst[:0], f, "sendMessage-12", "sendMessage", body)
		}
	})
}

type benchRow struct {
	TS   int64  `json:"ts"`
	N    int    `json:"n"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag"`
	Text string `json:"text"`
}

func BenchmarkUnmarshal(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var row benchRow
			if err := Unmarshal(f, body, &row); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendMarshal(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		var row benchRow
		if err := Unmarshal(f, body, &row); err != nil {
			b.Fatal(err)
		}
		var dst []byte
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var err error
			if dst, err = AppendMarshal(dst[:0], f, &row); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTranscode(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		var dst []byte
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var err error
			if dst, err = Transcode(dst[:0], 1-f, f, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpenResponse(b *testing.B) {
	eachBody(b, func(b *testing.B, f Format, body []byte) {
		dst := AppendResponse(nil, f, "sendMessage-12", "sendMessage", body)
		b.SetBytes(int64(len(dst)))
		for b.Loop() {
			dst = append(OpenResponse(dst[:0], f, "sendMessage-12", "sendMessage"), body...)
			dst = CloseFrame(dst, f)
		}
	})
}
