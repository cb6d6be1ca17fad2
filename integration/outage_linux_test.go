package integration

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// outage is a store that does not work for a while under writers.
type outage struct {
	config childConfig
	spawn  func(childConfig) *process
	begin  func()
	end    func()
}

// TestPostgresIsAway kills the database's server and starts it again after a while.
func TestPostgresIsAway(t *testing.T) {
	db := postgrestest.Start(t, "fsync=off") // the machine goes on
	outage{
		config: childConfig{Store: db.Database(t), LeaseTTL: 300 * time.Millisecond},
		spawn:  func(c childConfig) *process { return spawn(t, c) },
		begin:  func() { db.Kill(t) },
		end:    func() { db.Start(t) },
	}.test(t)
}

// TestDiskIsFull fills the disk of a SQLite file, and frees it again after a while.
func TestDiskIsFull(t *testing.T) {
	d := newTinyDisk(t, "64m")
	filler := filepath.Join(d.dir, "filler")
	outage{
		config: childConfig{Store: filepath.Join(d.dir, "rooms.db")},
		spawn:  d.spawn,
		begin: func() {
			d.must("filling the disk", func() error {
				f, err := os.Create(filler)
				if err != nil {
					return err
				}
				defer f.Close()
				if _, err = io.Copy(f, zeros{}); errors.Is(err, syscall.ENOSPC) {
					return nil
				}
				return err
			})
		},
		end: func() { d.must("freeing the disk", func() error { return os.Remove(filler) }) },
	}.test(t)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// test lets writers go on while the store is away: the server does not crash, callers are told what is known of their calls,
// /healthz says that it is not ready; when the store is back everything goes on by itself, and nothing is lost.
func (o outage) test(t *testing.T) {
	away, commit := 3*time.Second, time.Second
	if long {
		away, commit = 10*time.Second, 0 // by default 5 s
	}
	o.config.CommitTimeout = commit
	l := lives{safe: make(map[int]time.Time)}
	p := o.spawn(o.config)
	p.listens()
	c := newCampaign(t, load{each: 10, every: 4, pause: 20 * time.Millisecond, seed: 1})
	c.at.set(p.addr)
	c.goOn()
	if err := p.ready(); err != nil {
		t.Errorf("before the outage: %v", err)
	}

	o.begin()
	over := time.After(away)
	eventually(t, "the server says that it is not ready", func() bool { return p.ready() != nil })
	t.Logf("meanwhile: %v", p.ready())
	eventually(t, "callers are told that their calls did not run", func() bool { return c.told(contract.Unavailable) })
	eventually(t, "callers are told that nobody knows", func() bool { return c.told(contract.OutcomeUnknown) })
	<-over
	p.mustLive()
	if p.ready() == nil {
		t.Error("the server says that it is ready in the middle of the outage")
	}

	o.end()
	began := time.Now()
	eventually(t, "the server is ready again", func() bool { return p.ready() == nil })
	c.goOn()
	t.Logf("everybody goes on %v after the end of the outage", time.Since(began).Round(time.Millisecond))
	c.verify(p, l)
	p.mustLive()
	l.now++
	o.config.Life++
	p.kill()
	p = o.spawn(o.config)
	p.listens()
	c.at.set(p.addr)
	c.verify(p, l)
	c.goOn()
	c.end()
	c.verify(p, l)
	n := c.counts()
	t.Logf("%d calls acknowledged, %d refused, %d outcomes unknown", n.acknowledged, n.refused, n.unknown)
}

// tinyDisk is a file system that only this test and the processes that it starts can see. It is gone when they are.
type tinyDisk struct {
	t   testing.TB
	dir string
	do  chan func()
}

// newTinyDisk makes one, in a mount namespace of a thread's own, on which everything is done that has to see it.
func newTinyDisk(t testing.TB, size string) *tinyDisk {
	t.Helper()
	d := &tinyDisk{t: t, dir: t.TempDir(), do: make(chan func())}
	ready := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked, so the thread ends with this goroutine, and all that it started
		err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size="+size)
		}
		ready <- err
		for f := range d.do {
			f()
		}
	}()
	t.Cleanup(func() { close(d.do) })
	if err := <-ready; err != nil {
		t.Skipf("a file system of its own needs the right to mount one: %v", err)
	}
	return d
}

// must does something that sees the disk.
func (d *tinyDisk) must(what string, f func() error) {
	d.t.Helper()
	done := make(chan error)
	d.do <- func() { done <- f() }
	if err := <-done; err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
}

// spawn starts a process that sees the disk.
func (d *tinyDisk) spawn(c childConfig) (p *process) {
	d.t.Helper()
	d.must("starting a process", func() (err error) { p, err = start(d.t, c); return err })
	d.t.Cleanup(p.kill)
	return p
}
