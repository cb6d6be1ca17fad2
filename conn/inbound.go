package conn

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// inbound is the inbound half of one connection between reads: a parser of the frames of a client (RFC 6455 section 5) for
// connections without permessage-deflate. It does no I/O. The caller fills a buffer and calls next until that holds less
// than a frame, so that what came in one read is parsed where it lies, and an idle connection holds no buffer.
type inbound struct {
	limit      int       // most bytes of a message
	fragmentOp frameKind // kind of the message whose last fragment is yet to come; noFrame: there is none
	fragments  []byte    // what there is of it: at most limit bytes, and append's room for more
}

// frameKind is what a call of next found.
type frameKind uint8

const (
	noFrame       frameKind = iota // nothing to handle: less than a frame, or a fragment of a message
	textMessage                    // the payload is UTF-8
	binaryMessage                  //
	pingControl                    //
	pongControl                    //
	closeControl                   // parseClose reads the payload
)

// inFrame is a message or a control frame.
type inFrame struct {
	kind    frameKind
	payload []byte // lies in the caller's buffer, but for a message of fragments
}

// inboundError is a fault of the client, after which nothing in the stream can be told apart.
type inboundError struct {
	code   uint16 // to close with
	reason string
}

func (e *inboundError) Error() string { return "conn: " + e.reason }

// All faults there are, so that one costs no allocation.
var (
	errLength        = &inboundError{CloseProtocolError, "a frame's length has the highest bit set"}
	errControlFrame  = &inboundError{CloseProtocolError, "a control frame is fragmented or longer than 125 bytes"}
	errTooBig        = &inboundError{CloseMessageTooBig, "a message is larger than the limit"}
	errReservedBits  = &inboundError{CloseProtocolError, "a frame has reserved bits set"}
	errNotMasked     = &inboundError{CloseProtocolError, "a frame of the client is not masked"}
	errOpcode        = &inboundError{CloseProtocolError, "a frame has an unknown opcode"}
	errInterrupted   = &inboundError{CloseProtocolError, "a message begins inside a fragmented one"}
	errContinuesNone = &inboundError{CloseProtocolError, "a fragment continues no message"}
	errNotText       = &inboundError{CloseInvalidData, "text is not UTF-8"}
)

const (
	finBit       = 0x80
	reservedBits = 0x70
	maskBit      = 0x80
	maxHeader    = 2 + 8 + 4 // of a frame of a client
)

// next takes the first frame from buf, unmasks it there, and returns how many bytes it took. If that is 0 without an error,
// buf holds less than a frame and is as it was; need is then how many bytes a buffer must hold for the next step: the
// header, or the header and its payload. It is never more than maxHeader and the larger of limit and 125.
//
// The payload is good until the next call, and as long as the caller leaves buf alone; the parser keeps no reference to
// buf. A fault is reported as soon as the header is there, but for text that is not UTF-8. After a fault or a close frame
// next must not be called again.
func (p *inbound) next(buf []byte) (f inFrame, n, need int, err *inboundError) {
	if len(buf) < 2 {
		return inFrame{}, 0, 2, nil
	}
	head, length := 2, uint64(buf[1]&^maskBit)
	switch length {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	masked := buf[1]&maskBit != 0
	if masked {
		head += 4
	}
	if len(buf) < head {
		return inFrame{}, 0, head, nil
	}
	switch length { // not of the least size: gws takes that too
	case 126:
		length = uint64(binary.BigEndian.Uint16(buf[2:]))
	case 127:
		length = binary.BigEndian.Uint64(buf[2:])
	}
	if err := p.judge(buf[0], buf[1], length); err != nil {
		return inFrame{}, 0, 0, err
	}
	n = head + int(length)
	if len(buf) < n {
		return inFrame{}, 0, n, nil
	}
	payload := buf[head:n:n]
	unmask(payload, binary.LittleEndian.Uint32(buf[head-4:]))
	switch op := buf[0] & opcodeMask; op {
	case closeFrame & opcodeMask:
		return inFrame{closeControl, payload}, n, 0, nil
	case pingFrame & opcodeMask:
		return inFrame{pingControl, payload}, n, 0, nil
	case pongFrame & opcodeMask:
		return inFrame{pongControl, payload}, n, 0, nil
	default:
		f, err = p.data(op, buf[0]&finBit != 0, payload)
		return f, n, 0, err
	}
}

// judge finds the faults that a header shows. Size comes before the rest, as with gws: a message that is too big is told so
// although it is faulty in other ways.
func (p *inbound) judge(first, second byte, length uint64) *inboundError {
	op := first & opcodeMask
	switch {
	case length > 1<<63-1:
		return errLength
	case op >= opcodeClose && (first&finBit == 0 || second&^maskBit > maxControlPayload):
		return errControlFrame
	case op < opcodeClose && length > uint64(p.limit):
		return errTooBig
	case first&reservedBits != 0:
		return errReservedBits
	case second&maskBit == 0:
		return errNotMasked
	case op > binaryFrame&opcodeMask && op < opcodeClose || op > pongFrame&opcodeMask:
		return errOpcode
	case op >= opcodeClose:
		return nil // control frames may come between fragments
	case op != 0 && p.fragmentOp != noFrame:
		return errInterrupted
	case op == 0 && p.fragmentOp == noFrame:
		return errContinuesNone
	case length > uint64(p.limit-len(p.fragments)):
		return errTooBig
	}
	return nil
}

// data handles a data frame without faults in its header.
func (p *inbound) data(op byte, fin bool, payload []byte) (inFrame, *inboundError) {
	kind := p.fragmentOp
	switch op {
	case textFrame & opcodeMask:
		kind = textMessage
	case binaryFrame & opcodeMask:
		kind = binaryMessage
	}
	if !fin {
		p.fragmentOp, p.fragments = kind, append(p.fragments, payload...)
		return inFrame{}, nil
	}
	if op == 0 {
		payload = append(p.fragments, payload...)
		p.fragmentOp, p.fragments = noFrame, nil
	}
	if kind == textMessage && !utf8.Valid(payload) {
		return inFrame{}, errNotText
	}
	return inFrame{kind, payload}, nil
}

// unmask applies a masking key, read as little-endian.
func unmask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 32 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^wide)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^wide)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
}

// parseClose reads the payload of a close frame: the code that the peer said, 0 for none, its reason made UTF-8, and the
// code to answer with, 0 for a close frame without one. CloseProtocolError and CloseInvalidData as an answer mean that the
// frame itself is at fault; to a good one it is the peer's own code if that is an application's, and CloseNormal otherwise.
func parseClose(payload []byte) (said uint16, reason string, reply uint16) {
	switch len(payload) {
	case 0:
		return 0, "", 0
	case 1:
		return 0, "", CloseProtocolError
	}
	said = binary.BigEndian.Uint16(payload)
	reason = strings.ToValidUTF8(string(payload[2:]), "\uFFFD")
	switch {
	case !utf8.Valid(payload[2:]):
		reply = CloseInvalidData
	case said == 1014 || !sendable(said): // gws takes no 1014 from a peer
		reply = CloseProtocolError
	case said < 3000:
		reply = CloseNormal
	default:
		reply = said
	}
	return said, reason, reply
}
