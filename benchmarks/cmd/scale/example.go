package main

import (
	"fmt"
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/page"
)

// results are the figures of all parts that were measured, by name.
type results map[string]measurements

type measurements struct {
	part
	figures [][]float64 // by row and column
}

// at gives the figures of the row whose number is nearest to n.
func (r results) at(name string, n int) (count int, figures []float64, ok bool) {
	m := r[name]
	for i, row := range m.rows {
		if !ok || distance(row.count, n) < distance(count, n) {
			count, figures, ok = row.count, m.figures[i], true
		}
	}
	return count, figures, ok
}

func distance(a, b int) int { return max(a-b, b-a) }

// example works out what a deployment takes. It is made here so that it follows from the figures above it.
func (r results) example(w *strings.Builder) {
	const (
		connections, rooms = 100_000, 1000
		calls              = 10_000  // per second: every connection each 10 s
		deliveries         = 200_000 // per second: two broadcasts per second and room
		members            = connections / rooms
	)
	openOf, idle, ok1 := r.at("idle-connections", connections)
	roomsOf, empty, ok2 := r.at("idle-rooms", rooms)
	callsOf, call, ok3 := r.at("calls-spread", connections)
	membersOf, delivery, ok4 := r.at("room-steady", members)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return
	}
	gib := func(n int, kib float64) float64 { return float64(n) * kib / (1 << 20) }
	processors := func(n int, us float64) float64 { return float64(n) * us / 1e6 }
	live := gib(connections, idle[0]) + gib(rooms, empty[0])
	busy := processors(connections, idle[5]) + processors(calls, call[0]) + processors(deliveries, delivery[0])

	fmt.Fprintf(w, "\n### An example\n\n%s connections in %s rooms of %d. Every connection makes a call each %d s, every room broadcasts twice a second.\n\n",
		page.Count(connections), page.Count(rooms), members, connections/calls)
	fmt.Fprintf(w, "| | from above | |\n|---|---|--:|\n")
	line := func(what, how, result string, v float64) { fmt.Fprintf(w, "| %s | %s | "+result+" |\n", what, how, v) }
	line("memory of the process, connections", fmt.Sprintf("%s × %.2f KiB (of %s)", page.Count(connections), idle[0], page.Count(openOf)), "%.2f GiB", gib(connections, idle[0]))
	line("memory of the process, rooms", fmt.Sprintf("%s × %.2f KiB (of %s)", page.Count(rooms), empty[0], page.Count(roomsOf)), "%.2f GiB", gib(rooms, empty[0]))
	line("the same before a collection, GOGC=100", "heap and stacks once more", "%.2f GiB", live+gib(connections, idle[1]+idle[2])+gib(rooms, empty[1]+empty[2]))
	line("memory of the kernel, buffers empty", fmt.Sprintf("%s × %.2f KiB", page.Count(connections), idle[4]), "%.2f GiB", gib(connections, idle[4]))
	line("processors, keepalive", fmt.Sprintf("%s × %.2f µs/s", page.Count(connections), idle[5]), "%.2f", processors(connections, idle[5]))
	line("processors, calls", fmt.Sprintf("%s/s × %.2f µs (of %s)", page.Count(calls), call[0], page.Count(callsOf)), "%.2f", processors(calls, call[0]))
	line("processors, deliveries", fmt.Sprintf("%s/s × %.2f µs (of %s)", page.Count(deliveries), delivery[0], page.Count(membersOf)), "%.2f", processors(deliveries, delivery[0]))
	line("processors in all", "the sum", "%.2f", busy)
	line("processors to have, 60 % busy", "", "%.1f", busy/0.6)
}
