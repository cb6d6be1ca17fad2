package snapshot

// What patches may cost the one who reads them.
const (
	// SmallValue is the size, in bytes, up to which a value is written as a whole: a store writes a page in any case, and
	// pages are of 4 KiB in SQLite and of 8 KiB in Postgres.
	SmallValue = 4 << 10
	// MaxPatches is the number of patches behind one whole value.
	MaxPatches = 256
	// MaxPatchBytes is the size, in bytes, that they may have in all behind a whole value that is smaller than that.
	MaxPatchBytes = 64 << 10
)

// Compact says whether to write the whole value anew in place of one more patch. base is the size in bytes of the last whole
// value, patches that of all frames behind it, and count their number, each with the one that is about to be written.
//
// So who reads a room reads at most twice the bytes of its value, or MaxPatchBytes more; and who writes it writes at most
// twice the bytes of its patches, as a whole value is written after at least as many bytes of them. The limit on their number
// bounds the rows that are read, each of which costs a store some microseconds whatever its size. A value up to SmallValue is
// always written as a whole.
func Compact(base, patches, count int) bool {
	return base <= SmallValue || count > MaxPatches || patches > max(MaxPatchBytes, base)
}
