package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gosocka/socka/cmd/socka/internal/rooms"
	"github.com/gosocka/socka/store"
)

const exportAbout = `Writes rooms to standard output or a file: a line that says what it is, one JSON
object a line for each room with its parts and logs in base64 and a checksum, and
a line that ends it. Each room is as it was at one moment, but not all at the
same one. The file has what users wrote, and secrets that rooms keep: it is made
for its owner alone. It is read by "socka store import".
`

func (c *storeCommand) export() error {
	kind := c.flags.String("kind", "", "rooms of this `kind` alone")
	path := c.flags.String("o", "", "write to this `file`, which must not be there yet")
	quiet := c.flags.Bool("quiet", false, "no progress")
	if err := c.parse("URL", exportAbout); err != nil {
		return err
	}
	if err := c.noMore(); err != nil {
		return err
	}
	return c.with(func(s store.Store) error {
		out, finish := c.stdout, func(err error) error { return err }
		if *path != "" {
			var err error
			if out, finish, err = newFile(*path); err != nil {
				return err
			}
		}
		p := c.progress(*quiet || *path == "" && isTerminal(c.stdout))
		count, err := rooms.Export(c.ctx, s, out, *kind, func(n rooms.Count) {
			p.tell("exported " + counted(n.Rooms, n.Bytes))
		})
		p.clear()
		err = finish(err)
		text := "exported " + counted(count.Rooms, count.Bytes)
		if err != nil {
			text += "; there are more: the file is not whole"
		}
		fmt.Fprintln(c.stderr, text)
		return err
	})
}

// newFile makes a file that nobody else may read. finish ends it.
func newFile(path string) (w io.Writer, finish func(error) error, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, fmt.Errorf("%s is there already: delete it, or choose another name with -o", path)
	}
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	}, nil
}

// progress is nil if nobody wants it.
func (c *storeCommand) progress(quiet bool) *progress {
	if quiet {
		return nil
	}
	return newProgress(c.stderr)
}
