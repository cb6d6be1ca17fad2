package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gosocka/socka/cmd/socka/internal/rooms"
	"github.com/gosocka/socka/store"
)

const deleteAbout = `Deletes rooms with everything that is kept of them: those that are named, or with
-kind and -all all of a kind. It asks before, unless there is -yes. Rooms that a
server runs are left alone; stop the server first, or close the room there.
`

func (c *storeCommand) delete() error {
	kind := c.flags.String("kind", "", "with -all, rooms of this `kind`")
	all := c.flags.Bool("all", false, "all rooms of -kind")
	yes := c.flags.Bool("yes", false, "do not ask")
	quiet := c.flags.Bool("quiet", false, "no progress")
	if err := c.parse("URL KIND/NAME…", deleteAbout); err != nil {
		return err
	}
	keys, err := c.keys(c.rest)
	switch {
	case err != nil:
		return err
	case *all != (*kind != ""):
		return c.wrong("-kind and -all go together: all rooms of a kind")
	case *all && len(keys) > 0:
		return c.wrong("rooms are named, and -all is given: use one of the two")
	case !*all && len(keys) == 0:
		return c.wrong("no room is named: use KIND/NAME, or -kind KIND -all")
	case !*yes && !c.terminal:
		return c.wrong("nobody can be asked, as standard input is no terminal: add -yes")
	}
	return c.with(func(s store.Store) error {
		what := number(int64(len(keys))) + " rooms"
		if len(keys) == 1 {
			what = "room " + shownName(keys[0].String())
		}
		if *all {
			var n rooms.Count
			for e, err := range rooms.All(c.ctx, s, *kind, store.Key{}) {
				if err != nil {
					return err
				}
				keys = append(keys, e.Key)
				n.Rooms++
				n.Bytes += e.Bytes
			}
			if n.Rooms == 0 {
				return fmt.Errorf("there are no rooms of kind %s", shownName(*kind))
			}
			what = fmt.Sprintf("all %s of kind %s", counted(n.Rooms, n.Bytes), shownName(*kind))
		}
		if !*yes {
			if err := c.confirm("Delete " + what + "? This cannot be undone. Type yes: "); err != nil {
				return err
			}
		}
		return c.deleteRooms(s, keys, *quiet)
	})
}

func (c *storeCommand) deleteRooms(s store.Store, keys []store.Key, quiet bool) error {
	p := c.progress(quiet)
	l := &leaver{w: c.stderr, p: p}
	done, err := rooms.Delete(c.ctx, s, keys, l.left, func(d rooms.Deleted) { p.tell("deleted " + number(d.Gone) + " rooms") })
	p.clear()
	l.done()
	text := fmt.Sprintf("deleted %s of %s", number(done.Gone), number(int64(len(keys))))
	if _, printed := fmt.Fprintln(c.stdout, text); printed != nil {
		err = errors.Join(err, printed)
	}
	if err == nil && done.Held+done.Missing > 0 {
		err = fmt.Errorf("%s not deleted, see above", number(done.Held+done.Missing))
	}
	return err
}

// confirm asks a question, and fails unless the answer is yes.
func (c *storeCommand) confirm(question string) error {
	fmt.Fprint(c.stderr, question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case text := <-answer:
		if strings.EqualFold(text, "yes") {
			return nil
		}
		return errors.New("nothing was deleted: the answer was not yes")
	case <-c.ctx.Done():
		fmt.Fprintln(c.stderr)
		return context.Cause(c.ctx)
	}
}
