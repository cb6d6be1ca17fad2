package postgres

import "testing"

// A wake that is heard of while Due is being asked may be in the answer or not. If it is not, the watchers are told.
func TestWakesHeardWhileAsking(t *testing.T) {
	told := func(w *watcher) bool {
		select {
		case <-w.told:
			return true
		default:
			return false
		}
	}
	a := asked{next: 100}
	w := a.watch()
	ask := func(wake, next int64, ok bool) (heard, missed bool) {
		a.begin()
		heard = a.heard(wake)
		a.end(next, ok)
		return heard, told(w)
	}
	if heard, missed := ask(150, 200, true); heard || !missed {
		t.Errorf("150 between answers of 100 and 200: passed on at once %v, later %v; want later", heard, missed)
	}
	if heard, missed := ask(250, 250, true); heard || missed {
		t.Errorf("250 before an answer of 250: passed on at once %v, later %v; want neither", heard, missed)
	}
	if heard, missed := ask(240, never, false); !heard || missed {
		t.Errorf("240 after an answer of 250, and one that failed: passed on at once %v, later %v; want at once", heard, missed)
	}
	// Of two that overlap the one that began first may know less.
	a.begin()
	a.begin()
	a.heard(300)
	a.end(300, true)
	if told(w) {
		t.Error("passed on though the answer has it")
	}
	a.end(never, true)
	if !told(w) {
		t.Error("not passed on though the last answer does not have it")
	}
	// What was heard before does not count.
	if _, missed := ask(never, never, true); missed {
		t.Error("passed on twice")
	}
	a.unwatch(w)
	if ask(1, never, true); told(w) {
		t.Error("one is told that does not watch any more")
	}
}
