package load

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/gosocka/socka/wire"
)

// A scanner recognizes the messages of a server. Those that begin as this project's server and @firtoz/socka write them
// are not decoded; the fields of others may stand in any order.
type scanner struct {
	format wire.Format
	id     string // what the ids of calls begin with; a number follows
	answer []byte // what an answer begins with, up to the value of its id
	push   []byte // what the push begins with, up to its body
	event  string
	number []byte // the key of the number in the push's body
}

// What a message is.
type messageKind int

const (
	otherMessage messageKind = iota // another push, or nothing of the protocol
	answerMessage
	failureMessage
	pushMessage
)

// message is what a scanner finds out. n is the number of the call or in the push, -1 if there is none.
type message struct {
	kind  messageKind
	n     int64
	frame wire.Frame // of a failure
}

func newScanner(f wire.Format, call, push, number string) *scanner {
	s := &scanner{format: f, id: call + "-", event: push}
	idKey, bodyKey := []byte(`"id":"`), []byte(`"body":`)
	s.number, _ = wire.Marshal(f, number)
	if f == wire.Msgpack {
		idKey, bodyKey = []byte("\xa2id"), []byte("\xa4body")
	} else {
		s.number = append(s.number, ':')
	}
	empty, _ := wire.Marshal(f, map[string]any{})
	sample := wire.AppendResponse(nil, f, s.id+"0", call, empty)
	s.answer = sample[:bytes.Index(sample, idKey)+len(idKey)]
	sample = wire.AppendEvent(nil, f, push, empty)
	s.push = sample[:bytes.LastIndex(sample, bodyKey)+len(bodyKey)]
	return s
}

func (s *scanner) scan(data []byte) message {
	if rest, ok := bytes.CutPrefix(data, s.push); ok && s.event != "" {
		return message{kind: pushMessage, n: s.numberIn(rest)}
	}
	if rest, ok := bytes.CutPrefix(data, s.answer); ok {
		if n := s.callNumber(rest); n >= 0 {
			return message{kind: answerMessage, n: n}
		}
	}
	f, err := wire.Decode(s.format, data)
	if err != nil {
		return message{}
	}
	switch f.Kind {
	case wire.ServerResponse:
		return message{kind: answerMessage, n: s.numberOf(f.ID)}
	case wire.ServerError:
		return message{kind: failureMessage, n: s.numberOf(f.ID), frame: f}
	case wire.ServerEvent:
		if f.Event == s.event && s.event != "" {
			return message{kind: pushMessage, n: s.numberIn(f.Body)}
		}
	}
	return message{}
}

// numberOf reads the number from an id.
func (s *scanner) numberOf(id string) int64 {
	digits, ok := strings.CutPrefix(id, s.id)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 {
		return -1
	}
	return n
}

// callNumber reads the number from the encoded id that b begins with, -1 if that takes a decoder.
func (s *scanner) callNumber(b []byte) int64 {
	size := -1
	if s.format == wire.Msgpack {
		switch {
		case len(b) > 0 && b[0]&0xe0 == 0xa0:
			size, b = int(b[0]&0x1f), b[1:]
		case len(b) > 1 && b[0] == 0xd9:
			size, b = int(b[1]), b[2:]
		}
	} else {
		size = bytes.IndexByte(b, '"')
	}
	if size < len(s.id) || size > len(b) || string(b[:len(s.id)]) != s.id {
		return -1
	}
	n, rest := digits(b[len(s.id):size])
	if rest != 0 {
		return -1
	}
	return n
}

// digits reads the decimal number that b begins with, -1 if there is none, and says how many bytes follow.
func digits(b []byte) (n int64, rest int) {
	n = -1
	for i, c := range b {
		if c < '0' || c > '9' || n > math.MaxInt64/10-1 {
			return n, len(b) - i
		}
		n = max(n, 0)*10 + int64(c-'0')
	}
	return n, 0
}

// numberIn finds the number in the body of a push: behind the last key of its name.
func (s *scanner) numberIn(body []byte) int64 {
	i := bytes.LastIndex(body, s.number)
	if i < 0 {
		return -1
	}
	b := body[i+len(s.number):]
	if s.format == wire.JSON {
		n, _ := digits(bytes.TrimLeft(b, " "))
		return n
	}
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0])
	}
	if len(b) < 9 {
		b = append(bytes.Clone(b), make([]byte, 9-len(b))...)
	}
	switch b[0] {
	case 0xcc:
		return int64(b[1])
	case 0xcd:
		return int64(binary.BigEndian.Uint16(b[1:]))
	case 0xce:
		return int64(binary.BigEndian.Uint32(b[1:]))
	case 0xcf:
		return int64(binary.BigEndian.Uint64(b[1:]) & math.MaxInt64)
	case 0xcb:
		if v := math.Float64frombits(binary.BigEndian.Uint64(b[1:])); v >= 0 && v <= 1<<53 {
			return int64(v)
		}
	}
	return -1
}
