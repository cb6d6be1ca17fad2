package room

import (
	"slices"
	"sync"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
)

// chain lists the rooms whose turns wait for what a turn of this one asks: those that its own asker waits in, then this
// one.
func (r *room) chain(ask *actors.Ask) []string {
	if ask != nil {
		return append(slices.Clip(ask.Chain), r.id.String())
	}
	return r.alone
}

// waits is the graph of rooms that wait for rooms, to find two that wait for each other. The chain that travels with an
// Ask finds a cycle within one chain of Asks; the graph finds those that several chains make together. It has no cycles.
type waits struct {
	mu   sync.Mutex
	last uint64
	who  map[uint64]string            // wait → waiting room
	on   map[string]map[uint64]string // waiting room → its waits → awaited room
}

// begin notes that the last room of chain waits for target, until end. Of a chain without rooms there is nothing to note.
func (w *waits) begin(chain []string, target string) (id uint64, err error) {
	if slices.Contains(chain, target) {
		return 0, contract.Errorf(contract.AskCycle, "%s is waiting for this itself (%v asks %s)", target, chain, target)
	}
	if len(chain) == 0 {
		return 0, nil
	}
	self := chain[len(chain)-1]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reaches(target, self, make(map[string]bool)) {
		return 0, contract.Errorf(contract.AskCycle, "%s is waiting for %s, which asks it", target, self)
	}
	if w.on == nil {
		w.who, w.on = make(map[uint64]string), make(map[string]map[uint64]string)
	}
	if w.on[self] == nil {
		w.on[self] = make(map[uint64]string)
	}
	w.last++
	w.who[w.last], w.on[self][w.last] = self, target
	return w.last, nil
}

// end takes a wait back. Both who answers and who has waited may.
func (w *waits) end(id uint64) {
	if id == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	who := w.who[id]
	delete(w.who, id)
	if delete(w.on[who], id); len(w.on[who]) == 0 {
		delete(w.on, who)
	}
}

// holds says whether a wait is not over.
func (w *waits) holds(id uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.who[id] != ""
}

// reaches says whether from waits for to, directly or through others.
func (w *waits) reaches(from, to string, seen map[string]bool) bool {
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, next := range w.on[from] {
		if next == to || w.reaches(next, to, seen) {
			return true
		}
	}
	return false
}
