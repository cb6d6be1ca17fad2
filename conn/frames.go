package conn

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// First bytes of WebSocket frames (RFC 6455 section 5.2): the FIN bit and an opcode.
const (
	textFrame   = 0x81
	binaryFrame = 0x82
	closeFrame  = 0x88
	pingFrame   = 0x89
	pongFrame   = 0x8a

	opcodeMask  = 0x0f
	opcodeClose = 0x08
)

const maxControlPayload = 125

// appendHeader appends the header of an unmasked frame with n bytes of payload.
func appendHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n <= 125:
		return append(dst, first, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
}

// frameSize is the size on the wire of an uncompressed frame with n bytes of payload.
func frameSize(n int) int {
	switch {
	case n <= 125:
		return n + 2
	case n <= 0xffff:
		return n + 4
	default:
		return n + 10
	}
}

// newCloseFrame makes a close frame. Code 0 makes one without code and reason.
func newCloseFrame(code uint16, reason string) []byte {
	if code == 0 {
		return []byte{closeFrame, 0}
	}
	f := appendHeader(make([]byte, 0, 4+len(reason)), closeFrame, 2+len(reason))
	f = binary.BigEndian.AppendUint16(f, code)
	return append(f, reason...)
}

// parseCloseFrame reads a close frame made by gws on the server side, which is never masked.
func parseCloseFrame(f []byte) (code uint16, reason string) {
	if len(f) < 4 {
		return 0, ""
	}
	return binary.BigEndian.Uint16(f[2:]), string(f[4:])
}

// closeReason cuts a reason to what a close frame can hold.
func closeReason(s string) string {
	const most = maxControlPayload - 2
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// sendable reports whether a close code may stand in a close frame (RFC 6455 section 7.4).
func sendable(code uint16) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != closeNoStatus && code != closeAbnormal
	}
	return false
}
