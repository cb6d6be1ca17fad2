package contract

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/xeipuuv/gojsonschema"
)

// formatPrefix marks our formats in the registry of gojsonschema, which is one
// for the whole process: other users of it neither see nor change ours.
const formatPrefix = "socka:"

type format func(string) bool

// IsFormat is gojsonschema's FormatChecker. Formats speak of strings alone.
func (f format) IsFormat(v any) bool {
	s, ok := v.(string)
	return !ok || f(s)
}

var (
	dateTimePattern = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`)
	hostnamePattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
	uuidPattern     = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
)

// formats are the values of "format" that are checked; any other is refused when
// a schema is made.
var formats = map[string]format{
	// date-time is RFC 3339; time.Time alone would also take 1:00:00 and a comma.
	"date-time": func(s string) bool {
		var t time.Time
		return dateTimePattern.MatchString(s) && t.UnmarshalText([]byte(s)) == nil
	},
	"date": func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil && len(s) == 10 },
	"time": func(s string) bool {
		var t time.Time
		s = "2000-01-01T" + s
		return dateTimePattern.MatchString(s) && t.UnmarshalText([]byte(s)) == nil
	},
	// email is a bare address, without a display name.
	"email": func(s string) bool {
		a, err := mail.ParseAddress(s)
		return err == nil && a.Name == "" && a.Address == s
	},
	"hostname": func(s string) bool { return len(s) <= 253 && hostnamePattern.MatchString(s) },
	"ipv4":     func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":     func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() && a.Zone() == "" },
	"uri": func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.Scheme != "" && !strings.ContainsAny(s, " \\")
	},
	"uri-reference": func(s string) bool { _, err := url.Parse(s); return err == nil && !strings.ContainsAny(s, " \\") },
	"uuid":          uuidPattern.MatchString,
	"regex":         func(s string) bool { _, err := regexp.Compile(s); return err == nil },
}

func init() {
	for name, f := range formats {
		gojsonschema.FormatCheckers.Add(formatPrefix+name, f)
	}
}

func checkFormat(name string) error {
	if formats[name] != nil {
		return nil
	}
	var known []string
	for k := range formats {
		known = append(known, k)
	}
	slices.Sort(known)
	return fmt.Errorf("unknown format %q; known are %s", name, strings.Join(known, ", "))
}
