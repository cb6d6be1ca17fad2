// Command scale measures how the costs of Socka grow with its connections, rooms and members, and writes the tables of
// docs/scaling.md. Use run.sh -scale, which builds and pins what this needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/launch"
	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/machine"
	"github.com/gosocka/socka/benchmarks/internal/page"
	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/gosocka/socka/wire"
)

// limit ends a measurement that does not end by itself.
const limit = 5 * time.Minute

type options struct {
	runs  int
	times load.Times
	short bool
	only  *regexp.Regexp
	write string
	note  string
	cpu   string
}

func main() {
	var o options
	only := flag.String("only", "", "measure only the parts whose names match this `expression`")
	flag.IntVar(&o.runs, "runs", 3, "how often everything is measured")
	flag.DurationVar(&o.times.Measure, "measure", 3*time.Second, "length of one measurement")
	flag.DurationVar(&o.times.Warm, "warm", time.Second, "load before it")
	flag.BoolVar(&o.short, "short", false, "one run of small loads: shows that everything works, nothing of how fast it is")
	flag.StringVar(&o.write, "write", "", "put the tables between the two marks of this `file`")
	flag.StringVar(&o.note, "note", "", "a `sentence` for that page, such as what else ran on the machine")
	flag.StringVar(&o.cpu, "cpu", "", "the processor that the server is pinned to (taskset); default: not pinned")
	flag.Parse()
	if err := o.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func (o *options) run(only string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if o.runs < 1 || o.times.Measure < 10*time.Millisecond || o.times.Warm < 0 {
		return fmt.Errorf("-runs %d -measure %v -warm %v: want at least 1, 10ms and 0", o.runs, o.times.Measure, o.times.Warm)
	}
	s := full(o.times)
	if o.short {
		if o.write != "" {
			return fmt.Errorf("-short measures nothing that is worth writing to %s", o.write)
		}
		s, o.runs = short(), 1
	}
	if o.write != "" { // before minutes of measuring
		if err := page.Check(o.write, begin); err != nil {
			return err
		}
	}
	folder, err := launch.Folder()
	if err != nil {
		return err
	}
	serve.RaiseFileLimit()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	var missing, more string
	s.connections, missing = fit(s.connections, int(min(files.Cur, 1<<30)))
	s.members, more = fit(s.members, int(min(files.Cur, 1<<30)))
	if missing == "" {
		missing = more
	}
	if missing != "" {
		fmt.Fprintln(os.Stderr, missing)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var text strings.Builder
	o.head(&text, missing)
	all := make(results)
	for _, p := range s.parts() {
		if !o.only.MatchString(p.name) {
			continue
		}
		figures, err := o.measure(ctx, folder, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all[p.name] = measurements{p, figures}
		p.table(&text, figures)
	}
	if len(all) == 0 {
		return fmt.Errorf("-only %v matches no part", o.only)
	}
	all.example(&text)
	fmt.Print("\n", text.String())
	if o.write == "" {
		return nil
	}
	return page.Write(o.write, begin, text.String())
}

// measure gives the medians of the runs, by row and column.
func (o *options) measure(ctx context.Context, folder string, p part) (figures [][]float64, err error) {
	all := make([][][]float64, len(p.rows)) // row, column, run
	for run := range o.runs {
		for i, r := range p.rows {
			got, err := o.one(ctx, folder, r)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", page.Count(r.count), p.counted, err)
			}
			if all[i] == nil {
				all[i] = make([][]float64, len(p.columns))
			}
			line := fmt.Sprintf("run %d  %-18s %7s %-16s", run+1, p.name, page.Count(r.count), p.counted)
			for c, column := range p.columns {
				all[i][c] = append(all[i][c], got[c])
				line += fmt.Sprintf("  %s %.*f", column.title, column.digits, got[c])
			}
			fmt.Println(line)
		}
	}
	for _, columns := range all {
		var medians []float64
		for _, c := range columns {
			medians = append(medians, load.Median(c))
		}
		figures = append(figures, medians)
	}
	return figures, nil
}

// one measures a row in a process of its own.
func (o *options) one(ctx context.Context, folder string, r row) (figures []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	p, err := launch.Start(ctx, folder, o.cpu, []string{"bin/socka"}, load.Socka(wire.JSON))
	if err != nil {
		return nil, err
	}
	figures, err = r.run(ctx, p.Server)
	if stopped := p.Stop(); err == nil {
		err = stopped
	}
	return figures, err
}

// head says when, how and where was measured.
func (o *options) head(w *strings.Builder, missing string) {
	pinned := "not pinned"
	if o.cpu != "" {
		pinned = "one for the server, another for the load"
	}
	fmt.Fprintf(w, "| | |\n|---|---|\n| measured | %s |\n| runs | %d of %v after %v, of which medians; bodies of %d B, JSON |\n%s| used | %s |\n",
		time.Now().UTC().Format(time.DateOnly), o.runs, o.times.Measure, o.times.Warm, size, machine.Rows(), pinned)
	for _, note := range []string{missing, o.note} {
		if note != "" {
			fmt.Fprintf(w, "\n%s\n", note)
		}
	}
}
