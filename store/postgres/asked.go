package postgres

import "sync"

// asked remembers what Due said last, so that of all wakes that others tell of only those are passed on that make it wrong.
// It knows who is to be told.
type asked struct {
	mu       sync.Mutex
	next     int64 // when Due will be asked again in any case, in microseconds; never: as far as we know not at all
	asking   int   // calls of Due under way
	missed   int64 // the earliest wake heard of meanwhile: their answers have it, or not
	watchers map[*watcher]struct{}
}

// watcher is a call of Notify.
type watcher struct {
	told chan struct{} // holds one
}

func (w *watcher) tell() {
	select {
	case w.told <- struct{}{}:
	default: // it will be told of this, too
	}
}

func (a *asked) watch() *watcher {
	w := &watcher{told: make(chan struct{}, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.watchers == nil {
		a.watchers = make(map[*watcher]struct{})
	}
	a.watchers[w] = struct{}{}
	return w
}

func (a *asked) unwatch(w *watcher) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.watchers, w)
}

// begin and end enclose a call of Due; ok says whether it has an answer, which is next.
func (a *asked) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asking++; a.asking == 1 {
		a.missed = never
	}
}

func (a *asked) end(next int64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking--
	if !ok {
		return
	}
	if a.next = next; a.missed < next {
		for w := range a.watchers {
			w.tell()
		}
	}
}

// heard says whether a wake is news.
func (a *asked) heard(wake int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asking > 0 {
		a.missed = min(a.missed, wake)
	}
	return wake < a.next
}
