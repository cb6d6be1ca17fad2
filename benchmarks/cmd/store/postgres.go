package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// host stands in for a test where a package wants one: what would end the test is an error of [host.try].
type host struct {
	testing.TB // nil: what is not below is not called
	cleanups   []func()
	failed     []error
}

// ended is what a call that does not return panics with.
type ended struct{ error }

// errMissing says that this machine has no Postgres.
var errMissing = errors.New("no Postgres")

func (h *host) Helper()                      {}
func (h *host) Cleanup(f func())             { h.cleanups = append(h.cleanups, f) }
func (h *host) Error(args ...any)            { h.failed = append(h.failed, errors.New(fmt.Sprint(args...))) }
func (h *host) Fatal(args ...any)            { panic(ended{errors.New(fmt.Sprint(args...))}) }
func (h *host) Fatalf(text string, a ...any) { panic(ended{fmt.Errorf(text, a...)}) }
func (h *host) Skip(args ...any)             { panic(ended{fmt.Errorf("%w: %s", errMissing, fmt.Sprint(args...))}) }
func (h *host) Logf(string, ...any)          {}
func (h *host) Log(...any)                   {}
func (h *host) Name() string                 { return "benchmarks" }
func (h *host) Errorf(text string, a ...any) { h.Error(fmt.Sprintf(text, a...)) }
func (h *host) Skipf(text string, a ...any)  { h.Skip(fmt.Sprintf(text, a...)) }

// try calls f, and returns what has failed in it.
func (h *host) try(f func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
			err = errors.Join(h.failed...)
			h.failed = nil
		case ended:
			err = v.error
		default:
			panic(v)
		}
	}()
	f()
	return nil
}

// close carries out what is left to do, last things first.
func (h *host) close() (err error) {
	for len(h.cleanups) > 0 {
		last := h.cleanups[len(h.cleanups)-1]
		h.cleanups = h.cleanups[:len(h.cleanups)-1]
		if failed := h.try(last); err == nil {
			err = failed
		}
	}
	return err
}

// database is a private Postgres server.
type database struct {
	host
	*postgrestest.Server
}

// startPostgres runs a server in the folder for temporary files, with the settings that Postgres has by default but for those
// that are given.
func startPostgres(settings ...string) (*database, error) {
	d := new(database)
	err := d.try(func() { d.Server = postgrestest.Start(&d.host, settings...) })
	if err != nil {
		return nil, errors.Join(err, d.host.close())
	}
	return d, nil
}

// with makes an empty database, and drops it after f. What was written before is on disk when f begins.
func (d *database) with(f func(url string) error) error {
	one := new(host)
	var url string
	err := one.try(func() {
		url = d.Database(one)
		d.Exec(one, url, "CHECKPOINT")
	})
	if err == nil {
		err = f(url)
	}
	if closed := one.close(); err == nil {
		err = closed
	}
	return err
}

// ask gives the first column of the first row.
func (d *database) ask(sql string) (text string, err error) {
	err = d.try(func() { text = d.Exec(&d.host, d.URL("postgres"), sql) })
	return text, err
}

// syncs is how often the server has synced its log. Sessions tell of that when they end, at the latest.
func (d *database) syncs() (float64, error) {
	text, err := d.ask("SELECT wal_sync FROM pg_stat_wal")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// pid is the main process.
func (d *database) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(d.Host(), "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(strings.TrimSpace(line))
}

// familyCPU is the user and system time of a process and its children, those that have ended included.
func familyCPU(pid int) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	found := false
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		one, parent, used, children, err := parseStat(text)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s: %w", file, err)
		case one == pid:
			found = true
			sum += used + children
		case parent == pid:
			sum += used
		}
	}
	if !found {
		return 0, fmt.Errorf("there is no process %d any more", pid)
	}
	return sum, nil
}

// parseStat reads /proc/PID/stat: whose it is, whose child that is, and the time that it and its children that have ended
// have used.
func parseStat(text []byte) (pid, parent int, used, children time.Duration, err error) {
	const tick = 10 * time.Millisecond
	name := bytes.LastIndexByte(text, ')') // which may have spaces in it
	fields := strings.Fields(string(text[name+1:]))
	if _, err := fmt.Sscan(string(text), &pid); err != nil || name < 0 || len(fields) < 15 {
		return 0, 0, 0, 0, fmt.Errorf("%.200q is not what a process has there", text)
	}
	var n [5]int
	for i, at := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.Atoi(fields[at]); err != nil {
			return 0, 0, 0, 0, err
		}
	}
	return pid, n[0], time.Duration(n[1]+n[2]) * tick, time.Duration(n[3]+n[4]) * tick, nil
}
