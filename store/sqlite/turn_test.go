//go:build linux

package sqlite

import (
	"runtime"
	"testing"
	"time"
)

// Writers take turns: whoever has written finds those who waited meanwhile before him.
func TestTurnsGoRound(t *testing.T) {
	path := newPath(t) + ownersSuffix
	var l [3]*locks
	for i := range l {
		var err error
		if l[i], err = openLocks(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if l[i] == nil {
			t.Skip("this file system has no locks of open files")
		}
		defer l[i].close()
	}
	waits := func(at int64) { // until somebody has a lock
		t.Helper()
		for {
			free, err := l[2].free(at)
			if err != nil {
				t.Fatal(err)
			}
			if !free {
				return
			}
			runtime.Gosched()
		}
	}
	later := time.Now().Add(time.Minute)
	if !l[0].enter(later) {
		t.Fatal("nobody writes, and the turn does not come")
	}
	order := make(chan int, 2)
	done := make(chan bool)
	go func() {
		ok := l[1].enter(later)
		order <- 1
		l[1].leave()
		done <- ok
	}()
	waits(queueLock) // it is the next
	l[0].leave()
	if !l[0].enter(later) {
		t.Fatal("the turn does not come again")
	}
	order <- 0
	if !<-done {
		t.Fatal("the turn of one who waited did not come")
	}
	if first := <-order; first != 1 {
		t.Error("who came again went before one who waited")
	}
	// Nobody waits for one that does not go on.
	if l[1].enter(time.Now()) {
		t.Fatal("two have the turn at once")
	}
	if l[1].enter(later) {
		t.Fatal("a handle waits for two turns at once")
	}
	l[0].leave()
	for l[1].late.Load() {
		runtime.Gosched()
	}
	if !l[1].enter(later) {
		t.Fatal("the turn does not come after one was missed")
	}
	l[1].leave()
}
