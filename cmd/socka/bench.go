package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gosocka/socka/cmd/socka/internal/load"
	"github.com/gosocka/socka/wire"
)

const benchUsage = `socka bench puts load on a socka server and measures what comes back.

Usage: socka bench SCENARIO [flags] URL
       socka bench server [flags]

  calls       connections that call and wait for the answers
  broadcast   one room, some of whose members publish to all
  rooms       many small rooms, in each of which a member publishes
  idle        connections that do nothing: what one of them costs
  churn       sessions that connect, call once and leave
  server      serve a room that the scenarios can measure, without limits

URL is that of a room, {prefix}/{kind}/{room}; with several rooms, -0, -1 and so
on are appended to it. Without -call and -push the server must have the contract
of "socka bench server".

Examples:

  socka bench server                              in one terminal; it prints its PID
  socka bench calls ws://localhost:3451/bench/load
  socka bench calls -depth 16 -size 1024 -wire msgpack ws://localhost:3451/bench/load
  socka bench broadcast -connections 1000 -rate 20 ws://localhost:3451/bench/load
  socka bench rooms -rooms 1000 -connections 4 -rate 10 ws://localhost:3451/bench/load
  socka bench idle -connections 10000 -pid 4711 ws://localhost:3451/bench/load
  socka bench calls -json result.json -pid 4711 ws://localhost:3451/bench/load

  any server, here the chat of the demo (whose limit is 200 calls per second):
  socka bench broadcast -call sendMessage -body '{"text":"{n}"}' -push roomMessage \
      -rate 100 'ws://localhost:3450/ws/chat/lobby?name=load'

With -rate the loop is open: a call has a time at which it is due, and its latency
counts from then, also if it could only be sent later. Without it the loop is
closed: a connection sends as soon as one of its -depth calls is answered, and the
latency is that of the call alone, at whatever rate that comes to.

socka bench SCENARIO -h lists the flags of a scenario.
`

// defaults of the flags that depend on the scenario.
var scenarios = map[load.Scenario]load.Config{
	load.Calls:     {Connections: 100, Rooms: 1, Depth: 1, Call: "echo"},
	load.Broadcast: {Connections: 100, Rooms: 1, Depth: 16, Publishers: 1, Call: "publish", Push: "message"},
	load.Rooms:     {Connections: 4, Rooms: 100, Depth: 16, Publishers: 1, Rate: 10, Call: "publish", Push: "message"},
	load.Idle:      {Connections: 1000, Rooms: 1, Depth: 1},
	load.Churn:     {Connections: 10, Rooms: 1, Depth: 1, Call: "echo"},
}

// What the drain and the connecting of one connection may take.
const (
	drainTime   = 2 * time.Second
	connectTime = 10 * time.Second
)

func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return &usageError{"a scenario is missing: calls, broadcast, rooms, idle or churn", "socka bench -h"}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, benchUsage)
		return err
	case "server":
		return benchServer(ctx, args[1:], stdout, stderr)
	}
	scenario := load.Scenario(args[0])
	if _, ok := scenarios[scenario]; !ok {
		return &usageError{fmt.Sprintf("there is no scenario %q: use calls, broadcast, rooms, idle or churn", args[0]), "socka bench -h"}
	}
	cfg, out, err := benchFlags(scenario, args[1:], stdout)
	if err != nil {
		return err
	}
	// A larger heap for fewer collections: the memory of the tool is small, its CPU time is what must not be in the way.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var p *progress
	if !out.quiet {
		p = newProgress(stderr)
		cfg.Progress = p.tell
	}
	rep, err := load.Run(ctx, cfg)
	p.clear()
	if err != nil {
		return err
	}
	if err := out.write(rep, stdout); err != nil {
		return err
	}
	return verdict(rep)
}

// verdict says whether what was measured went well.
func verdict(rep *load.Report) error {
	if rep.Interrupted {
		return fmt.Errorf("%w after %.1f s of measuring", errInterrupted, rep.Seconds)
	}
	var failed int64
	for _, c := range []*load.Counts{rep.Calls, rep.Sessions} {
		if c != nil {
			failed += c.Failed + c.Unexpected
		}
	}
	if main := rep.Main(); main != nil && main.Done == 0 {
		return errors.New("nothing was done at all: no answer or push has come")
	}
	if failed > 0 || rep.Lost > 0 {
		return fmt.Errorf("%d failed, %d connections lost: see the errors above", failed, rep.Lost)
	}
	return nil
}

// output is where the results go.
type output struct {
	json  string
	quiet bool
}

