package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gosocka/socka/cmd/socka/internal/load"
)

// table prints a report for people.
func table(w io.Writer, r *load.Report) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }

	row(string(r.Scenario), "%s, %s, %.1f s after %.1f s of warm-up", r.URL, r.Wire, r.Seconds, r.WarmupSeconds)
	row("load", "%s", loadOf(r))
	unit := "call"
	switch {
	case r.Sessions != nil:
		unit = "session"
		counts(row, "sessions", "left", r.Sessions)
		latency(row, "  connecting", r.Connects)
		latency(row, "  the call", r.Calls.Latency)
	case r.Pushes != nil:
		unit = "push"
		counts(row, "publishes", "answered", r.Calls)
		counts(row, "pushes", "received", r.Pushes)
	case r.Calls != nil:
		counts(row, "calls", "answered", r.Calls)
	}
	latency(row, "sent late by", r.Late)
	if u := r.Server; u != nil {
		use(row, "server", unit, u)
		if r.Scenario == load.Idle {
			row("  memory", "%s per connection: by how much the server grew since before the first one", bytesOf(r.BytesPerConnection))
		}
	}
	if r.Self != nil {
		use(row, "this tool", unit, r.Self)
	}
	if r.Lost > 0 {
		row("lost", "%s connections", number(r.Lost))
	}
	for _, e := range r.Errors {
		row("error", "%s × %s", number(e.Count), e.Text)
	}
	if r.Bottleneck() {
		row("caution", "this tool used all of its %d CPUs: it was the bottleneck, and latencies are its own", r.CPUs)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func loadOf(r *load.Report) string {
	s := number(int64(r.Connections)) + " connections"
	if r.Sessions != nil {
		s = number(int64(r.Connections)) + " sessions at a time"
	} else {
		s += fmt.Sprintf(" (opened in %.1f s)", r.ConnectSeconds)
	}
	if r.Rooms > 1 {
		s += " in " + number(int64(r.Rooms)) + " rooms"
	}
	if r.Scenario == load.Idle {
		return s
	}
	if r.Publishers > 0 {
		s += ", publishers in each room: " + strconv.Itoa(r.Publishers)
	}
	if r.Sessions == nil {
		s += ", depth " + number(int64(r.Depth))
	}
	s += fmt.Sprintf(", body %s B", number(int64(r.BodyBytes)))
	if r.Rate > 0 {
		return s + fmt.Sprintf(", open loop at %s per second", strconv.FormatFloat(r.Rate, 'f', -1, 64))
	}
	return s + ", closed loop"
}

type rowFunc func(name, format string, args ...any)

// counts prints what became of calls, pushes or sessions.
func counts(row rowFunc, name, done string, c *load.Counts) {
	s := fmt.Sprintf("%s per second; %s %s", number(int64(math.Round(c.PerSecond))), number(c.Window), done)
	for _, more := range []struct {
		n    int64
		what string
	}{{c.Failed, "failed"}, {c.Missing, "missing at the end"}, {c.Unsent, "due and never sent"}, {c.Unexpected, "answers to nothing"}} {
		if more.n > 0 {
			s += ", " + number(more.n) + " " + more.what
		}
	}
	row(name, "%s", s)
	latency(row, "  latency", c.Latency)
}

func latency(row rowFunc, name string, l *load.Latency) {
	if l == nil {
		return
	}
	row(name, "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", micros(l.P50), micros(l.P90), micros(l.P99), micros(l.P999), micros(l.Max))
}

func use(row rowFunc, name, unit string, u *load.Use) {
	s := fmt.Sprintf("CPU %.2f s, %.2f cores", u.CPUSeconds, u.Cores)
	if u.CPUMicros > 0 {
		s += fmt.Sprintf(", %.2f µs per %s", u.CPUMicros, unit)
	}
	row(name, "%s; memory %s", s, bytesOf(float64(u.RSSBytes)))
}

// micros prints a duration given in microseconds with three digits or so.
func micros(v float64) string {
	switch {
	case v < 1e3:
		return fmt.Sprintf("%.0f µs", v)
	case v < 1e5:
		return fmt.Sprintf("%.2f ms", v/1e3)
	case v < 1e6:
		return fmt.Sprintf("%.0f ms", v/1e3)
	}
	return fmt.Sprintf("%.2f s", v/1e6)
}

func bytesOf(v float64) string {
	if v < 1<<20 {
		return fmt.Sprintf("%.1f KiB", v/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", v/(1<<20))
}

// number groups the digits of a count.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	var parts []string
	for len(s) > 3 && s[len(s)-4] != '-' {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return strings.Join(append([]string{s}, parts...), ",")
}
