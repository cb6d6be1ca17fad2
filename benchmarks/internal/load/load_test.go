package load

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gosocka/socka/wire"
)

func TestFramesAreMaskedAndWhole(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 125, 126, 1024, 1<<16 - 1, 1 << 16, 1<<16 + 3} {
		payload := bytes.Repeat([]byte("payload "), n/8+1)[:n]
		f := appendFrame([]byte("before"), 0x81, payload)[len("before"):]
		if f[0] != 0x81 || f[1]&0x80 == 0 {
			t.Fatalf("%d bytes: the frame begins with %x", n, f[:2])
		}
		head := 2
		switch f[1] & 0x7f {
		case 126:
			head += 2
		case 127:
			head += 8
		}
		key, body := f[head:head+4], f[head+4:]
		for i := range body {
			body[i] ^= key[i&3]
		}
		if !bytes.Equal(body, payload) {
			t.Fatalf("%d bytes do not come back", n)
		}
	}
}

func TestFramesAreCutOnlyWhenWhole(t *testing.T) {
	long := binary.BigEndian.AppendUint64([]byte{0x82, 127}, 1<<16)
	frames := [][]byte{
		{0x81, 0},
		append([]byte{0x81, 5}, "hello"...),
		append([]byte{0x81, 126, 0, 200}, bytes.Repeat([]byte{'x'}, 200)...),
		append(long, make([]byte, 1<<16)...),
	}
	for _, f := range frames {
		for _, n := range []int{0, 1, 2, 3, 9, len(f) - 1} {
			if n >= len(f) {
				continue
			}
			if _, _, size, err := cut(f[:n]); size != 0 || err != nil {
				t.Fatalf("%d of %d bytes: size %d, %v", n, len(f), size, err)
			}
		}
		first, payload, size, err := cut(append(bytes.Clone(f), 0x81))
		if err != nil || size != len(f) || first != f[0] || !bytes.HasSuffix(f, payload) {
			t.Fatalf("%d bytes: %x, payload of %d, size %d, %v", len(f), first, len(payload), size, err)
		}
	}
	for _, bad := range [][]byte{{0x81, 0x85}, {0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0}} {
		if _, _, _, err := cut(bad); err == nil {
			t.Errorf("%x is taken", bad)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Fatalf("of nothing: %v", got)
	}
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := h.Quantile(q); got < want || got > want+want/32 {
			t.Errorf("quantile %v is %v, want %v and at most 1/32 more", q, got, want)
		}
	}
	h.Add(-1)
	h.Add(1<<63 - 1)
	if got := h.Quantile(1); got != 1<<63-1 {
		t.Errorf("the largest duration comes back as %v", got)
	}
}

func TestEveryBucketHoldsWhatItSays(t *testing.T) {
	for b := range len(Histogram{}.counts) {
		if got := bucketOf(top(b)); got != b {
			t.Fatalf("the top of bucket %d, %d, is in bucket %d", b, top(b), got)
		}
		if got := bucketOf(top(b) + 1); top(b)+1 != 0 && got != b+1 {
			t.Fatalf("what follows bucket %d is in bucket %d", b, got)
		}
	}
}

func TestBodies(t *testing.T) {
	for _, size := range []int{64, 1024} {
		b, err := NewBody(size, 12345)
		if err != nil || len(b.JSON) != size {
			t.Fatalf("%d bytes, %v: %s", len(b.JSON), err, b.JSON)
		}
		back, err := wire.Transcode(nil, wire.JSON, wire.Msgpack, b.Msgpack)
		if err != nil || !bytes.Equal(back, b.JSON) {
			t.Fatalf("as msgpack it is %s, %v", back, err)
		}
		for _, ns := range []int64{0, 1, int64(24 * time.Hour)} {
			b = b.stamped(ns)
			if got, ok := stampOf(wire.AppendEvent(nil, wire.JSON, "message", b.JSON)); !ok || got != ns || len(b.JSON) != size {
				t.Fatalf("stamped %d, read %d, %v: %s", ns, got, ok, b.JSON)
			}
		}
	}
	if _, err := NewBody(10, 0); err == nil {
		t.Error("a body of 10 bytes")
	}
	if _, ok := stampOf([]byte(`{"ts":1}`)); ok {
		t.Error("a time that is cut short")
	}
}

func TestDialectsKnowWhatComes(t *testing.T) {
	body, err := NewBody(64, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*Dialect{"json": Socka(wire.JSON), "msgpack": Socka(wire.Msgpack)} {
		f, b := wire.JSON, body.JSON
		if d.Binary {
			f, b = wire.Msgpack, body.Msgpack
		}
		for want, m := range map[Kind][]byte{
			Payload: wire.AppendResponse(nil, f, "echo-1", "echo", b),
			Failure: wire.AppendError(nil, f, wire.ErrorFrame{ID: "echo-1", Error: "no"}),
		} {
			if got := d.Kind(m); got != want {
				t.Errorf("%s: %q is %d, want %d", name, m, got, want)
			}
		}
		if got := d.Kind(wire.AppendEvent(nil, f, "message", b)); got != Payload {
			t.Errorf("%s: a push is %d", name, got)
		}
	}
	j := string(body.JSON)
	for _, c := range []struct {
		d    *Dialect
		m    string
		want Kind
	}{
		{Centrifuge(), `{"id":1,"connect":{"client":"a","version":""}}`, Ready},
		{Centrifuge(), `{"id":2,"rpc":{"data":` + j + `}}`, Payload},
		{Centrifuge(), `{"push":{"channel":"r","pub":{"data":` + j + `}}}`, Payload},
		{Centrifuge(), `{}`, Ping},
		{Centrifuge(), `{"id":2,"error":{"code":108,"message":"method not found"}}`, Failure},
		{SocketIO(), `0{"sid":"a"}`, Other},
		{SocketIO(), `40{"sid":"b"}`, Ready},
		{SocketIO(), `2`, Ping},
		{SocketIO(), `430[` + j + `]`, Payload},
		{SocketIO(), `42["message",` + j + `]`, Payload},
		{SocketIO(), `44{"message":"no"}`, Failure},
		{SocketIO(), ``, Failure},
	} {
		if got := c.d.Kind([]byte(c.m)); got != c.want {
			t.Errorf("%q is %d, want %d", c.m, got, c.want)
		}
	}
}

func TestCallsArePutAsTheServersWantThem(t *testing.T) {
	b := Body{JSON: []byte(`{"a":1}`)}
	for _, c := range []struct{ got, want []byte }{
		{Centrifuge().Call(nil, 0, b), []byte(`{"id":2,"rpc":{"method":"echo","data":{"a":1}}}`)},
		{Centrifuge().Publish(nil, 0, b), []byte(`{"send":{"data":{"a":1}}}`)},
		{SocketIO().Call(nil, 7, b), []byte(`427["echo",{"a":1}]`)},
		{SocketIO().Publish(nil, 7, b), []byte(`42["publish",{"a":1}]`)},
		{GWS().Call(nil, 7, b), b.JSON},
		{Socka(wire.JSON).Call(nil, 7, b), []byte(`{"socka":"clientRequest","v":1,"id":"echo-1007","rpc":"echo","body":{"a":1}}`)},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
