package nickname

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gosocka/socka/contract"
)

func TestFromRequest(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"Ada", "Ada"},
		{"  Grace Hopper\t", "Grace Hopper"},
		{"<b>Ada</b>", "<b>Ada</b>"}, // pages insert it as text
		{"👩‍🚀", "👩‍🚀"},               // joined by an invisible character, which alone is no name
		{strings.Repeat("ä", MaxLength), strings.Repeat("ä", MaxLength)},
		{strings.Repeat("ä", MaxLength+1), ""},
		{"", ""},
		{" \u00a0 ", ""},
		{"\u200b", ""},
		{"a\nb", ""},
		{"\xff", ""},
	} {
		r := httptest.NewRequest("GET", "/ws/chat/lobby?name="+url.QueryEscape(test.given), nil)
		name, err := FromRequest(r)
		if name != test.want {
			t.Errorf("name %q: got %q, want %q", test.given, name, test.want)
		}
		if refused := contract.CodeOf(err) == contract.InvalidInput; refused != (test.want == "") {
			t.Errorf("name %q: error %v", test.given, err)
		}
	}
}

func TestGuest(t *testing.T) {
	name, err := FromRequest(httptest.NewRequest("GET", "/ws/chat/lobby", nil))
	if err != nil || len(strings.Fields(name)) != 2 || len(name) > MaxLength {
		t.Errorf("a guest is called %q, %v", name, err)
	}
}
