package bench_test

import (
	"testing"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/bench"
	"github.com/gosocka/socka/roomtest"
)

func TestBench(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		a, b := s.Connect("bench/load"), s.Connect("bench/load?wire=msgpack")
		if out := roomtest.Call(b, bench.Echo, bench.Text{Text: "hello"}); out.Text != "hello" {
			t.Errorf("echo answered %q", out.Text)
		}
		sent := bench.Numbered{Text: "x", N: 1 << 52}
		roomtest.Call(a, bench.Publish, sent)
		for _, c := range []*roomtest.Client{a, b} {
			if got := roomtest.Expect(c, bench.Message); got != sent {
				t.Errorf("got %+v, want %+v", got, sent)
			}
		}
		if err := roomtest.Refused(a, bench.Publish, bench.Numbered{N: -1}); err.Code != contract.InvalidInput {
			t.Errorf("a negative number: %v", err)
		}
	}, bench.Definition())
}
