package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gosocka/socka/store"
)

const storeUsage = `socka store looks into a store of rooms, and copies rooms from one to another.

Usage: socka store COMMAND [flags] URL [arguments]

  list      the rooms, and who has them
  show      one room as readable JSON
  export    write rooms to a file, one JSON object a line
  import    read such a file into a store
  delete    delete rooms
  owners    the processes that run rooms

URL is sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE. Others on this machine
can read a password in a command line: PGPASSWORD or ~/.pgpass may have it.

Examples:

  socka store list sqlite:rooms.db
  socka store list -kind chat -json sqlite:rooms.db
  socka store show sqlite:rooms.db chat/lobby
  socka store export -o rooms.jsonl sqlite:rooms.db
  socka store import -dry-run postgres://socka@db.internal/socka rooms.jsonl
  socka store export sqlite:rooms.db | gzip > rooms.jsonl.gz
  socka store delete sqlite:rooms.db chat/lobby chat/old
  socka store delete -kind chat -all sqlite:rooms.db
  socka store owners postgres://socka@db.internal/socka

Servers may run meanwhile. A room that one of them runs is shown and exported as
it was last saved, and is neither overwritten nor deleted.

socka store COMMAND -h lists the flags of a command.
`

// storeTool is the command with what it has of its surroundings.
type storeTool struct {
	open     func(ctx context.Context, url string, o openOptions) (store.Store, error)
	stdin    io.Reader
	terminal bool // stdin is one
}

func runStore(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := &storeTool{open: openStore, stdin: os.Stdin, terminal: isTerminal(os.Stdin)}
	return t.run(ctx, args, stdout, stderr)
}

var storeCommands = map[string]func(*storeCommand) error{
	"list":   (*storeCommand).list,
	"show":   (*storeCommand).show,
	"export": (*storeCommand).export,
	"import": (*storeCommand).importFile,
	"delete": (*storeCommand).delete,
	"owners": (*storeCommand).owners,
}

func (t *storeTool) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return &usageError{"a command is missing: list, show, export, import, delete or owners", "socka store -h"}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, storeUsage)
		return err
	}
	do := storeCommands[args[0]]
	if do == nil {
		return &usageError{fmt.Sprintf("there is no command %q: use list, show, export, import, delete or owners", args[0]), "socka store -h"}
	}
	c := &storeCommand{storeTool: t, ctx: ctx, name: args[0], args: args[1:], stdout: stdout, stderr: stderr, flags: flag.NewFlagSet("", flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard) // main prints errors
	c.flags.StringVar(&c.options.Schema, "schema", "", "`name` of the schema in Postgres (default socka)")
	err := do(c)
	return withoutSecrets(interrupted(ctx, err), args)
}

// interrupted is the error of a command, which has ended with ctx if that has ended.
func interrupted(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)):
		return errInterrupted
	}
	return fmt.Errorf("%w: %w", errInterrupted, err)
}

// storeCommand is one run of a command.
type storeCommand struct {
	*storeTool
	ctx            context.Context
	name           string
	args           []string
	stdout, stderr io.Writer
	flags          *flag.FlagSet
	options        openOptions
	url            string
	rest           []string // the arguments behind the URL
}

// wrong is an error of the command line.
func (c *storeCommand) wrong(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), "socka store " + c.name + " -h"}
}

// parse reads the command line. Flags may stand before, between and behind the arguments. usage is what follows the command in
// its help, and about what the help says besides.
func (c *storeCommand) parse(usage, about string) error {
	var all []string
	for rest := c.args; ; {
		if err := c.flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprintf(c.stdout, "Usage: socka store %s [flags] %s\n\n%s\n", c.name, usage, about)
				c.flags.SetOutput(c.stdout)
				c.flags.PrintDefaults()
				return err
			}
			return c.wrong("%v", err)
		}
		if c.flags.NArg() == 0 {
			break
		}
		all = append(all, c.flags.Arg(0))
		rest = c.flags.Args()[1:]
	}
	if len(all) == 0 {
		return c.wrong("the URL of the store is missing, such as sqlite:rooms.db")
	}
	c.url, c.rest = all[0], all[1:]
	return nil
}

// with opens the store for do.
func (c *storeCommand) with(do func(s store.Store) error) error {
	s, err := c.open(c.ctx, c.url, c.options)
	if err != nil {
		return err
	}
	err = do(s)
	return errors.Join(err, s.Close())
}

// keys reads names of rooms.
func (c *storeCommand) keys(names []string) ([]store.Key, error) {
	var keys []store.Key
	for _, n := range names {
		kind, name, ok := strings.Cut(n, "/")
		k := store.Key{Kind: kind, Name: name}
		if !ok {
			return nil, c.wrong("%q is no name of a room: it is KIND/NAME, such as chat/lobby", withoutPasswords(n, n))
		}
		if err := store.CheckKey(k); err != nil {
			return nil, c.wrong("%v", err)
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// leaver prints the rooms that a command leaves alone, the first of them.
type leaver struct {
	w io.Writer
	p *progress
	n int
}

// maxLeft is how many of them are printed.
const maxLeft = 50

func (l *leaver) left(what, why string) {
	if l.n++; l.n > maxLeft {
		return
	}
	l.p.clear()
	fmt.Fprintf(l.w, "%s: %s\n", what, why)
}

// done says how many there were besides.
func (l *leaver) done() {
	if l.n > maxLeft {
		fmt.Fprintf(l.w, "and %s more\n", number(int64(l.n-maxLeft)))
	}
}

// counted is a number of rooms and their bytes.
func counted(rooms, bytes int64) string {
	what := "rooms"
	if rooms == 1 {
		what = "room"
	}
	return fmt.Sprintf("%s %s, %s", number(rooms), what, sizeOf(bytes))
}

// sizeOf is a size that may be small.
func sizeOf(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	return bytesOf(float64(bytes))
}
