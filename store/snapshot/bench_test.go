package snapshot

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkDiff(b *testing.B) {
	h := Header{Kind: "state"}
	run := func(name string, old, new []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(new)))
			b.ReportAllocs()
			for b.Loop() {
				Diff(old, new)
			}
			b.ReportMetric(float64(len(AppendPatch(nil, h, Diff(old, new)))), "patch-bytes")
		})
	}
	for _, e := range []Encoding{JSON, Msgpack} {
		for _, c := range changes {
			old, new := c.values(b, e, 1<<20)
			run(c.name+"/"+e.String(), old, new)
		}
	}
	run("noise", noise(1, 1<<20), noise(2, 1<<20))
	run("zeros", make([]byte, 1<<20), append([]byte{1}, make([]byte, 1<<20)...))
}

// BenchmarkApply puts as many patches to a value as there ever are.
func BenchmarkApply(b *testing.B) {
	for _, e := range []Encoding{JSON, Msgpack} {
		for _, c := range changes[:5] {
			r := rand.New(rand.NewPCG(5, 6))
			state := chatOf(b, r, e, 1<<20, c.alike)
			h := Header{Kind: "state", Encoding: e}
			old := encoded(b, e, state)
			base, patches, size := Append(nil, h, old), [][]byte(nil), 0
			for range MaxPatches {
				c.make(r, state)
				new := encoded(b, e, state)
				patches = append(patches, AppendPatch(nil, h, Diff(old, new)))
				size += len(patches[len(patches)-1])
				old = new
			}
			b.Run(fmt.Sprintf("%s/%s", c.name, e), func(b *testing.B) {
				b.SetBytes(int64(len(old)))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := Apply(base, patches...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(size), "patch-bytes")
			})
		}
	}
}
