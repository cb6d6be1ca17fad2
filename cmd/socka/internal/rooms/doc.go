// Package rooms works on the rooms of a store from outside of a server: it lists and shows them, writes them to a file, reads
// them back, and deletes them.
//
// A room that runs somewhere is only ever read, as it was last saved. What changes a room acquires it first, as an owner with a
// lease of its own, so that the store decides who may: rooms of owners that live are left alone. Everything ends early when its
// context does, and says then what was done.
//
// # The file
//
// A file of rooms is text, one JSON object a line:
//
//	{"format":"socka-rooms","version":1,"exported":TIME}             the first line
//	{"room":{…},"crc32c":"8 hex digits"}                             each room; the checksum is that of the bytes of {…}
//	{"end":{"rooms":n}}                                              the last line, without which the file is cut off
//
//	room      kind, name, wake?, linger?, updated?, parts?, logs?
//	part      name, data in base64
//	log       name, records, each with seq and data in base64
//
// Names that are not UTF-8 are {"base64":…}. Fields that a reader does not know are ignored; a version that it does not know is
// refused. A file has what is in the parts and logs of rooms and nothing of owners and epochs, which belong to a store.
//
// It may import store and store/snapshot.
package rooms
