package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

func TestAimsAreJudgedWithinEachRun(t *testing.T) {
	// Run by run socka takes twice as much; the ratio of the medians would be 1.
	all := results{"calls-64-depth-1": {
		socka: {{CPU: 20, Delivered: 1}, {CPU: 40, Delivered: 1}, {CPU: 400}},
		gws:   {{CPU: 10}, {CPU: 20}, {CPU: 200}},
	}}
	a := aim{scenario: "calls-64-depth-1", metric: cpu, subject: socka, against: gws, limit: 2}
	v, ok := a.judge(all)
	if !ok || !v.reached || v.got != "2.00 ×" || v.aim != "CPU of socka ≤ 2 × gws" {
		t.Errorf("%+v %v", v, ok)
	}
	a.limit = 1.9
	if v, _ = a.judge(all); v.reached {
		t.Errorf("2 is not at most 1.9: %+v", v)
	}
	a.atLeast = true
	if v, _ = a.judge(all); !v.reached {
		t.Errorf("2 is at least 1.9: %+v", v)
	}
	a.limit, a.orAll = 3, true
	if v, _ = a.judge(all); !v.reached || v.got != "2.00 ×, 100.0 % delivered" {
		t.Errorf("all was delivered: %+v", v)
	}
	a.against = centrifuge
	if v, ok = a.judge(all); ok {
		t.Errorf("nothing was measured of centrifuge: %+v", v)
	}
}

func TestMemoryIsJudgedByDifference(t *testing.T) {
	all := results{"idle-connections": {socka: {{KiB: 11}}, gws: {{KiB: 9}}}}
	v, ok := aim{scenario: "idle-connections", metric: kib, subject: socka, against: gws, limit: 1.5, plus: true}.judge(all)
	if !ok || v.reached || v.got != "+2.00 KiB" || v.aim != "memory of socka ≤ gws + 1.5 KiB" {
		t.Errorf("%+v %v", v, ok)
	}
	v, ok = aim{scenario: "idle-connections", metric: kib, subject: socka, limit: 12}.judge(all)
	if !ok || !v.reached || v.got != "11.00 KiB" {
		t.Errorf("%+v %v", v, ok)
	}
}

func TestAimsAreOfScenariosAndContendersThatExist(t *testing.T) {
	list := scenarios(load.Times{Warm: time.Second, Measure: time.Second}, false)
	for _, a := range aims {
		i := slices.IndexFunc(list, func(s scenario) bool { return s.name == a.scenario })
		if i < 0 || !slices.Contains(list[i].who, a.subject) || a.against != "" && !slices.Contains(list[i].who, a.against) {
			t.Errorf("%s: %s against %q cannot be measured", a.scenario, a.subject, a.against)
		}
	}
	for _, s := range list {
		for _, name := range s.who {
			if !slices.ContainsFunc(contenders, func(c contender) bool { return c.name == name }) {
				t.Errorf("%s: there is no %q", s.name, name)
			}
		}
	}
}

func TestMissedAimsAreSaid(t *testing.T) {
	all := results{"idle-rooms": {socka: {{KiB: 5}}}}
	var page strings.Builder
	o := &options{runs: 1, only: regexp.MustCompile("")}
	o.tables(&page, all)
	for _, want := range []string{"**missed**", "Aims missed:", "- Memory of an idle room", "| socka | 5.00 | 0.00 | – |"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
	page.Reset()
	o.short = true
	o.tables(&page, all)
	if strings.Contains(page.String(), "missed") {
		t.Errorf("a short run judges:\n%s", page.String())
	}
}
