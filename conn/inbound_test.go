package conn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// inboundLimit is not less than what a control frame may hold, where gws and the parser agree.
const inboundLimit = 300

// inboundCase is a stream, and what comes of it: messages and control frames, and last the close code, if there is one.
type inboundCase struct {
	name   string
	stream []byte
	want   []string
	gws    uint16 // the close code of gws, where it is another
}

// longFrame is a masked frame whose length is written in 2 or 8 bytes. The header alone if payload is shorter.
func longFrame(first byte, size int, length uint64, payload string) []byte {
	f := []byte{first, maskBit | 126}
	if size == 2 {
		f = binary.BigEndian.AppendUint16(f, uint16(length))
	} else {
		f[1]++
		f = binary.BigEndian.AppendUint64(f, length)
	}
	f = append(f, 1, 2, 3, 4)
	for i := range len(payload) {
		f = append(f, payload[i]^byte(i%4+1))
	}
	return f
}

// closeWords is a close frame in inboundCase. gws takes a lone byte for a code, the parser for none; nobody is told of it.
func closeWords(said uint16, reason string, reply uint16) string {
	if said <= 0xff && reply == CloseProtocolError {
		said = 0
	}
	return fmt.Sprintf("close %d %q %d", said, reason, reply)
}

func closing(payload string) []byte { return frame(closeFrame, []byte(payload)) }

