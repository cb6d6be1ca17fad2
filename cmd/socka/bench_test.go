package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gosocka/socka/cmd/socka/internal/load"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/examples/bench"
	"github.com/gosocka/socka/room"
)

// serve runs a server of the bench contract and returns the URL of a room.
func serve(t *testing.T, opts *room.Options, maxSessions int) string {
	t.Helper()
	def := bench.Definition()
	def.MaxSessions = maxSessions
	opts.Logger = slog.New(slog.DiscardHandler)
	rooms, err := room.NewServer(opts, def)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(rooms)
	t.Cleanup(func() {
		if err := rooms.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http") + "/bench/load"
}

// socka runs a command line.
func socka(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// short are the flags of a short measurement whose results are printed as JSON.
func short(scenario string, args ...string) []string {
	return append([]string{"bench", scenario, "-duration", "150ms", "-warmup", "20ms", "-json", "-"}, args...)
}

func measure(t *testing.T, args ...string) *load.Report {
	t.Helper()
	code, stdout, stderr := socka(t, args...)
	rep := new(load.Report)
	if err := json.Unmarshal([]byte(stdout), rep); code != 0 || err != nil {
		t.Fatalf("socka %v: exit code %d, %v\n%s%s", args, code, err, stdout, stderr)
	}
	return rep
}

// consistent checks what must hold of every undisturbed run, however fast it is.
func consistent(t *testing.T, name string, c *load.Counts) {
	t.Helper()
	switch {
	case c == nil:
		t.Fatalf("%s are not reported", name)
	case c.Done == 0 || c.Done != c.Sent || c.Failed+c.Missing+c.Unexpected != 0:
		t.Errorf("%s: %+v", name, c)
	case c.Window > c.Done || (c.Window == 0) != (c.PerSecond == 0):
		t.Errorf("%s: window %d of %d, %v per second", name, c.Window, c.Done, c.PerSecond)
	}
	if l := c.Latency; l != nil && (l.Count > uint64(c.Done+c.Unsent) || !slices.IsSorted([]float64{0, l.Min, l.P50, l.P90, l.P99, l.P999, l.Max})) {
		t.Errorf("%s: latencies %+v", name, l)
	}
}

func TestScenarios(t *testing.T) {
	url := serve(t, benchOptions(io.Discard), -1)
	pid := strconv.Itoa(os.Getpid())
	for _, wire := range []string{"json", "msgpack"} {
		t.Run(wire, func(t *testing.T) {
			rep := measure(t, append(short("calls", "-connections", "5", "-depth", "8", "-size", "300"), "-wire", wire, url)...)
			consistent(t, "calls", rep.Calls)
			if rep.Connections != 5 || rep.Depth != 8 || rep.BodyBytes < 300 || rep.Wire != wire || rep.Rate != 0 || rep.Late != nil {
				t.Errorf("calls: %+v", rep)
			}

			rep = measure(t, append(short("broadcast", "-connections", "20", "-publishers", "2"), "-wire", wire, url)...)
			consistent(t, "publishes", rep.Calls)
			consistent(t, "pushes", rep.Pushes)
			if rep.Pushes.Done != 20*rep.Calls.Done {
				t.Errorf("%d publishes to 20 members came as %d pushes", rep.Calls.Done, rep.Pushes.Done)
			}

			rep = measure(t, append(short("rooms", "-rooms", "7", "-connections", "3", "-rate", "50", "-pid", pid), "-wire", wire, url)...)
			consistent(t, "publishes", rep.Calls)
			consistent(t, "pushes", rep.Pushes)
			if rep.Connections != 21 || rep.Rate != 350 || rep.Pushes.Done != 3*rep.Calls.Done || rep.Late == nil {
				t.Errorf("rooms: %+v", rep)
			}
			// 350 a second for 170 ms; each publisher begins at its own time.
			if due := rep.Calls.Sent + rep.Calls.Unsent; due < 53 || due > 67 {
				t.Errorf("rooms: %d publishes were due", due)
			}
			if n := rep.Calls.Latency.Count; n < 46 || n > 60 {
				t.Errorf("rooms: %d publishes were due in the window", n)
			}
		})
	}
	t.Run("idle", func(t *testing.T) {
		rep := measure(t, short("idle", "-connections", "30", "-pid", pid, url)...)
		if rep.Calls != nil || rep.Pushes != nil || rep.Lost != 0 || rep.Connections != 30 || rep.Main() != nil {
			t.Errorf("idle: %+v", rep)
		}
	})
	t.Run("churn", func(t *testing.T) {
		for _, rate := range []string{"0", "200"} {
			rep := measure(t, short("churn", "-connections", "4", "-rooms", "2", "-rate", rate, url)...)
			consistent(t, "sessions", rep.Sessions)
			if rep.Connects == nil || rep.Calls.Done != rep.Sessions.Done {
				t.Errorf("churn: %+v", rep)
			}
		}
	})
	t.Run("any server", func(t *testing.T) {
		rep := measure(t, short("broadcast", "-connections", "3", "-call", "publish", "-push", "message", "-body", `{"n":{n},"text":"it is {n}"}`, url)...)
		consistent(t, "pushes", rep.Pushes)
	})
}

// The names in the JSON output are an interface: who reads it relies on them.
func TestJSONShape(t *testing.T) {
	url := serve(t, benchOptions(io.Discard), -1)
	file := filepath.Join(t.TempDir(), "out.json")
	args := []string{"bench", "rooms", "-duration", "150ms", "-rooms", "2", "-rate", "100", "-quiet", "-json", file, url + "?token=secret"}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		args = append(args, "-pid", strconv.Itoa(os.Getpid()))
	} else {
		t.Skip("there is no /proc here, so not everything is reported")
	}
	code, stdout, stderr := socka(t, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"rooms ", "publishes ", "pushes ", "p99.9 ", "sent late by ", "server ", "µs per push", "this tool "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table does not have %q:\n%s", want, stdout)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text)+stdout, "secret") {
		t.Error("the query of the URL is printed")
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	counts := "done failed latency{count max mean min p50 p90 p99 p999} missing perSecond sent unexpected unsent window"
	want := "{bodyBytes bytesPerConnection calls{" + counts + "} connectSeconds connections cpus depth errors interrupted " +
		"late{count max mean min p50 p90 p99 p999} lost publishers pushes{" + counts + "} rate rooms scenario seconds " +
		"self{cores cpuMicros cpuSeconds rssBytes} server{cores cpuMicros cpuSeconds pid rssBytes} url warmupSeconds wire}"
	if got := shape(v); got != want {
		t.Errorf("the output has the fields\n%s\nwant\n%s", got, want)
	}
}

// shape gives the names of an object's fields.
func shape(v any) string {
	object, ok := v.(map[string]any)
	if !ok {
		return ""
	}
	var names []string
	for name, v := range object {
		names = append(names, name+shape(v))
	}
	slices.Sort(names)
	return "{" + strings.Join(names, " ") + "}"
}

func TestBenchFailures(t *testing.T) {
	unlimited := serve(t, benchOptions(io.Discard), -1)
	limited := serve(t, &room.Options{}, 2)
	crowded := serve(t, &room.Options{Conn: conn.Options{MaxConnectionsPerAddr: 3}}, -1)
	gone := httptest.NewServer(nil)
	gone.Close()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nobody there", []string{"calls", "ws" + strings.TrimPrefix(gone.URL, "http") + "/bench/load"}, "is the server running there?"},
		{"nobody there, churn", []string{"churn", "ws" + strings.TrimPrefix(gone.URL, "http") + "/bench/load"}, "is the server running there?"},
		{"no such kind", []string{"calls", strings.Replace(unlimited, "/bench/", "/bank/", 1)}, "status 404"},
		{"no such call", []string{"calls", "-call", "nope", unlimited}, "Unknown call: nope"},
		{"no such call, churn", []string{"churn", "-call", "nope", unlimited}, "Unknown call: nope"},
		{"no such push", []string{"broadcast", "-connections", "2", "-push", "nope", unlimited}, "no answer or push has come"},
		{"bad input", []string{"calls", "-body", `{"text":5}`, unlimited}, "text"},
		{"too many calls", []string{"calls", "-connections", "2", "-depth", "64", "-duration", "2s", limited}, "raise conn.Options.CallsPerSecond"},
		{"too many sessions", []string{"idle", "-connections", "5", limited}, "raise Definition.MaxSessions"},
		{"too many connections", []string{"idle", "-connections", "5", crowded}, "raise conn.Options.MaxConnectionsPerAddr"},
		{"no such process", []string{"idle", "-pid", "999999999", unlimited}, "process 999999999 cannot be measured"},
		{"nowhere to write", []string{"idle", "-connections", "1", "-json", t.TempDir(), unlimited}, "is a directory"},
	}
	for _, tt := range tests {
		args := append([]string{"bench", tt.args[0], "-duration", "100ms", "-warmup", "0s"}, tt.args[1:]...)
		code, stdout, stderr := socka(t, args...)
		if code != exitFailed || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", tt.name, code, exitFailed, tt.want, stdout, stderr)
		}
	}
}

func TestCommandLine(t *testing.T) {
	url := "ws://localhost:1/bench/load"
	for _, args := range [][]string{
		{}, {"bech"}, {"bench"}, {"bench", "call"}, {"bench", "calls"}, {"bench", "calls", url, url}, {"bench", "calls", "-x", url},
		{"bench", "calls", "ftp://localhost/bench/load"}, {"bench", "calls", "ws:///bench/load"}, {"bench", "calls", url + "?wire=json"},
		{"bench", "calls", "-depth", "0", url}, {"bench", "calls", "-depth", "5000", url}, {"bench", "calls", "-connections", "0", url},
		{"bench", "calls", "-rooms", "0", url}, {"bench", "calls", "-rate", "-1", url}, {"bench", "calls", "-rate", "NaN", url},
		{"bench", "calls", "-duration", "0s", url}, {"bench", "calls", "-duration", "25h", url}, {"bench", "calls", "-warmup", "-1s", url},
		{"bench", "calls", "-wire", "xml", url}, {"bench", "calls", "-header", "nonsense", url}, {"bench", "calls", "-size", "-1", url},
		{"bench", "calls", "-body", "[]", url}, {"bench", "calls", "-body", "{", url}, {"bench", "calls", "-call", "", url}, {"bench", "calls", "-push", "x", url},
		{"bench", "broadcast", "-publishers", "101", url}, {"bench", "broadcast", "-rooms", "2", url}, {"bench", "idle", "-call", "x", url},
		{"bench", "rooms", "-rooms", "1000000", "-connections", "1000", url}, {"bench", "server", "x"}, {"bench", "server", "-x"},
	} {
		if code, stdout, stderr := socka(t, args...); code != exitUsage || stdout != "" || !strings.Contains(stderr, "for help") {
			t.Errorf("socka %q: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	for want, args := range map[string][]string{
		"Usage: socka COMMAND":     {"--help"},
		"socka bench server":       {"help"},
		"Usage: socka bench SCEN":  {"bench", "-h"},
		"-publishers":              {"bench", "broadcast", "-h"},
		"sessions at a time":       {"bench", "churn", "--help"},
		"-addr HOST:PORT":          {"bench", "server", "-h"},
		"sessions per second; 0: ": {"bench", "churn", "-h"},
	} {
		if code, stdout, stderr := socka(t, args...); code != exitOK || !strings.Contains(stdout, want) || stderr != "" {
			t.Errorf("socka %q: exit code %d, want %q\n%s%s", args, code, want, stdout, stderr)
		}
	}
}

// An interrupted measurement prints what it has.
func TestInterrupt(t *testing.T) {
	url := serve(t, benchOptions(io.Discard), -1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	stderr := writerFunc(func(line string) {
		if strings.Contains(line, "measuring") {
			cancel()
		}
	})
	p := newProgress(stderr)
	p.terminal = true
	code := make(chan int, 1)
	go func() {
		cfg, o, err := benchFlags(load.Calls, []string{"-duration", "24h", "-connections", "2", url}, &out)
		if err != nil {
			t.Error(err)
		}
		cfg.Progress = p.tell
		rep, err := load.Run(ctx, cfg)
		if err == nil {
			if err = o.write(rep, &out); err == nil {
				err = verdict(rep)
			}
		}
		code <- exitCode(err)
	}()
	if got := <-code; got != exitInterrupted || !strings.Contains(out.String(), "answered") {
		t.Errorf("exit code %d\n%s", got, out.String())
	}
}

type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

// The server prints a command line that works, and ends when it is told to.
func TestBenchServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := make(chan string, 1)
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"bench", "server", "-addr", "localhost:0"}, writerFunc(func(s string) { lines <- s }), io.Discard)
	}()
	var said string
	select {
	case said = <-lines:
	case got := <-code:
		t.Fatalf("the server ended with exit code %d", got)
	}
	_, command, _ := strings.Cut(said, "socka bench calls ")
	command, _, _ = strings.Cut(command, "\n")
	rep := measure(t, append(short("calls", "-connections", "2"), strings.Fields(command)...)...)
	consistent(t, "calls", rep.Calls)
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
}

func TestTableNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %s, want %s", n, got, want)
		}
	}
	got := fmt.Sprint(micros(12), micros(1234), micros(123456), micros(12345678), bytesOf(2048), bytesOf(3<<20))
	if want := "12 µs1.23 ms123 ms12.35 s2.0 KiB3.0 MiB"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	all := &load.Report{CPUs: 2, Self: &load.Use{Cores: 1.9}, Lost: 1, Errors: []load.CountedText{{Text: "oops", Count: 3}},
		Calls: &load.Counts{Failed: 4, Missing: 5, Unsent: 6, Unexpected: 7}}
	var b strings.Builder
	if err := table(&b, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bottleneck", "1 connections", "3 × oops", "4 failed", "5 missing", "6 due", "7 answers to nothing"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not have %q:\n%s", want, b.String())
		}
	}
}
