package wire

import "unsafe"

// textOf returns the bytes of b as a string without copying them. It is safe as long as the string is used only while b
// does not change: a text under inspection, or a string that Scan documents to be such.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns the bytes of s without copying them. Nothing in this package writes to the bytes that it reads.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