var inboundCases = func() []inboundCase {
	const textStart, binaryStart, middle, last = 0x01, 0x02, 0x00, 0x80
	f := func(first byte, payload string) []byte { return frame(first, []byte(payload)) }
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	x := func(n int) string { return strings.Repeat("x", n) }
	unmasked := func(b []byte) []byte { b[1] &^= maskBit; return b }
	return []inboundCase{
		{"text", f(textFrame, "héllo"), []string{"text héllo"}, 0},
		{"binary", f(binaryFrame, "\xff\x00"), []string{"binary \xff\x00"}, 0},
		{"empty messages", join(f(textFrame, ""), f(binaryFrame, "")), []string{"text ", "binary "}, 0},
		{"pings and pongs", join(f(pingFrame, "a"), f(pongFrame, ""), f(pingFrame, x(125))), []string{"ping a", "pong ", "ping " + x(125)}, 0},
		{"16-bit length", f(textFrame, x(126)), []string{"text " + x(126)}, 0},
		{"at the limit", f(textFrame, x(inboundLimit)), []string{"text " + x(inboundLimit)}, 0},
		{"batch", join(f(textFrame, "1"), f(pingFrame, "2"), f(binaryFrame, "3")), []string{"text 1", "ping 2", "binary 3"}, 0},

		{"fragments", join(f(textStart, "a"), f(middle, "b"), f(last, "c"), f(textFrame, "d")), []string{"text abc", "text d"}, 0},
		{"binary fragments", join(f(binaryStart, "a"), f(last, "\xff")), []string{"binary a\xff"}, 0},
		{"empty fragments", join(f(textStart, ""), f(middle, ""), f(last, "")), []string{"text "}, 0},
		{"control frames between fragments", join(f(textStart, "a"), f(pingFrame, "p"), f(middle, "b"), f(pongFrame, "q"), f(last, "c")), []string{"ping p", "pong q", "text abc"}, 0},
		{"character cut by fragments", join(f(textStart, "h\xc3"), f(last, "\xa9")), []string{"text hé"}, 0},
		{"fragments at the limit", join(f(textStart, x(100)), f(middle, x(100)), f(last, x(100))), []string{"text " + x(300)}, 0},
		{"close inside a fragmented message", join(f(textStart, "a"), closing("\x03\xe8")), []string{`close 1000 "" 1000`}, 0},

		// RFC 6455 wants the least size; gws takes the others too, and so it stays.
		{"needless 16-bit length", longFrame(textFrame, 2, 5, "hello"), []string{"text hello"}, 0},
		{"needless 64-bit length", longFrame(textFrame, 8, 5, "hello"), []string{"text hello"}, 0},
		{"needless 64-bit length of 0", longFrame(textFrame, 8, 0, ""), []string{"text "}, 0},

		{"not masked", unmasked(f(textFrame, "{}")), []string{"1002"}, 0},
		{"empty and not masked", unmasked(f(textFrame, ""))[:2], []string{"1002"}, 0},
		{"ping not masked", unmasked(f(pingFrame, ""))[:2], []string{"1002"}, 0},
		{"after a good one", join(f(textFrame, "a"), unmasked(f(textFrame, "b"))), []string{"text a", "1002"}, 0},
		{"RSV1", f(textFrame|0x40, "a"), []string{"1002"}, 0},
		{"RSV2", f(textFrame|0x20, "a"), []string{"1002"}, 0},
		{"RSV3 of a ping", f(pingFrame|0x10, "a"), []string{"1002"}, 0},
		{"opcode 3", f(0x83, "a"), []string{"1002"}, 0},
		{"opcode 7", f(0x87, "a"), []string{"1002"}, 0},
		{"opcode 11", f(0x8b, "a"), []string{"1002"}, 0},
		{"opcode 15", f(0x8f, ""), []string{"1002"}, 0},
		{"opcode 3 inside a fragmented message", join(f(textStart, "a"), f(0x83, "b")), []string{"1002"}, 0},
		{"fragmented ping", f(pingFrame&^finBit, "a"), []string{"1002"}, 0},
		{"fragmented close", f(closeFrame&^finBit, ""), []string{"1002"}, 0},
		{"long ping", f(pingFrame, x(126)), []string{"1002"}, 0},
		{"ping with a needless 16-bit length", longFrame(pingFrame, 2, 1, "a"), []string{"1002"}, 0},
		{"long close", longFrame(closeFrame, 8, 126, ""), []string{"1002"}, 0},
		// gws holds control frames against the limit of messages.
		{"ping beyond the limit", longFrame(pingFrame, 2, inboundLimit+1, ""), []string{"1002"}, CloseMessageTooBig},

		// gws panics on these. What is faulty otherwise is so too.
		{"highest bit", longFrame(textFrame, 8, 1<<63, ""), []string{"1002"}, 0},
		{"highest bit and more", longFrame(binaryFrame, 8, 1<<63+5, ""), []string{"1002"}, 0},
		{"all bits", longFrame(textFrame, 8, 1<<64-1, ""), []string{"1002"}, 0},
		{"all bits of a fragment", join(f(textStart, "a"), longFrame(last, 8, 1<<64-1, "")), []string{"1002"}, 0},
		{"all bits of a ping", longFrame(pingFrame, 8, 1<<64-1, ""), []string{"1002"}, 0},

		{"too big", longFrame(textFrame, 2, inboundLimit+1, ""), []string{"1009"}, 0},
		{"much too big", longFrame(binaryFrame, 8, 1<<63-1, ""), []string{"1009"}, 0},
		{"too big and not masked", unmasked(longFrame(textFrame, 2, inboundLimit+1, "")), []string{"1009"}, 0},
		{"too big with a reserved bit", longFrame(textFrame|0x40, 2, inboundLimit+1, ""), []string{"1009"}, 0},
		{"too big of an unknown opcode", longFrame(0x83, 2, inboundLimit+1, ""), []string{"1009"}, 0},
		{"too big a continuation of nothing", longFrame(last, 2, inboundLimit+1, ""), []string{"1009"}, 0},
		{"first fragment too big", longFrame(textStart, 2, inboundLimit+1, ""), []string{"1009"}, 0},
		{"fragments too big", join(f(textStart, x(200)), f(pingFrame, ""), longFrame(last, 2, 101, "")), []string{"ping ", "1009"}, 0},
		{"fragments too big before the last", join(f(textStart, x(200)), longFrame(middle, 2, 101, "")), []string{"1009"}, 0},
		{"fragments beyond the limit with one byte", join(f(binaryStart, x(300)), f(middle, ""), f(last, "x")[:6]), []string{"1009"}, 0},

		{"continuation of nothing", f(last, "a"), []string{"1002"}, 0},
		{"fragment of nothing", f(middle, "a"), []string{"1002"}, 0},
		{"continuation after the last", join(f(textStart, "a"), f(last, "b"), f(last, "c")), []string{"text ab", "1002"}, 0},
		{"text inside a fragmented message", join(f(textStart, "a"), f(textFrame, "b")), []string{"1002"}, 0},
		{"two beginnings", join(f(textStart, ""), f(binaryStart, "")), []string{"1002"}, 0},

		{"text not UTF-8", f(textFrame, "a\xff"), []string{"1007"}, 0},
		{"text ends in a character", f(textFrame, "h\xc3"), []string{"1007"}, 0},
		{"surrogate", f(textFrame, "\xed\xa0\x80"), []string{"1007"}, 0},
		{"fragments not UTF-8", join(f(textStart, "a\xff"), f(pingFrame, ""), f(last, "")), []string{"ping ", "1007"}, 0},

		{"close", closing(""), []string{`close 0 "" 0`}, 0},
		{"close with a code", join(closing("\x03\xe8"), f(textFrame, "after")), []string{`close 1000 "" 1000`}, 0},
		{"close with a reason", closing("\x03\xe9é" + x(121)), []string{`close 1001 "é` + x(121) + `" 1000`}, 0},
		{"close of an application", closing("\x0f\xa0mine"), []string{`close 4000 "mine" 4000`}, 0},
		{"close of a library", closing("\x0b\xb8"), []string{`close 3000 "" 3000`}, 0},
		{"last code", closing("\x13\x87"), []string{`close 4999 "" 4999`}, 0},
		{"code 1013", closing("\x03\xf5"), []string{`close 1013 "" 1000`}, 0},
		{"close with one byte", closing("\x03"), []string{`close 0 "" 1002`}, 0},
		{"code 0", closing("\x00\x00"), []string{`close 0 "" 1002`}, 0},
		{"code 999", closing("\x03\xe7"), []string{`close 999 "" 1002`}, 0},
		{"code 1004", closing("\x03\xec"), []string{`close 1004 "" 1002`}, 0},
		{"code 1005", closing("\x03\xedwhy"), []string{`close 1005 "why" 1002`}, 0},
		{"code 1006", closing("\x03\xee"), []string{`close 1006 "" 1002`}, 0},
		{"code 1014", closing("\x03\xf6"), []string{`close 1014 "" 1002`}, 0},
		{"code 1015", closing("\x03\xf7"), []string{`close 1015 "" 1002`}, 0},
		{"code 1016", closing("\x03\xf8"), []string{`close 1016 "" 1002`}, 0},
		{"code 2999", closing("\x0b\xb7"), []string{`close 2999 "" 1002`}, 0},
		{"code 5000", closing("\x13\x88"), []string{`close 5000 "" 1002`}, 0},
		{"reason not UTF-8", closing("\x03\xe8a\xff\xffb"), []string{"close 1000 \"a\uFFFDb\" 1007"}, 0},
		{"forbidden code, reason not UTF-8", closing("\x03\xed\xff"), []string{"close 1005 \"\uFFFD\" 1007"}, 0},
	}
}()

