package main

import (
	"fmt"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

// results hold what was measured: by scenario and contender, one per run.
type results map[string]map[string][]load.Result

// metric is one figure of a Result.
type metric struct {
	name string
	of   func(load.Result) float64
}

var (
	cpu  = metric{"CPU", func(r load.Result) float64 { return float64(r.CPU) }}
	rate = metric{"rate", func(r load.Result) float64 { return r.Rate }}
	p99  = metric{"p99", func(r load.Result) float64 { return float64(r.P99) }}
	kib  = metric{"memory", func(r load.Result) float64 { return r.KiB }}
)

// aim is what a figure of Socka is held against: a multiple of another contender's, or with plus a difference from it, or
// with against "" a number of KiB.
type aim struct {
	scenario string
	metric   metric
	subject  string
	against  string
	atLeast  bool
	limit    float64
	plus     bool
	orAll    bool // reached also if all that was offered was delivered
}

var aims = []aim{
	{scenario: "calls-64-depth-1", metric: cpu, subject: socka, against: gws, limit: 1.4},
	{scenario: "calls-64-depth-1", metric: cpu, subject: socka, against: centrifuge, limit: 0.75},
	{scenario: "calls-64-depth-1", metric: cpu, subject: socka, against: nodeWS, limit: 0.35},
	{scenario: "calls-64-depth-16", metric: cpu, subject: socka, against: gws, limit: 0.7},
	{scenario: "calls-64-depth-16", metric: cpu, subject: socka, against: centrifuge, limit: 0.9},
	{scenario: "calls-1k-depth-1", metric: cpu, subject: socka, against: gws, limit: 1.45},
	{scenario: "calls-1k-depth-1", metric: cpu, subject: socka, against: centrifuge, limit: 0.7},
	{scenario: "broadcast-saturating", metric: rate, subject: socka, against: gws, atLeast: true, limit: 8},
	{scenario: "broadcast-saturating", metric: rate, subject: socka, against: centrifuge, atLeast: true, limit: 1.8},
	{scenario: "broadcast-20k", metric: cpu, subject: socka, against: gws, limit: 0.85},
	{scenario: "broadcast-20k", metric: p99, subject: socka, against: centrifuge, limit: 1},
	{scenario: "broadcast-overload", metric: rate, subject: socka, against: centrifuge, atLeast: true, limit: 2, orAll: true},
	{scenario: "broadcast-overload", metric: p99, subject: socka, against: centrifuge, limit: 0.1},
	{scenario: "rooms", metric: cpu, subject: socka, against: gws, limit: 1},
	{scenario: "rooms", metric: p99, subject: socka, against: centrifuge, limit: 0.2},
	{scenario: "idle-connections", metric: kib, subject: socka, against: gws, limit: 1.5, plus: true},
	{scenario: "idle-rooms", metric: kib, subject: socka, limit: 2},
	{scenario: "calls-64-depth-1", metric: cpu, subject: sockaMsgpack, against: socka, limit: 1},
	{scenario: "calls-64-depth-16", metric: cpu, subject: sockaMsgpack, against: socka, limit: 1},
	{scenario: "calls-1k-depth-1", metric: cpu, subject: sockaMsgpack, against: socka, limit: 1},
	{scenario: "calls-1k-depth-16", metric: cpu, subject: sockaMsgpack, against: socka, limit: 1},
}

// verdict is what came of an aim.
type verdict struct {
	aim     string
	got     string
	reached bool
}

// judge compares within each run, and takes the median of the runs. ok is false if something was not measured.
func (a aim) judge(all results) (v verdict, ok bool) {
	sign := "≤"
	if a.atLeast {
		sign = "≥"
	}
	subject, against := all[a.scenario][a.subject], all[a.scenario][a.against]
	var figures []float64
	for i := range subject {
		switch figure := a.metric.of(subject[i]); {
		case a.against == "":
			figures = append(figures, figure)
		case i >= len(against):
		case a.plus:
			figures = append(figures, figure-a.metric.of(against[i]))
		default:
			figures = append(figures, figure/a.metric.of(against[i]))
		}
	}
	if len(figures) == 0 {
		return v, false
	}
	got := load.Median(figures)
	v.reached = got <= a.limit
	if a.atLeast {
		v.reached = got >= a.limit
	}
	switch {
	case a.against == "":
		v.aim = fmt.Sprintf("%s of %s %s %g KiB", a.metric.name, a.subject, sign, a.limit)
		v.got = fmt.Sprintf("%.2f KiB", got)
	case a.plus:
		v.aim = fmt.Sprintf("%s of %s %s %s + %g KiB", a.metric.name, a.subject, sign, a.against, a.limit)
		v.got = fmt.Sprintf("%+.2f KiB", got)
	default:
		v.aim = fmt.Sprintf("%s of %s %s %g × %s", a.metric.name, a.subject, sign, a.limit, a.against)
		v.got = fmt.Sprintf("%.2f ×", got)
	}
	if a.orAll {
		v.aim += ", or all delivered"
		delivered := load.Median(each(subject, func(r load.Result) float64 { return r.Delivered }))
		v.reached = v.reached || delivered == 1
		v.got += fmt.Sprintf(", %.1f %% delivered", 100*delivered)
	}
	return v, true
}

func each(list []load.Result, f func(load.Result) float64) []float64 {
	figures := make([]float64, len(list))
	for i, r := range list {
		figures[i] = f(r)
	}
	return figures
}
