package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// job is something to measure. It returns how many operations it did.
type job struct {
	rooms int // saved once before, with one part of size bytes
	size  int
	run   func(d driver, j job) (ops int, err error)
}

const (
	epoch   = 7
	oneTurn = 200 // rooms that are saved in one transaction
)

var jobs = map[string]job{
	"batch-200B":   {200, 200, saves(300, oneTurn)},
	"batch-300B":   {200, 300, saves(300, oneTurn)},
	"batch-sparse": {100_000, 300, saves(60, oneTurn)},
	"batch-3KB":    {200, 3000, saves(100, oneTurn)},
	"log-300B":     {200, 300, appends(300)},
	"log-3KB":      {200, 3000, appends(100)},
	"single-300B":  {200, 300, saves(1000, 1)},
	"single-1MB":   {20, 1 << 20, saves(60, 1)},
	"read-300B":    {20_000, 300, reads(100_000)},
	"read-1MB":     {20, 1 << 20, reads(500)},
}

// pairs are two processes at one file, one of them this. The operations are of both.
var pairs = map[string]job{
	"two-batch-300B":  {200, 300, saves(200, oneTurn)},
	"two-single-300B": {200, 300, saves(500, 1)},
}

func jobNames() []string {
	return append(slices.Sorted(maps.Keys(jobs)), slices.Sorted(maps.Keys(pairs))...)
}

func measure(name, who, layout, dir string) (r result, err error) {
	path := filepath.Join(dir, "rooms.db")
	base, second := strings.CutSuffix(name, "-second")
	j, ok := jobs[base]
	pair, two := pairs[base]
	if two {
		j = pair
	} else if !ok {
		return r, fmt.Errorf("%q is nothing to measure", name)
	}
	d, err := open(who, path, layout)
	if err != nil {
		return r, err
	}
	if !second {
		if err := fill(d, j); err != nil {
			return r, err
		}
	}
	var other *exec.Cmd
	if two && !second {
		other = self("-one", "-jobs", name+"-second", "-who", who, "-parts", layout, "-dir", dir)
		if err := other.Start(); err != nil {
			return r, err
		}
		defer other.Wait()
	}
	before, start := used(), time.Now()
	ops, err := j.run(d, j)
	if err != nil {
		return r, err
	}
	wall, cpu := time.Since(start), used()-before
	if other != nil {
		if err := other.Wait(); err != nil {
			return r, err
		}
		r.Comment = fmt.Sprintf("this process was done after %.1f s, both after %.1f s", wall.Seconds(), time.Since(start).Seconds())
		ops, wall = 2*ops, time.Since(start)
		cpu *= 2
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	r.Ops = float64(ops) / wall.Seconds()
	r.CPU = float64(cpu.Microseconds()) / float64(ops)
	r.Memory = float64(usage.Maxrss) / 1024
	return r, d.close()
}

// used is the user and system time of this process.
func used() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func roomName(i int) string { return fmt.Sprintf("room-%06d", i) }

func fill(d driver, j job) error {
	if err := d.begin(); err != nil {
		return err
	}
	err := d.exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
		INSERT INTO rooms (id, kind, name, epoch, owner, linger) SELECT i + 1, 'chat', format('room-%%06d', i), %d, 1, 0 FROM n`, j.rooms, epoch))
	if err != nil {
		return err
	}
	data := make([]byte, j.size)
	for i := range j.rooms {
		if err := d.put(int64(i+1), "state", data); err != nil {
			return err
		}
	}
	return d.commit()
}

// saves saves rooms that are picked anew for each transaction, as many as each holds; an operation is the save of one room.
func saves(transactions, each int) func(d driver, j job) (int, error) {
	return func(d driver, j job) (int, error) {
		random := rand.New(rand.NewPCG(1, 2))
		data := make([]byte, j.size)
		for n := range transactions {
			for i := range data { // SQLite does not write pages that stay as they are
				data[i] = byte(n + i>>10)
			}
			if err := d.begin(); err != nil {
				return 0, err
			}
			for i := range each {
				room := i
				if j.rooms > each {
					room = random.IntN(j.rooms)
				}
				id, err := d.touch("chat", roomName(room), epoch, time.Now().UnixMicro())
				if err != nil {
					return 0, err
				}
				if id == 0 {
					return 0, fmt.Errorf("room %d is gone", room)
				}
				if err := d.put(id, "state", data); err != nil {
					return 0, err
				}
			}
			if err := d.commit(); err != nil {
				return 0, err
			}
		}
		return transactions * each, nil
	}
}

// appends adds a record to the log of each of the rooms in each transaction, and trims it to 50.
func appends(transactions int) func(d driver, j job) (int, error) {
	return func(d driver, j job) (int, error) {
		data := make([]byte, j.size)
		for n := range transactions {
			if err := d.begin(); err != nil {
				return 0, err
			}
			for i := range oneTurn {
				id, err := d.touch("chat", roomName(i), epoch, time.Now().UnixMicro())
				if err != nil {
					return 0, err
				}
				if err := d.trim(id, int64(n-50)); err != nil {
					return 0, err
				}
				if err := d.append(id, int64(n), data); err != nil {
					return 0, err
				}
			}
			if err := d.commit(); err != nil {
				return 0, err
			}
		}
		return transactions * oneTurn, nil
	}
}

func reads(n int) func(d driver, j job) (int, error) {
	return func(d driver, j job) (int, error) {
		random := rand.New(rand.NewPCG(3, 4))
		for range n {
			data, err := d.get(int64(1+random.IntN(j.rooms)), "state")
			if err != nil {
				return 0, err
			}
			if len(data) != j.size {
				return 0, fmt.Errorf("a part has %d bytes, want %d", len(data), j.size)
			}
		}
		return n, nil
	}
}