// parseInbound drives the parser as a connection does, and returns what inboundCase says. reads are the sizes of the reads,
// the last one for the rest; a buffer has room for size bytes, or what the parser needs. It checks what next promises.
func parseInbound(t testing.TB, limit int, stream []byte, size int, reads ...int) (got []string) {
	t.Helper()
	p := inbound{limit: limit}
	var buf, held []byte // held is the filled part of buf
	for {
		before := slices.Clone(held)
		f, n, need, err := p.next(held)
		switch {
		case err != nil:
			if err.Error() == "" || n > len(held) || f.kind != noFrame {
				t.Fatalf("fault %v with %+v, %d bytes", err, f, n)
			}
			return append(got, strconv.Itoa(int(err.code)))
		case n < 0 || n > len(held) || n == 0 && (need <= len(held) || f.kind != noFrame || !bytes.Equal(before, held)):
			t.Fatalf("%+v, %d bytes of %d, needs %d", f, n, len(held), need)
		case need > maxHeader+max(limit, maxControlPayload):
			t.Fatalf("needs %d with a limit of %d", need, limit)
		case cap(p.fragments) > 2*limit+64:
			t.Fatalf("%d bytes for fragments with a limit of %d", cap(p.fragments), limit)
		}
		switch f.kind {
		case textMessage:
			got = append(got, "text "+string(f.payload))
		case binaryMessage:
			got = append(got, "binary "+string(f.payload))
		case pingControl:
			got = append(got, "ping "+string(f.payload))
		case pongControl:
			got = append(got, "pong "+string(f.payload))
		case closeControl:
			said, reason, reply := parseClose(f.payload)
			return append(got, closeWords(said, reason, reply))
		}
		for i := range n {
			held[i] = 0xdb // the parser has no use for it any more
		}
		if held = held[n:]; n > 0 {
			continue
		}
		if len(stream) == 0 {
			return got
		}
		room := make([]byte, max(size, need))
		copy(room, held)
		for i := range buf {
			buf[i] = 0xdb
		}
		buf = room
		read := len(stream)
		if len(reads) > 0 {
			if read, reads = min(reads[0], len(stream)), reads[1:]; read == 0 {
				read = 1
			}
		}
		read = copy(buf[len(held):], stream[:read])
		stream, held = stream[read:], buf[:len(held)+read]
	}
}

