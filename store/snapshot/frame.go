package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Layout is that of the frames that are written.
const Layout = 1

// MaxKind is the longest Kind of a Header, in bytes.
const MaxKind = math.MaxUint8

// Header says what the body of a frame is.
type Header struct {
	Layout   uint8    // of the frame: set by Decode, not looked at by Append
	Kind     string   // what is kept: "state", "session", …; 1 to MaxKind bytes
	Version  uint32   // of the application's type
	Encoding Encoding // of the value
	Pushes   uint64   // the room's push counter when the value was taken
}

// Errors of what reads frames. They are wrapped; compare with errors.Is.
var (
	// ErrNotSnapshot: the bytes are no frame at all, or a patch where a whole value is wanted, or the other way round.
	ErrNotSnapshot = errors.New("not a snapshot")
	// ErrNewerLayout: the frame is whole, but of a layout that a later version of this package writes.
	ErrNewerLayout = errors.New("snapshot of a newer layout")
	// ErrCorrupt: the frame is damaged, cut off or longer than it says, or a patch does not belong where it is applied.
	ErrCorrupt = errors.New("corrupt snapshot")
)

// Forms of a frame.
const (
	formWhole = 0
	formPatch = 1
)

// Places in a frame.
const (
	magic      = "\xc1Ska"
	atLayout   = len(magic)
	atForm     = atLayout + 1
	atEncoding = atForm + 1
	atKind     = atEncoding + 1 // its length; the kind follows

	sizeFixed = atKind + 1
	sizeAfter = 4 + 8         // version, pushes
	sizePatch = 8 + 4 + 8 + 4 // what a patch has besides
	sizeBody  = 8             // the body's length
	sizeSum   = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Append appends a frame to dst: a header and a whole value. It allocates nothing if dst has room. It panics if Kind is empty
// or longer than MaxKind, or Encoding is none.
func Append(dst []byte, h Header, body []byte) []byte {
	start := len(dst)
	dst = appendHeader(dst, formWhole, h)
	return appendBody(dst, start, body)
}

func appendHeader(dst []byte, form byte, h Header) []byte {
	if len(h.Kind) == 0 || len(h.Kind) > MaxKind {
		panic(fmt.Sprintf("snapshot: Header.Kind is %d bytes long: use 1 to %d", len(h.Kind), MaxKind))
	}
	if !h.Encoding.known() {
		panic(fmt.Sprintf("snapshot: Header.Encoding is %d: use JSON or Msgpack", h.Encoding))
	}
	dst = append(dst, magic...)
	dst = append(dst, Layout, form, byte(h.Encoding), byte(len(h.Kind)))
	dst = append(dst, h.Kind...)
	dst = binary.LittleEndian.AppendUint32(dst, h.Version)
	return binary.LittleEndian.AppendUint64(dst, h.Pushes)
}

// appendBody ends the frame that begins at start.
func appendBody(dst []byte, start int, body []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(body)))
	dst = append(dst, body...)
	return binary.LittleEndian.AppendUint32(dst, sum(dst[start:]))
}

// Decode reads a frame with a whole value, which aliases data.
func Decode(data []byte) (Header, []byte, error) {
	f, err := parse(data)
	if err != nil {
		return Header{}, nil, err
	}
	if f.form == formPatch {
		return Header{}, nil, fmt.Errorf("snapshot: %w: this is a patch of %s; it goes into Apply, behind the value it belongs to", ErrNotSnapshot, f.Kind)
	}
	return f.Header, f.body, nil
}

// frame is a frame in its fields.
type frame struct {
	Header
	form  byte
	patch Patch // of a patch alone
	body  []byte
}

// parse reads a frame of any form.
func parse(data []byte) (frame, error) {
	var f frame
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return f, fmt.Errorf("snapshot: %w: %d bytes that do not begin as one", ErrNotSnapshot, len(data))
	}
	if len(data) < sizeFixed+sizeSum {
		return f, fmt.Errorf("snapshot: %w: cut off after %d bytes", ErrCorrupt, len(data))
	}
	end := len(data) - sizeSum
	if want, got := binary.LittleEndian.Uint32(data[end:]), sum(data[:end]); got != want {
		return f, fmt.Errorf("snapshot: %w: the checksum of its %d bytes is %08x, and should be %08x by its last four", ErrCorrupt, len(data), got, want)
	}
	switch f.Layout = data[atLayout]; {
	case f.Layout > Layout:
		return f, fmt.Errorf("snapshot: %w: layout %d, this version reads up to %d; run the version that wrote it, or a later one", ErrNewerLayout, f.Layout, Layout)
	case f.Layout == 0:
		return f, fmt.Errorf("snapshot: %w: layout 0, which there never was", ErrCorrupt)
	}
	return f, f.layout1(data[:end])
}

// layout1 reads what is before the checksum, which is right. What is found here was written wrong.
func (f *frame) layout1(data []byte) error {
	bad := func(at int, format string, args ...any) error {
		return fmt.Errorf("snapshot: %w: at byte %d: %s", ErrCorrupt, at, fmt.Sprintf(format, args...))
	}
	f.form, f.Encoding = data[atForm], Encoding(data[atEncoding])
	if f.form > formPatch {
		return bad(atForm, "there is no form %d", f.form)
	}
	if !f.Encoding.known() {
		return bad(atEncoding, "there is no encoding %d", f.Encoding)
	}
	size := int(data[atKind])
	if size == 0 {
		return bad(atKind, "the kind is empty")
	}
	at, more := sizeFixed, size+sizeAfter+sizeBody
	if f.form == formPatch {
		more += sizePatch
	}
	if len(data) < at+more {
		return bad(at, "%d bytes follow, less than a header", len(data)-at)
	}
	f.Kind = string(data[at : at+size])
	at += size
	f.Version = binary.LittleEndian.Uint32(data[at:])
	f.Pushes = binary.LittleEndian.Uint64(data[at+4:])
	at += sizeAfter
	if f.form == formPatch {
		f.patch.base = value{binary.LittleEndian.Uint64(data[at:]), binary.LittleEndian.Uint32(data[at+8:])}
		f.patch.result = value{binary.LittleEndian.Uint64(data[at+12:]), binary.LittleEndian.Uint32(data[at+20:])}
		at += sizePatch
	}
	length := binary.LittleEndian.Uint64(data[at:])
	at += sizeBody
	if length != uint64(len(data)-at) {
		return bad(at, "%d bytes of body follow, and should be %d", len(data)-at, length)
	}
	f.body = data[at:len(data):len(data)]
	if f.form == formPatch {
		f.patch.edits = f.body
		if n, problem := checkEdits(f.body, f.patch.base.length, f.patch.result.length); problem != "" {
			return bad(at+n, "%s", problem)
		}
	}
	return nil
}
