package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gosocka/socka/cmd/socka/internal/rooms"
	"github.com/gosocka/socka/store"
)

// tablePage is how many lines of a table are aligned together.
const tablePage = 200

const listAbout = `Lists the rooms of a store in the order of kind and name: their size, who has
them, when they want to be woken, and when they were last saved. A room is live if
a server has it now; lapsed if one had it whose lease has ended, so that the next
one may take it.
`

// listedRoom is a line of list -json.
type listedRoom struct {
	Kind    string        `json:"kind"`
	Name    string        `json:"name"`
	Bytes   int64         `json:"bytes"`
	Epoch   store.Epoch   `json:"epoch"`
	Owner   store.OwnerID `json:"owner,omitempty"`
	Addr    string        `json:"addr,omitempty"` // of an owner that lives
	Live    bool          `json:"live"`
	Wake    time.Time     `json:"wake,omitzero"`
	Updated time.Time     `json:"updated,omitzero"`
}

func (c *storeCommand) list() error {
	kind := c.flags.String("kind", "", "rooms of this `kind` alone")
	limit := c.flags.Int("limit", 100, "how many rooms at most; 0: all (with -json always all, unless it is given)")
	after := c.flags.String("after", "", "only rooms behind this one, `KIND/NAME`")
	asJSON := c.flags.Bool("json", false, "one JSON object a line, in place of the table")
	if err := c.parse("URL", listAbout); err != nil {
		return err
	}
	if err := c.noMore(); err != nil {
		return err
	}
	if *limit < 0 {
		return c.wrong("-limit %d: use 1 or more, or 0 for all", *limit)
	}
	if *asJSON && !c.given("limit") {
		*limit = 0
	}
	var from store.Key
	if *after != "" {
		keys, err := c.keys([]string{*after})
		if err != nil {
			return err
		}
		from = keys[0]
	}
	return c.with(func(s store.Store) error {
		live, err := rooms.LiveOwners(c.ctx, s)
		if err != nil {
			return err
		}
		print, flush := c.tableOfRooms(live)
		summary := c.stdout
		if *asJSON {
			print, flush = c.linesOfRooms(live)
			summary = c.stderr
		}
		var total rooms.Count
		var last store.Key
		for e, err := range rooms.All(c.ctx, s, *kind, from) {
			if err != nil {
				return err
			}
			if *limit > 0 && total.Rooms == int64(*limit) {
				if err := flush(); err != nil {
					return err
				}
				fmt.Fprintf(summary, "%s; there are more: add -after %s\n", counted(total.Rooms, total.Bytes), last)
				return nil
			}
			if err := print(e); err != nil {
				return err
			}
			total.Rooms++
			total.Bytes += e.Bytes
			last = e.Key
		}
		if err := flush(); err != nil {
			return err
		}
		_, err = fmt.Fprintln(summary, counted(total.Rooms, total.Bytes))
		return err
	})
}

// given says whether a flag is in the command line.
func (c *storeCommand) given(name string) bool {
	found := false
	c.flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// noMore refuses arguments behind the URL.
func (c *storeCommand) noMore() error {
	if len(c.rest) > 0 {
		return c.wrong("unexpected argument %q behind the URL", withoutPasswords(c.rest[0], c.rest[0]))
	}
	return nil
}

// tableOfRooms prints rooms for people.
func (c *storeCommand) tableOfRooms(live rooms.Owners) (print func(store.Entry) error, flush func() error) {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	n := 0
	print = func(e store.Entry) error {
		if n%tablePage == 0 {
			if err := t.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(t, "KIND\tNAME\tSIZE\tOWNER\tWAKE\tUPDATED")
		}
		n++
		_, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", shownName(e.Key.Kind), shownName(e.Key.Name), sizeOf(e.Bytes), ownerOf(e.Owner, live), at(e.Wake), at(e.Updated))
		return err
	}
	return print, t.Flush
}

// linesOfRooms prints rooms for programs.
func (c *storeCommand) linesOfRooms(live rooms.Owners) (print func(store.Entry) error, flush func() error) {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	print = func(e store.Entry) error {
		o, lives := live[e.Owner]
		return enc.Encode(listedRoom{
			Kind: e.Key.Kind, Name: e.Key.Name, Bytes: e.Bytes, Epoch: e.Epoch,
			Owner: e.Owner, Addr: o.Addr, Live: lives, Wake: e.Wake.UTC(), Updated: e.Updated.UTC(),
		})
	}
	return print, func() error { return nil }
}

func ownerOf(id store.OwnerID, live rooms.Owners) string {
	if id == "" {
		return "-"
	}
	if o, ok := live[id]; ok {
		return "live, " + shownName(o.Addr)
	}
	return "lapsed"
}

// at is a time in UTC, to the second.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// shownName is a name that may be any bytes, as it may stand in a table.
func shownName(s string) string {
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` || strings.Contains(s, " ") || s == "" {
		return quoted
	}
	return s
}

const ownersAbout = `Lists the processes whose lease in the store has not ended, oldest first: those
that run rooms, and tools that change them.
`

// listedOwner is a line of owners -json.
type listedOwner struct {
	ID      store.OwnerID     `json:"id"`
	Addr    string            `json:"addr"`
	Joined  time.Time         `json:"joined"`
	Expires time.Time         `json:"expires,omitzero"`
	Props   map[string]string `json:"props,omitempty"`
}

func (c *storeCommand) owners() error {
	asJSON := c.flags.Bool("json", false, "one JSON object a line, in place of the table")
	if err := c.parse("URL", ownersAbout); err != nil {
		return err
	}
	if err := c.noMore(); err != nil {
		return err
	}
	return c.with(func(s store.Store) error {
		list, err := s.Owners(c.ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			enc := json.NewEncoder(c.stdout)
			enc.SetEscapeHTML(false)
			for _, o := range list {
				if err := enc.Encode(listedOwner{o.ID, o.Addr, o.Joined.UTC(), o.Expires.UTC(), o.Props}); err != nil {
					return err
				}
			}
			return nil
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tADDR\tJOINED\tLEASE UNTIL\tPROPERTIES")
		for _, o := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", o.ID, shownName(o.Addr), at(o.Joined), at(o.Expires), properties(o.Props))
		}
		return t.Flush()
	})
}

// properties are those of an owner in the order of their names.
func properties(props map[string]string) string {
	if len(props) == 0 {
		return "-"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		list = append(list, shownName(name)+"="+shownName(props[name]))
	}
	return strings.Join(list, " ")
}