func TestInbound(t *testing.T) {
	for _, c := range inboundCases {
		if got := parseInbound(t, inboundLimit, c.stream, 4096); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %.80q, want %.80q", c.name, got, c.want)
		}
		if got := parseInbound(t, inboundLimit, c.stream, 0, ones(len(c.stream))...); !slices.Equal(got, c.want) {
			t.Errorf("%s, byte by byte: got %.80q, want %.80q", c.name, got, c.want)
		}
	}
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

// A limit smaller than a control frame is no limit of control frames.
func TestInboundSmallLimit(t *testing.T) {
	ping := strings.Repeat("p", 125)
	stream := slices.Concat(frame(pingFrame, []byte(ping)), frame(textFrame, []byte("a")), frame(binaryFrame, []byte("bc")))
	if got, want := parseInbound(t, 1, stream, 0), []string{"ping " + ping, "text a", "1009"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// However a stream is cut into reads, the same comes of it.
func TestInboundChunks(t *testing.T) {
	stream := slices.Concat(
		frame(textFrame, []byte("héllo")), frame(0x01, []byte("{\xc3")), frame(pingFrame, []byte("ping")), frame(0x80, []byte("\xa9}")),
		longFrame(binaryFrame, 8, 9, "\x00\x01\x02\x03\x04\x05\x06\x07\x08"), frame(textFrame, nil), longFrame(textFrame, 2, 3, "abc"),
		frame(pongFrame, nil), frame(closeFrame, []byte("\x03\xe9bye")))
	want := []string{"text héllo", "ping ping", "text {é}", "binary \x00\x01\x02\x03\x04\x05\x06\x07\x08", "text ", "text abc", "pong ", `close 1001 "bye" 1000`}
	for _, size := range []int{0, 16, 4096} {
		for i := range stream {
			for j := range len(stream) - i {
				if got := parseInbound(t, inboundLimit, stream, size, i, j); !slices.Equal(got, want) {
					t.Fatalf("reads of %d, %d and the rest into %d bytes: got %q, want %q", i, j, size, got, want)
				}
			}
		}
		for n := range stream {
			if got := parseInbound(t, inboundLimit, stream, size, slices.Repeat([]int{n}, len(stream))...); !slices.Equal(got, want) {
				t.Fatalf("reads of %d into %d bytes: got %q, want %q", n, size, got, want)
			}
		}
	}
}

// What a buffer must hold is known as soon as it can be.
func TestInboundNeed(t *testing.T) {
	for _, c := range []struct {
		buf  string
		need int
	}{
		{"", 2}, {"\x81", 2}, {"\x81\x85", 6}, {"\x81\x85\x01\x02\x03", 6}, {"\x81\x85\x01\x02\x03\x04", 11}, {"\x81\x85\x01\x02\x03\x04abcd", 11},
		{"\x81\xfe", 8}, {"\x81\xfe\x01\x00\x01\x02\x03\x04", 264}, {"\x81\xff", 14}, {"\x81\xff\x00\x00\x00\x00\x00\x00\x01\x2c\x01\x02\x03\x04", 314},
	} {
		p := inbound{limit: inboundLimit}
		if f, n, need, err := p.next([]byte(c.buf)); f.kind != noFrame || n != 0 || need != c.need || err != nil {
			t.Errorf("%q: %+v, %d bytes, needs %d, want %d, %v", c.buf, f, n, need, c.need, err)
		}
	}
}

// A frame's payload cannot grow into the next frame, and its message of fragments is let go of.
func TestInboundOwnership(t *testing.T) {
	p := inbound{limit: inboundLimit}
	buf := append(frame(textFrame, []byte("a")), frame(textFrame, []byte("b"))...)
	f, n, _, _ := p.next(buf)
	_ = append(f.payload, 0)
	if f, _, _, err := p.next(buf[n:]); string(f.payload) != "b" || err != nil {
		t.Fatalf("%+v %v", f, err)
	}
	buf = frame(0x01, []byte("a"))
	if f, n, _, err := p.next(buf); f.kind != noFrame || n != len(buf) || err != nil {
		t.Fatalf("%+v, %d bytes, %v", f, n, err)
	}
	if f, _, _, err := p.next(frame(0x80, []byte("b"))); string(f.payload) != "ab" || err != nil || p.fragments != nil || p.fragmentOp != noFrame {
		t.Fatalf("%+v %v, left %+v", f, err, p)
	}
}

// What is no code, and what is one that nobody may send, is told apart.
func TestInboundParseClose(t *testing.T) {
	for payload, want := range map[string]uint16{"": 0, "A": 0, "\x00A": 'A', "\x03\xe8": 1000} {
		if said, reason, _ := parseClose([]byte(payload)); said != want || reason != "" {
			t.Errorf("%q: %d %q, want %d", payload, said, reason, want)
		}
	}
}

func TestInboundUnmask(t *testing.T) {
	key := []byte{0x12, 0xfe, 0x00, 0x87}
	for n := range 200 {
		for shift := range 9 {
			b := make([]byte, shift+n+8)
			for i := range b {
				b[i] = byte(i * 7)
			}
			want := slices.Clone(b)
			for i := range n {
				want[shift+i] ^= key[i%4]
			}
			unmask(b[shift:shift+n], binary.LittleEndian.Uint32(key))
			if !bytes.Equal(b, want) {
				t.Fatalf("%d bytes at %d: got %x, want %x", n, shift, b, want)
			}
		}
	}
}

func TestInboundAllocates(t *testing.T) {
	batch := slices.Concat(
		frame(textFrame, []byte("hello")), frame(binaryFrame, make([]byte, 200)), frame(textFrame, nil), frame(pingFrame, []byte("p")),
		frame(pongFrame, nil), frame(closeFrame, []byte("\x03\xe8")), []byte{textFrame, 0})
	p := inbound{limit: inboundLimit}
	buf := make([]byte, len(batch))
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, batch)
		for rest := buf; ; {
			_, n, _, err := p.next(rest)
			if err != nil {
				if err != errNotMasked {
					panic(err)
				}
				return
			}
			rest = rest[n:]
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// replay is a connection whose input is there from the start; it records what gws makes of it.
type replay struct {
	in       io.Reader
	upgraded bool
	got      []string
	reply    uint16 // of gws's close frame
	replied  bool
	said     *gws.CloseError
}

func (r *replay) Read(p []byte) (int, error) { return r.in.Read(p) }

func (r *replay) Write(p []byte) (int, error) {
	if r.upgraded {
		r.reply, _ = parseCloseFrame(p)
		r.replied = true
	}
	return len(p), nil
}

func (r *replay) Close() error                     { return nil }
func (r *replay) LocalAddr() net.Addr              { return pipeAddr{} }
func (r *replay) RemoteAddr() net.Addr             { return pipeAddr{} }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }

type recorder struct{}

func replayed(s *gws.Conn) *replay { return s.NetConn().(*replay) }

func (recorder) OnOpen(*gws.Conn) {}

func (recorder) OnClose(s *gws.Conn, err error) { errors.As(err, &replayed(s).said) }

func (recorder) OnPing(s *gws.Conn, payload []byte) {
	r := replayed(s)
	r.got = append(r.got, "ping "+string(payload))
}

func (recorder) OnPong(s *gws.Conn, payload []byte) {
	r := replayed(s)
	r.got = append(r.got, "pong "+string(payload))
}

func (recorder) OnMessage(s *gws.Conn, m *gws.Message) {
	r := replayed(s)
	kind := "binary "
	if m.Opcode == gws.OpcodeText {
		kind = "text "
	}
	r.got = append(r.got, kind+string(m.Bytes()))
	_ = m.Close()
}

var recording = gws.NewUpgrader(recorder{}, &gws.ServerOption{
	ParallelGolimit: 1, ReadMaxPayloadSize: inboundLimit, ReadBufferSize: 4 << 10, CheckUtf8Enabled: true,
})

// recordedBy is r after a handshake.
func recordedBy(t testing.TB, u *gws.Upgrader, r *replay) *gws.Conn {
	t.Helper()
	header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	s, err := u.UpgradeFromConn(r, bufio.NewReaderSize(r, 4<<10), &http.Request{Method: http.MethodGet, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	r.upgraded = true
	return s
}

// readByGws returns what inboundCase says. Like a connection, it takes a panic of gws for a protocol error.
func readByGws(t testing.TB, stream []byte) (got []string) {
	t.Helper()
	r := &replay{in: bytes.NewReader(stream)}
	s := recordedBy(t, recording, r)
	panicked := func() (v any) {
		defer func() { v = recover() }()
		s.ReadLoop()
		return nil
	}()
	switch {
	case panicked != nil:
		return append(r.got, "1002")
	case !r.replied:
		t.Fatal("gws neither answers nor panics")
	case r.said == nil:
		return append(r.got, strconv.Itoa(int(r.reply)))
	}
	reason := strings.ToValidUTF8(string(r.said.Reason), "\uFFFD") // as handler.OnClose does
	return append(r.got, closeWords(r.said.Code, reason, r.reply))
}

// decided adds what ends a stream with a verdict, whatever state it is in: a frame that is cut gets its bytes, and then
// comes one that is not masked. gws reads a faulty frame to its end where the parser has refused its header.
func decided(stream []byte) []byte {
	return append(slices.Clone(stream), make([]byte, inboundLimit+maxHeader+2)...)
}

// sameAsGws compares, in the terms of inboundCase, what comes of a decided stream.
func sameAsGws(t *testing.T, stream []byte, got []string) {
	t.Helper()
	want := readByGws(t, stream)
	if slices.Equal(got, want) {
		return
	}
	// The one difference: gws holds control frames against the limit of messages and closes with 1009.
	if n := len(got); n == len(want) && slices.Equal(got[:n-1], want[:n-1]) && got[n-1] == "1002" && want[n-1] == "1009" && endsInLongControl(stream) {
		return
	}
	t.Fatalf("got %.100q, gws %.100q", got, want)
}

// endsInLongControl reports whether the parser stops at a control frame that is longer than the limit of messages.
func endsInLongControl(stream []byte) bool {
	p := inbound{limit: inboundLimit}
	for rest := slices.Clone(stream); ; {
		_, n, _, err := p.next(rest)
		if err == nil && n > 0 {
			rest = rest[n:]
			continue
		}
		if err != errControlFrame {
			return false
		}
		switch rest[1] &^ maskBit {
		case 126:
			return binary.BigEndian.Uint16(rest[2:]) > inboundLimit
		case 127:
			return binary.BigEndian.Uint64(rest[2:]) > inboundLimit
		}
		return false
	}
}

// The cases are what gws makes of them, but where they say otherwise.
func TestInboundCasesAgainstGws(t *testing.T) {
	for _, c := range inboundCases {
		want := slices.Clone(c.want)
		if c.gws != 0 {
			want[len(want)-1] = strconv.Itoa(int(c.gws))
		}
		if last := want[len(want)-1]; len(last) != 4 && !strings.HasPrefix(last, "close ") {
			want = append(want, "1002") // of what decided adds
		}
		if got := readByGws(t, decided(c.stream)); !slices.Equal(got, want) {
			t.Errorf("%s: gws %.80q, want %.80q", c.name, got, want)
		}
	}
}

// FuzzInbound parses random bytes as one read and as several, and has gws read the same: the same messages, pings and pongs
// must come of it, and the same close code.
func FuzzInbound(f *testing.F) {
	for i, c := range inboundCases {
		f.Add(c.stream, byte(i), byte(3*i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size, read byte) {
		stream = decided(stream)
		got := parseInbound(t, inboundLimit, stream, len(stream))
		reads := slices.Repeat([]int{int(read)}, len(stream))
		if cut := parseInbound(t, inboundLimit, stream, int(size), reads...); !slices.Equal(cut, got) {
			t.Fatalf("got %.100q from one read, %.100q from reads of %d bytes", got, cut, read)
		}
		sameAsGws(t, stream, got)
	})
}

// BenchmarkInbound is a batch of 16 text messages, from one read to the last message; gws reads it through a bufio.Reader
// and the same transport.
func BenchmarkInbound(b *testing.B) {
	const batch = 16
	for _, size := range []int{64, 1024} {
		stream := bytes.Repeat(frame(textFrame, bytes.Repeat([]byte("x"), size)), batch)
		b.Run(fmt.Sprintf("%d/parser", size), func(b *testing.B) {
			p := inbound{limit: 64 << 10}
			buf := make([]byte, len(stream))
			b.ReportAllocs()
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				copy(buf, stream)
				for rest := buf; len(rest) > 0; {
					f, n, _, err := p.next(rest)
					if err != nil || f.kind != textMessage {
						b.Fatal(f, err)
					}
					rest = rest[n:]
				}
			}
		})
		b.Run(fmt.Sprintf("%d/gws", size), func(b *testing.B) {
			r := new(replay)
			s := recordedBy(b, gws.NewUpgrader(thrower{}, &gws.ServerOption{
				ParallelGolimit: 1, ReadMaxPayloadSize: 64 << 10, ReadBufferSize: 4 << 10, CheckUtf8Enabled: true,
			}), r)
			r.in = &repeat{stream: stream, times: b.N}
			b.ReportAllocs()
			b.SetBytes(int64(len(stream)))
			b.ResetTimer()
			s.ReadLoop()
		})
	}
}

// thrower throws messages away.
type thrower struct{ gws.BuiltinEventHandler }

func (thrower) OnMessage(_ *gws.Conn, m *gws.Message) { _ = m.Close() }

// repeat is a stream repeated a number of times.
type repeat struct {
	stream []byte
	at     int
	times  int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.at == len(r.stream) {
		r.at = 0
		r.times--
	}
	if r.times == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.stream[r.at:])
	r.at += n
	return n, nil
}
