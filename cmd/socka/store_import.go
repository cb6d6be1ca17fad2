package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gosocka/socka/cmd/socka/internal/rooms"
	"github.com/gosocka/socka/store"
)

const importAbout = `Reads rooms that "socka store export" wrote into a store, from a file or, without
one or with -, from standard input. A file of SQLite is made if it is not there.
Rooms that are there with other contents are left alone unless there is -replace,
and rooms that a server runs always; the exit code is 1 then. After an interruption
run it again: what is there with the same contents is passed over.
`

func (c *storeCommand) importFile() error {
	var o rooms.ImportOptions
	c.flags.StringVar(&o.Kind, "kind", "", "rooms of this `kind` alone")
	c.flags.BoolVar(&o.Replace, "replace", false, "give rooms that are there the contents of the file")
	c.flags.BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and change nothing")
	quiet := c.flags.Bool("quiet", false, "no progress")
	if err := c.parse("URL [FILE]", importAbout); err != nil {
		return err
	}
	if len(c.rest) > 1 {
		return c.wrong("%d files are given: use one", len(c.rest))
	}
	in := c.stdin
	if len(c.rest) == 1 && c.rest[0] != "-" {
		f, err := os.Open(c.rest[0])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	} else if c.terminal {
		return c.wrong("the file is missing, and standard input is a terminal")
	}
	c.options.Create = !o.DryRun
	return c.with(func(s store.Store) error { return c.importFrom(s, in, &o, *quiet) })
}

func (c *storeCommand) importFrom(s store.Store, in io.Reader, o *rooms.ImportOptions, quiet bool) error {
	p := c.progress(quiet)
	l := &leaver{w: c.stderr, p: p}
	o.Left = l.left
	o.Tell = func(done *rooms.Imported) {
		p.tell(fmt.Sprintf("imported %s, passed over %s", counted(done.Written.Rooms, done.Written.Bytes), number(done.Same.Rooms)))
	}
	done, err := rooms.Import(c.ctx, s, in, o)
	p.clear()
	l.done()
	if _, printed := fmt.Fprintln(c.stdout, importedText(done, o.DryRun)); printed != nil {
		err = errors.Join(err, printed)
	}
	switch n := done.Left(); {
	case err != nil:
		return err
	case done.Cut:
		return errors.New("the file is not whole: it is cut off, or rooms are missing; export it again")
	case n > 0:
		text := "not everything in the file is in the store: " + number(n) + " left out, see above"
		if done.Exists.Rooms > 0 {
			text += "; -replace overwrites rooms that are there"
		}
		return errors.New(text)
	}
	return nil
}

// importedText says what was done, or would be.
func importedText(done *rooms.Imported, dry bool) string {
	verb := "imported "
	if dry {
		verb = "would import "
	}
	list := []string{verb + counted(done.Written.Rooms, done.Written.Bytes)}
	for _, more := range []struct {
		n    int64
		what string
	}{
		{done.Same.Rooms, "there already with the same contents"},
		{done.Exists.Rooms, "there already with other contents, left alone"},
		{done.Held.Rooms, "run by a server, left alone"},
		{done.Damaged, "damaged, left out"},
		{done.Other, "of other kinds"},
	} {
		if more.n > 0 {
			list = append(list, number(more.n)+" "+more.what)
		}
	}
	return strings.Join(list, "; ")
}
