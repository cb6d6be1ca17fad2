package storetest

import (
	"testing"
	"testing/synctest"
)

// Run tests a store. It calls fresh once for every subtest, for data of its own.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	t.Helper()
	run(t, fresh, func(t *testing.T, f func(*testing.T)) { f(t) }, func() {})
}

// RunVirtual is Run for a store that lives by the clock of this process and uses nothing outside of it: every subtest, fresh
// included, runs in a bubble of testing/synctest, so that Advance can be time.Sleep.
func RunVirtual(t *testing.T, fresh func(t *testing.T) Harness) {
	t.Helper()
	run(t, fresh, synctest.Test, synctest.Wait)
}

func run(t *testing.T, fresh func(t *testing.T) Harness, around func(*testing.T, func(*testing.T)), settle func()) {
	t.Helper()
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.tests {
				t.Run(c.name, func(t *testing.T) {
					around(t, func(t *testing.T) { c.run(newEnv(t, fresh(t), settle)) })
				})
			}
		})
	}
}

type group struct {
	name  string
	tests []test
}

type test struct {
	name string
	run  func(*env)
}

var groups = []group{
	{"Leases", leaseTests},
	{"Acquire", acquireTests},
	{"Epochs", epochTests},
	{"Fencing", fenceTests},
	{"Numbers", numberTests},
	{"Save", saveTests},
	{"Parts", partTests},
	{"Logs", logTests},
	{"Due", dueTests},
	{"Lapse", lapseTests},
	{"List", listTests},
	{"Close", closeTests},
	{"Contexts", contextTests},
	{"Notify", notifyTests},
	{"Many", manyTests},
	{"Random", randomTests},
}
