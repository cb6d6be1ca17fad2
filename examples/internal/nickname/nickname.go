// Package nickname is how the example rooms tell people apart without accounts:
// everybody says in the URL what to be called. A real application has its users
// log in and reads a cookie or a token at the same place.
//
// It imports contract alone. What [FromRequest] returns is always fit to be
// shown: 1 to 40 characters, something of it visible, no control characters.
package nickname

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gosocka/socka/contract"
)

// MaxLength is the length of the longest name, in characters.
const MaxLength = 40

// FromRequest returns the name in the query of an upgrade request, as in
// /ws/chat/lobby?name=Ada, without the space around it. Who gives no name at all
// gets a friendly one. A name that is not fit to be shown is refused with
// contract.InvalidInput, which is HTTP status 400 before an upgrade.
func FromRequest(r *http.Request) (string, error) {
	query := r.URL.Query()
	if !query.Has("name") {
		return guest(), nil
	}
	name := strings.TrimSpace(query.Get("name"))
	switch {
	case !utf8.ValidString(name):
		return "", contract.Errorf(contract.InvalidInput, "name: must be UTF-8")
	case !strings.ContainsFunc(name, visible):
		return "", contract.Errorf(contract.InvalidInput, "name: must not be blank; leave it out to be given one")
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", contract.Errorf(contract.InvalidInput, "name: must not have control characters")
	case utf8.RuneCountInString(name) > MaxLength:
		return "", contract.Errorf(contract.InvalidInput, "name: must have at most %d characters", MaxLength)
	}
	return name, nil
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

var (
	manners = [...]string{"Brave", "Calm", "Cheerful", "Clever", "Curious", "Gentle", "Happy", "Lucky", "Merry", "Quiet"}
	animals = [...]string{"Badger", "Finch", "Fox", "Hare", "Heron", "Lynx", "Mole", "Otter", "Owl", "Raven"}
)

func guest() string {
	return manners[rand.IntN(len(manners))] + " " + animals[rand.IntN(len(animals))]
}
