package room

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ID names a room: its kind and its name within the kind. A session can learn both; neither is a secret.
type ID struct {
	Kind string // the definition's Kind
	Name string // 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, but not "." or ".."
}

// String returns "kind/name".
func (id ID) String() string { return id.Kind + "/" + id.Name }

// maxNameLength is the longest room name, in characters (which are bytes, by the alphabet).
const maxNameLength = 128

// ValidName says what is wrong with a kind's or a room's name, or nil.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a room name may not be empty")
	case len(name) > maxNameLength:
		return fmt.Errorf("a room name has at most %d characters, this one %d", maxNameLength, len(name))
	case name == "." || name == "..":
		return fmt.Errorf("%q cannot be a room name: paths give it another meaning", name)
	}
	for i := 0; i < len(name); i++ {
		if !nameByte(name[i]) {
			return fmt.Errorf("a room name consists of A-Z a-z 0-9 . _ ~ -; byte %d of this one is %q", i, name[i])
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '~' || c == '-'
}

// idOf reads {anything}/{kind}/{name} from a request's path. An escaped slash divides nothing: it belongs to the name,
// which it makes invalid, so that whoever guards rooms by their paths and the server see the same room.
func idOf(r *http.Request) (ID, bool) {
	rest, name, ok := cutLast(strings.Trim(r.URL.EscapedPath(), "/"))
	_, kind, _ := cutLast(rest)
	for _, s := range []*string{&kind, &name} {
		if plain, err := url.PathUnescape(*s); err == nil {
			*s = plain
		}
	}
	return ID{Kind: kind, Name: name}, ok
}

// cutLast splits a path at its last slash; without one everything is the last element.
func cutLast(path string) (before, last string, found bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
