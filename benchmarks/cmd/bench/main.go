// Command bench puts the contenders under the same loads, one after the other and run after run, and prints how they
// compare. Use run.sh, which builds and pins what this needs.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/launch"
	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/serve"
)

// limit ends a measurement that does not end by itself.
const limit = 3 * time.Minute

type options struct {
	runs  int
	times load.Times
	seed  uint64
	short bool
	only  *regexp.Regexp
	who   *regexp.Regexp
	write string
	note  string
	cpu   string

	profile string
}

func main() {
	var o options
	only := flag.String("only", "", "run only the scenarios whose names match this `expression`")
	who := flag.String("who", "", "run only the contenders whose names match this `expression`")
	flag.IntVar(&o.runs, "runs", 3, "how often everything is measured")
	flag.DurationVar(&o.times.Measure, "measure", 3*time.Second, "length of one measurement")
	flag.DurationVar(&o.times.Warm, "warm", time.Second, "load before it")
	flag.Uint64Var(&o.seed, "seed", 1, "of the order of contenders")
	flag.BoolVar(&o.short, "short", false, "one run of small loads: shows that everything works, nothing of how fast it is")
	flag.StringVar(&o.write, "write", "", "write a page in Markdown to this `file`")
	flag.StringVar(&o.note, "note", "", "a `sentence` for that page, such as what else ran on the machine")
	flag.StringVar(&o.cpu, "cpu", "", "the processor that servers are pinned to (taskset); default: not pinned")
	flag.StringVar(&o.profile, "profile", "", "write CPU profiles of the load, and of the servers that are written in Go, to this `folder`; they cost some speed")
	flag.Parse()
	if err := o.run(*only, *who); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run(only, who string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if o.who, err = regexp.Compile(who); err != nil {
		return fmt.Errorf("-who: %w", err)
	}
	if o.short {
		if o.write != "" {
			return fmt.Errorf("-short measures nothing that is worth writing to %s", o.write)
		}
		o.runs, o.times = 1, load.Times{Warm: 100 * time.Millisecond, Measure: 200 * time.Millisecond}
	}
	if o.runs < 1 || o.times.Measure < 10*time.Millisecond || o.times.Warm < 0 {
		return fmt.Errorf("-runs %d -measure %v -warm %v: want at least 1, 10ms and 0", o.runs, o.times.Measure, o.times.Warm)
	}
	folder, err := launch.Folder()
	if err != nil {
		return err
	}
	serve.RaiseFileLimit()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	all, failures, err := o.measure(ctx, folder)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	o.tables(&page, all)
	fmt.Print("\n", page.String())
	if len(failures) > 0 {
		return fmt.Errorf("%d measurements failed; the first: %w", len(failures), failures[0])
	}
	if o.write == "" {
		return nil
	}
	var full bytes.Buffer
	if err := o.introduction(&full, folder); err != nil {
		return err
	}
	full.Write(page.Bytes())
	return os.WriteFile(o.write, full.Bytes(), 0o644)
}

// measure goes through all scenarios, -runs times. Contenders take turns within a scenario, in an order of chance.
func (o *options) measure(ctx context.Context, folder string) (all results, failures []error, err error) {
	chance := rand.New(rand.NewPCG(o.seed, 0))
	all = make(results)
	for run := range o.runs {
		for _, s := range scenarios(o.times, o.short) {
			if !o.only.MatchString(s.name) {
				continue
			}
			if all[s.name] == nil {
				all[s.name] = make(map[string][]load.Result)
			}
			order := slices.DeleteFunc(slices.Clone(s.who), func(name string) bool { return !o.who.MatchString(name) })
			chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, name := range order {
				r, err := o.one(ctx, folder, s, name)
				if ctx.Err() != nil {
					return nil, nil, ctx.Err()
				}
				if err != nil {
					err = fmt.Errorf("%s, %s: %w", s.name, name, err)
					fmt.Fprintln(os.Stderr, err)
					failures = append(failures, err)
					continue
				}
				all[s.name][name] = append(all[s.name][name], r)
				fmt.Printf("run %d  %-21s %-14s %s\n", run+1, s.name, name, s.line(r))
			}
		}
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("-only %v matches no scenario", o.only)
	}
	return all, failures, nil
}

// one measures a contender in a process of its own.
func (o *options) one(ctx context.Context, folder string, s scenario, name string) (r load.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := contenders[slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })]
	p, err := launch.Start(ctx, folder, o.cpu, c.command, c.dialect)
	if err != nil {
		return r, err
	}
	profiled := make(chan error, 1)
	if o.profile != "" && c.command[0] != "node" && s.unit != "" {
		go func() { profiled <- o.takeProfile(ctx, p.Server, s.name+"-"+c.file()) }()
	} else {
		profiled <- nil
	}
	r, err = o.withProfile(s.name+"-"+c.file()+"-load", func() (load.Result, error) { return s.load.Run(ctx, p.Server) })
	if failed := <-profiled; err == nil {
		err = failed
	}
	if stopped := p.Stop(); err == nil {
		err = stopped
	}
	return r, err
}

// takeProfile profiles a server while the load is on it.
func (o *options) takeProfile(ctx context.Context, server load.Server, name string) error {
	profile, err := load.Profile(ctx, server, o.times.Warm+o.times.Measure)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return o.keepProfile(name, profile)
}

// withProfile profiles this program.
func (o *options) withProfile(name string, run func() (load.Result, error)) (load.Result, error) {
	if o.profile == "" {
		return run()
	}
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		return load.Result{}, err
	}
	r, err := run()
	pprof.StopCPUProfile()
	if kept := o.keepProfile(name, profile.Bytes()); err == nil {
		err = kept
	}
	return r, err
}

func (o *options) keepProfile(name string, profile []byte) error {
	if err := os.MkdirAll(o.profile, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.profile, name+".pprof"), profile, 0o644)
}

// line is a result in short.
func (s scenario) line(r load.Result) string {
	if s.unit == "" {
		return fmt.Sprintf("%8.2f KiB resident  heap %6.2f KiB  stacks %5.2f KiB", r.KiB, r.HeapKiB, r.StackKiB)
	}
	text := fmt.Sprintf("%8.2f µs CPU %10.0f/s  p50 %9s  p99 %9s  server %.2f  load %.2f  others %.2f",
		us(r), r.Rate, ms(r.P50), ms(r.P99), r.Server(), r.Load, r.Others)
	if r.Delivered > 0 {
		text += fmt.Sprintf("  delivered %.1f %%", 100*r.Delivered)
	}
	return text
}

func us(r load.Result) float64 { return float64(r.CPU) / float64(time.Microsecond) }

func ms(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