func (o output) write(rep *load.Report, stdout io.Writer) error {
	if o.json != "-" {
		if err := table(stdout, rep); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if o.json == "-" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(o.json, text, 0o644)
}

// benchFlags reads the command line of a scenario.
func benchFlags(scenario load.Scenario, args []string, stdout io.Writer) (load.Config, output, error) {
	cfg := scenarios[scenario]
	cfg.Scenario, cfg.Drain, cfg.Timeout, cfg.Header = scenario, drainTime, connectTime, http.Header{}
	cfg.Number = "n"
	help := "socka bench " + string(scenario) + " -h"
	calls, pushes := scenario != load.Idle, scenario == load.Broadcast || scenario == load.Rooms
	var out output
	var size int

	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints errors
	switch scenario {
	case load.Broadcast, load.Rooms:
		f.IntVar(&cfg.Connections, "connections", cfg.Connections, "members of each room")
		f.IntVar(&cfg.Publishers, "publishers", cfg.Publishers, "how many members of each room publish")
	case load.Churn:
		f.IntVar(&cfg.Connections, "connections", cfg.Connections, "sessions at a time")
	default:
		f.IntVar(&cfg.Connections, "connections", cfg.Connections, "connections in all")
	}
	if scenario != load.Broadcast {
		f.IntVar(&cfg.Rooms, "rooms", cfg.Rooms, "rooms that the connections are spread over")
	}
	if calls {
		what := map[load.Scenario]string{load.Calls: "calls per second in all", load.Broadcast: "publishes per second", load.Rooms: "publishes per second of each room", load.Churn: "sessions per second"}[scenario]
		f.Float64Var(&cfg.Rate, "rate", cfg.Rate, what+"; 0: as fast as answers come")
		f.StringVar(&cfg.Call, "call", cfg.Call, "`name` of the call, which must be answered")
		f.StringVar(&cfg.Body, "body", "", "`JSON` object that the call carries; {n} in it becomes a number (default the text of -size)")
		f.IntVar(&size, "size", 64, "`bytes` of text in the default body")
	}
	if calls && scenario != load.Churn {
		f.IntVar(&cfg.Depth, "depth", cfg.Depth, "unanswered calls of one connection, at most 4,096; with -rate use 16 or more")
	}
	if pushes {
		f.StringVar(&cfg.Push, "push", cfg.Push, "`name` of the push that a publish causes at every member")
		f.StringVar(&cfg.Number, "number", cfg.Number, "`field` of the push that has the number of {n}, from which its latency is told")
	}
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second, "how long to measure, at most 24h")
	f.DurationVar(&cfg.Warmup, "warmup", time.Second, "how long to run before that")
	f.Func("wire", "encoding, `json or msgpack` (default json)", func(s string) (err error) {
		cfg.Wire, err = wire.ParseFormat(s)
		return err
	})
	f.Func("header", "`'Name: value'` of the upgrade request, such as Authorization or Origin; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(s, "\r\n") {
			return errors.New("use 'Name: value'")
		}
		cfg.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	f.BoolVar(&cfg.Insecure, "insecure", false, "take any TLS certificate")
	f.IntVar(&cfg.PID, "pid", 0, "process `id` of the server, on this machine: its CPU time and memory are measured too (Linux)")
	f.StringVar(&out.json, "json", "", "also write the results to `file` as JSON; - is standard output, in place of the table")
	f.BoolVar(&out.quiet, "quiet", false, "no progress")

	// The URL may stand between flags too.
	var urls []string
	for rest := args; ; {
		if err := f.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprintf(stdout, "Usage: socka bench %s [flags] URL\n\n", scenario)
				f.SetOutput(stdout)
				f.PrintDefaults()
				return cfg, out, err
			}
			return cfg, out, &usageError{err.Error(), help}
		}
		if f.NArg() == 0 {
			break
		}
		urls = append(urls, f.Arg(0))
		rest = f.Args()[1:]
	}
	if len(urls) != 1 {
		return cfg, out, &usageError{fmt.Sprintf("%d URLs are given: use one, that of a room, such as ws://localhost:3451/bench/load", len(urls)), help}
	}
	cfg.URL = urls[0]
	if size < 0 || size > 1<<20 {
		return cfg, out, &usageError{fmt.Sprintf("-size %d: use 0 to 1048576", size), help}
	}
	switch text := strings.Repeat("x", size); {
	case cfg.Body != "" || !calls:
	case pushes:
		cfg.Body = `{"text":"` + text + `","n":{n}}`
	default:
		cfg.Body = `{"text":"` + text + `"}`
	}
	if err := cfg.Check(); err != nil {
		return cfg, out, &usageError{err.Error(), help}
	}
	return cfg, out, nil
}
