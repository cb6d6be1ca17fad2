// Package snapshot is the form in which the parts of a room are kept as bytes: frames that say what is in them, patches
// from one value to the next, and the two codecs that make bytes of Go values.
//
// It imports nothing of ours. All its functions may be called from several goroutines.
//
// # Frames
//
// A frame is a [Header], a body and a checksum. [Append] writes one, [Decode] reads one, [ToJSON] shows one to people.
// Layout 1, integers in little-endian order:
//
//	bytes
//	    4   magic, c1 53 6b 61: neither JSON, UTF-8 nor msgpack begins with c1
//	    1   layout, 1
//	    1   form, 0 for a whole value, 1 for a patch
//	    1   encoding of the value, 0 for JSON, 1 for msgpack
//	    1   length of kind, at least 1
//	    n   kind: "state", "session", …
//	    4   version of the application's type
//	    8   the room's push counter
//	 0|24   of a patch alone: length 8 and CRC 4 of the value it applies to, length 8 and CRC 4 of the result
//	    8   length of body
//	    n   body: the value or, of a patch, its edits
//	    4   CRC-32C of everything before
//
// Invariants:
//
//   - Every layout begins with magic and layout, and ends with the CRC-32C of what is before. So damage is told from a frame
//     that a later version of this package wrote.
//   - There is one way to write a frame: what Decode accepts, Append makes again byte by byte.
//   - Every layout that was ever released is read. The files in testdata hold them.
//
// # Patches
//
// [Diff] finds what of one value is in the next, [AppendPatch] frames the rest, [Apply] puts a whole value and any number of
// patches together. A patch names the length and checksum of what it applies to, so that one that is missing, out of order or of
// another value is noticed. [Compact] says when to write the whole value instead.
//
// A patch goes through the old value once, from its beginning to its end. An edit is three numbers (unsigned varints in the
// fewest bytes) and bytes:
//
//	keep    this many bytes of the old value are kept; of an edit that is not the first at least 1
//	drop    this many behind them are not
//	insert  this many bytes, which follow, are put in instead; drop and insert are not both 0
//
// What is left of the old value after the last edit is kept. So a value grows by what a patch carries at most, and what Apply
// needs is in proportion to what it is given.
//
// # Codecs
//
// [Encoding] is a codec by itself. JSON is encoding/json. Msgpack follows its rules (names, embedding, omitempty, omitzero,
// which methods count) and differs where JSON loses something:
//
//	               JSON                              msgpack
//	[]byte         base64                            bin
//	time.Time      RFC 3339, offset kept             timestamp (extension −1), read as UTC
//	NaN, ±Inf      refused                           kept
//	string         invalid UTF-8 replaced            kept
//	own methods    MarshalJSON, MarshalText          EncodeMsgpack, MarshalMsgpack, MarshalText, MarshalBinary
//	,string        a number or bool as a string      has no effect
//	names          also found in another case        found as they are written
//
// Both keep integers exactly, and nil slices and maps apart from empty ones, and write equal values as equal bytes: maps are
// sorted. Neither writes values of interface types so that they can be read back; [CheckMsgpack] says whether a type has
// anything that msgpack would lose.
package snapshot
