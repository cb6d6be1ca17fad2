package main

import (
	"github.com/gosocka/socka/cmd/socka/internal/rooms"
	"github.com/gosocka/socka/store"
)

const showAbout = `Shows a room as it was last saved, as JSON: who has it, when it wants to be woken,
and its parts and logs, each with what its header says and its value. The state
is shown with the patches that were saved since applied to it. What is not in
this project's form is shown as base64.
`

func (c *storeCommand) show() error {
	if err := c.parse("URL KIND/NAME", showAbout); err != nil {
		return err
	}
	keys, err := c.keys(c.rest)
	if err != nil {
		return err
	}
	if len(keys) != 1 {
		return c.wrong("%d rooms are given: use one, KIND/NAME, behind the URL", len(keys))
	}
	return c.with(func(s store.Store) error {
		live, err := rooms.LiveOwners(c.ctx, s)
		if err != nil {
			return err
		}
		r, err := s.Load(c.ctx, keys[0])
		if err != nil {
			return err
		}
		text, err := rooms.Show(r, live)
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(text)
		return err
	})
}
