package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tiny is a task that is over soon.
func tiny(what, store, dir string) task {
	t := task{What: what, Store: store, Policy: "eachturn", Rooms: 3, Depth: 2, Writers: 1, Measure: 50 * time.Millisecond, Dir: dir, Address: store}
	if store == "sqlite" {
		t.Address = "sqlite:" + filepath.Join(dir, "rooms.db")
	}
	return t
}

func TestTasksMeasure(t *testing.T) {
	for _, store := range []string{"memory", "sqlite"} {
		for _, what := range []string{"turns", "large", "alone", "bare"} {
			if what == "bare" && store == "memory" {
				continue
			}
			f, err := measures[what](t.Context(), tiny(what, store, t.TempDir()))
			if err != nil {
				t.Fatalf("%s, %s: %v", what, store, err)
			}
			if f.Rate <= 0 || f.CPU <= 0 || f.Bytes < 100 || f.Commits <= 0 || f.Calls <= 0 {
				t.Errorf("%s, %s: %+v", what, store, f)
			}
			if turns := what == "turns" || what == "large"; turns != (f.Saves > 0 && f.Batches >= f.Saves && f.P50 > 0 && f.P99 >= f.P50) && what != "bare" {
				t.Errorf("%s, %s: saves and times of %+v", what, store, f)
			}
		}
	}
}

func TestTurnsAtARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := tiny("turns", "memory", "")
		one.Depth, one.Rate, one.Measure = 1, 100, 2*time.Second
		f, err := turns(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		if want := one.Rate * float64(one.Rooms); math.Abs(f.Rate-want) > 2 {
			t.Errorf("%.1f turns a second, want %.0f", f.Rate, want)
		}
	})
}

func TestATaskOfNothingIsRefused(t *testing.T) {
	for text, want := range map[string]string{`{`: "-task", `{"What":"nothing"}`: `"nothing" is nothing to measure`} {
		if err := carryOut(t.Context(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func TestWhatFailsEndsTheMeasurement(t *testing.T) {
	one := tiny("turns", "memory", "")
	k, err := one.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no answer")
	one.Measure = time.Hour
	_, err = one.drive(t.Context(), k, 2, func(context.Context, int, int) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("it ended with %v, want %v", err, failure)
	}
	if err := k.close(); err != nil {
		t.Error(err)
	}
}

// Each measurement of a part is in its table, and no row is without one.
func TestTablesHaveAllThatWasMeasured(t *testing.T) {
	for name, s := range map[string]sizes{"full": full(time.Second, time.Second), "short": short()} {
		for _, withPostgres := range []bool{true, false} {
			for _, p := range parts(s, withPostgres) {
				all := make(results)
				for _, g := range p.groups {
					for _, m := range g {
						if all[m.key] != nil {
							t.Errorf("%s: %s is measured twice as %q", name, p.name, m.key)
						}
						all[m.key] = []figures{filled(2), filled(4), filled(3)}
						if (m.task.Store == "postgres") && !withPostgres {
							t.Errorf("%s: %s measures %q without Postgres", name, p.name, m.key)
						}
					}
				}
				text := p.write(all)
				if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
					t.Errorf("%s, %s:\n%s", name, p.name, text)
				}
				for _, g := range p.groups {
					for _, m := range g {
						without := make(results)
						for k, v := range all {
							if without[k] = slices.Clone(v); k == m.key {
								without[k] = []figures{filled(20), filled(40), filled(30)}
							}
						}
						if p.write(without) == text {
							t.Errorf("%s: the table of %s does not depend on %q", name, p.name, m.key)
						}
					}
				}
				if empty := p.write(make(results)); strings.Contains(empty, "–") {
					t.Errorf("%s: %s has rows without figures:\n%s", name, p.name, empty)
				}
			}
		}
	}
}

// filled has a number in every field.
func filled(v float64) figures {
	return figures{v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v}
}

func TestRatiosAreOfOneRun(t *testing.T) {
	r := results{"a": {{Rate: 10}, {Rate: 40}, {Rate: 90}}, "b": {{Rate: 10}, {Rate: 20}, {Rate: 100}}}
	ratio := func(a, b figures) float64 { return a.Rate / b.Rate }
	if got := compared(r["a"], r["b"], ratio); got != 1 {
		t.Errorf("the median of 1, 2 and 0.9 is %v", got)
	}
	if got := compared(r["a"], r["none"], ratio); !math.IsNaN(got) {
		t.Errorf("beside nothing: %v", got)
	}
	top := best(r["a"], r["b"], r["none"])
	if got := median(top, rateOf); got != 40 || top[2].Rate != 100 {
		t.Errorf("the best of the runs are %v", top)
	}
}

func TestMembersAreChosen(t *testing.T) {
	o := options{who: regexp.MustCompile("^sqlite.* 4$")}
	var got []string
	for _, g := range full(1, 1).turns(true).groups {
		for _, m := range o.chosen(g) {
			got = append(got, m.key)
		}
	}
	if want := []string{"sqlite eachturn 4", "sqlite onsleep 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestItWaitsUntilTheMachineIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		busy := 2 * time.Second
		used := func() (time.Duration, error) { // one processor of the time, until then
			return min(time.Since(start), busy), nil
		}
		if err := waitCalm(t.Context(), 0.1, used); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < busy || took > busy+2*calmLook {
			t.Errorf("it has waited %v for a machine that is busy for %v", took, busy)
		}
		start, busy = time.Now(), time.Hour
		if err := waitCalm(t.Context(), 0.1, used); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != calmWait {
			t.Errorf("it has waited %v for a machine that is always busy, want %v", took, calmWait)
		}
	})
}

func TestStatOfAProcess(t *testing.T) {
	const text = "42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 50 6 700 8 20 0 1 0 100 1 1"
	pid, parent, used, children, err := parseStat([]byte(text))
	if pid != 42 || parent != 7 || used != 560*time.Millisecond || children != 7080*time.Millisecond || err != nil {
		t.Errorf("%d, %d, %v, %v, %v", pid, parent, used, children, err)
	}
	for _, text := range []string{"", "42", "42 (a) S 7", "x (a) S 7 42 42 0 -1 4194560 1 2 3 4 50 6 700 8 20"} {
		if _, _, _, _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestTheTimeOfAFamilyHasThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	if _, err := familyCPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := familyCPU(1 << 30); err == nil {
		t.Error("a process that is not there has used time")
	}
}

func TestFileSystems(t *testing.T) {
	if got := fileSystem("/proc"); !strings.HasPrefix(got, "proc on ") {
		t.Errorf("/proc is %q", got)
	}
	if got := fileSystem("/does/not/exist"); !strings.Contains(got, "no such") {
		t.Errorf("what is not there is %q", got)
	}
}

func TestAHostStandsInForATest(t *testing.T) {
	h := new(host)
	var order []int
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"fatal":  {func() { h.Fatalf("broken %d", 1) }, "broken 1"},
		"errors": {func() { h.Error("a"); h.Errorf("b%d", 1) }, "a\nb1"},
	} {
		if err := h.try(c.f); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if err := h.try(func() { h.Skip("none") }); !errors.Is(err, errMissing) {
		t.Errorf("skipped: %v", err)
	}
	if err := h.try(func() { h.Cleanup(func() { order = append(order, 1) }); h.Cleanup(func() { h.Fatal("late") }) }); err != nil {
		t.Error(err)
	}
	if err := h.close(); err == nil || err.Error() != "late" || !slices.Equal(order, []int{1}) {
		t.Errorf("closing: %v, and what was done is %v", err, order)
	}
}
