package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/launch"
	"github.com/gosocka/socka/benchmarks/internal/page"
	"github.com/gosocka/socka/benchmarks/internal/serve"
)

// mark is how the line begins from which on the page is this program's.
const mark = "<!-- Written by benchmarks/run.sh -store from here"

type options struct {
	runs    int
	sizes   sizes
	seed    uint64
	short   bool
	only    *regexp.Regexp
	who     *regexp.Regexp
	write   string
	note    string
	dir     string
	profile string
	quiet   float64

	folder   string
	database *database // nil: there is none
	serial   int
}

func main() {
	var o options
	var measure, warm time.Duration
	only := flag.String("only", "", "measure only the parts whose names match this `expression`")
	who := flag.String("who", "", "measure only what matches this `expression`, such as postgres or eachturn")
	flag.IntVar(&o.runs, "runs", 5, "how often everything is measured")
	flag.DurationVar(&measure, "measure", 2*time.Second, "length of one measurement")
	flag.DurationVar(&warm, "warm", 500*time.Millisecond, "load before it")
	flag.Uint64Var(&o.seed, "seed", 1, "of the order of measurements")
	flag.BoolVar(&o.short, "short", false, "one run of small loads: shows that everything works, nothing of how fast it is")
	flag.StringVar(&o.write, "write", "", "put the tables between the two marks of this `file`")
	flag.StringVar(&o.note, "note", "", "a `sentence` for that page, such as what else ran on the machine")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "a `folder` on the disk that databases are on")
	flag.StringVar(&o.profile, "profile", "", "write CPU profiles to this `folder`; they cost some speed")
	flag.Float64Var(&o.quiet, "quiet", 0, "wait until other programs use no more `processors` than this, and measure again if they did meanwhile; 0: do not")
	task := flag.String("task", "", "used by this program itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *task != "" {
		serve.RaiseFileLimit()
		err = carryOut(ctx, *task)
	} else {
		o.sizes = full(warm, measure)
		err = o.run(ctx, *only, *who)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context, only, who string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if o.who, err = regexp.Compile(who); err != nil {
		return fmt.Errorf("-who: %w", err)
	}
	if o.runs < 1 || o.sizes.measure < 10*time.Millisecond || o.sizes.warm < 0 {
		return fmt.Errorf("-runs %d -measure %v -warm %v: want at least 1, 10ms and 0", o.runs, o.sizes.measure, o.sizes.warm)
	}
	if o.short {
		if o.write != "" {
			return fmt.Errorf("-short measures nothing that is worth writing to %s", o.write)
		}
		o.sizes, o.runs = short(), 1
	}
	if o.write != "" { // before minutes of measuring
		if err := page.Check(o.write, mark); err != nil {
			return err
		}
	}
	if o.folder, err = launch.Folder(); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "socka-benchmarks-"); err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(o.dir); err == nil {
			err = removed
		}
	}()
	if err := os.Setenv("TMPDIR", filepath.Dir(o.dir)); err != nil { // where Postgres is put
		return err
	}
	serve.RaiseFileLimit()
	var settings []string
	if o.short {
		settings = []string{"fsync=off"}
	}
	o.database, err = startPostgres(settings...)
	switch {
	case errors.Is(err, errMissing):
		fmt.Fprintln(os.Stderr, "without Postgres:", err)
	case err != nil:
		return err
	default:
		defer func() {
			if closed := o.database.close(); err == nil {
				err = closed
			}
		}()
	}
	text, err := o.measure(ctx)
	if err != nil {
		return err
	}
	head, err := o.head()
	if err != nil {
		return err
	}
	fmt.Print(head + text)
	if o.write == "" {
		return nil
	}
	return page.Write(o.write, mark, head+text)
}

// measure goes through all parts and gives their tables. Within a run what is compared is measured one after the other, in an
// order of chance.
func (o *options) measure(ctx context.Context) (string, error) {
	chance := rand.New(rand.NewPCG(o.seed, 0))
	var tables []string
	for _, p := range parts(o.sizes, o.database != nil) {
		if !o.only.MatchString(p.name) {
			continue
		}
		all := make(results)
		runs := o.runs
		if p.runs > 0 {
			runs = min(runs, p.runs)
		}
		for run := range runs {
			for _, group := range p.groups {
				group = o.chosen(group)
				chance.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
				for _, m := range group {
					f, err := o.calm(ctx, p.name, m)
					if ctx.Err() != nil {
						return "", ctx.Err()
					}
					if err != nil {
						return "", fmt.Errorf("%s, %s: %w", p.name, m.key, err)
					}
					all[m.key] = append(all[m.key], f)
					fmt.Fprintf(os.Stderr, "run %d  %-9s %-32s %s\n", run+1, p.name, m.key, f)
				}
			}
		}
		if len(all) > 0 {
			tables = append(tables, p.write(all))
		}
	}
	if len(tables) == 0 {
		return "", errors.New("-only and -who match nothing")
	}
	return strings.Join(tables, ""), nil
}

func (o *options) chosen(group []member) (list []member) {
	for _, m := range group {
		if o.who.MatchString(m.key) {
			list = append(list, m)
		}
	}
	return list
}

// one makes a measurement, on a database of its own.
func (o *options) one(ctx context.Context, part string, m member) (f figures, err error) {
	t := m.task
	o.serial++
	t.Folder, t.Dir = o.folder, filepath.Join(o.dir, fmt.Sprint(o.serial))
	if o.profile != "" {
		if t.Profile, err = filepath.Abs(filepath.Join(o.profile, strings.NewReplacer(" ", "-", "/", "-").Replace(part+" "+m.key)+".pprof")); err != nil {
			return f, err
		}
	}
	if err := os.Mkdir(t.Dir, 0o755); err != nil {
		return f, err
	}
	defer func() {
		if removed := os.RemoveAll(t.Dir); err == nil {
			err = removed
		}
	}()
	switch t.Store {
	case "sqlite":
		t.Address = "sqlite:" + filepath.Join(t.Dir, "rooms.db")
	case "postgres":
		if t.Postgres, err = o.database.pid(); err != nil {
			return f, err
		}
		before, err := o.database.syncs()
		if err != nil {
			return f, err
		}
		err = o.database.with(func(url string) error {
			t.Address = url
			f, err = t.run(ctx)
			return err
		})
		if err != nil {
			return f, err
		}
		after, err := o.database.syncs()
		if f.Calls > 0 {
			f.Syncs = (after - before) / f.Calls * f.Commits
		}
		return f, err
	default:
		t.Address = t.Store
	}
	return t.run(ctx)
}
