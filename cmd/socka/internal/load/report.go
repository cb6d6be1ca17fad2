package load

import (
	"maps"
	"net/url"
	"runtime"
	"slices"
	"time"
)

// Report is what was measured. All rates are per second of the window; latencies are in microseconds; CPU time is that of
// user and system.
type Report struct {
	Scenario    Scenario `json:"scenario"`
	URL         string   `json:"url"` // without its query, which may hold secrets
	Wire        string   `json:"wire"`
	Rooms       int      `json:"rooms"`
	Connections int      `json:"connections"` // in all
	Publishers  int      `json:"publishers"`  // of a room; 0 without pushes
	Depth       int      `json:"depth"`
	Rate        float64  `json:"rate"` // offered, in all; 0 for a closed loop
	BodyBytes   int      `json:"bodyBytes"`

	ConnectSeconds float64 `json:"connectSeconds"` // until all connections were served
	WarmupSeconds  float64 `json:"warmupSeconds"`
	Seconds        float64 `json:"seconds"` // the measured window
	Interrupted    bool    `json:"interrupted"`

	Calls    *Counts `json:"calls,omitempty"`
	Pushes   *Counts `json:"pushes,omitempty"`
	Sessions *Counts `json:"sessions,omitempty"` // of churn, from due to left
	// Connects is the latency of the handshakes of churn, Late by how much an open loop sent later than due.
	Connects *Latency `json:"connects,omitempty"`
	Late     *Latency `json:"late,omitempty"`

	Lost   int64         `json:"lost"` // connections that the server ended
	Errors []CountedText `json:"errors"`

	Server *Use `json:"server,omitempty"` // with a PID
	Self   *Use `json:"self,omitempty"`   // this tool, where there is /proc
	// BytesPerConnection is by how much the server's memory grew for each connection since before the first one, from what
	// is in memory: what it had free before hides some of it. 0 without a PID and for churn.
	BytesPerConnection float64 `json:"bytesPerConnection"`
	// CPUs is how many of them this tool may use.
	CPUs int `json:"cpus"`
}

// Counts are of the whole run, with warm-up and drain, but for those that name the window.
type Counts struct {
	Sent       int64    `json:"sent"`       // of pushes: how many were to come
	Done       int64    `json:"done"`       // answered, or received
	Failed     int64    `json:"failed"`     // answered with an error
	Missing    int64    `json:"missing"`    // neither, at the end
	Unsent     int64    `json:"unsent"`     // due and never sent, in an open loop
	Unexpected int64    `json:"unexpected"` // answers to nothing that was asked
	Window     int64    `json:"window"`     // done within the window
	PerSecond  float64  `json:"perSecond"`
	Latency    *Latency `json:"latency,omitempty"`
}

// Latency is of what was due within the window.
type Latency struct {
	Count uint64  `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// CountedText is an error and how often it was met.
type CountedText struct {
	Text  string `json:"text"`
	Count int64  `json:"count"`
}

// Use is what a process used within the window.
type Use struct {
	PID        int     `json:"pid,omitempty"`
	CPUSeconds float64 `json:"cpuSeconds"`
	Cores      float64 `json:"cores"` // CPU seconds per second
	// CPUMicros is per call, push or session done within the window, whatever the scenario is about; 0 if nothing was done.
	CPUMicros float64 `json:"cpuMicros"`
	RSSBytes  int64   `json:"rssBytes"` // at the end of the window
}

// Bottleneck reports whether the tool had no CPU left, so that it measured itself.
func (r *Report) Bottleneck() bool {
	return r.Self != nil && r.Self.Cores > 0.9*float64(r.CPUs)
}

// Main gives the counts that the scenario is about, nil for Idle.
func (r *Report) Main() *Counts {
	switch {
	case r.Sessions != nil:
		return r.Sessions
	case r.Pushes != nil:
		return r.Pushes
	}
	return r.Calls
}

// report puts together what was measured.
func (r *run) report(m measurement) *Report {
	c := r.cfg
	window := time.Duration(m.end - m.begin).Seconds()
	rep := &Report{
		Scenario: c.Scenario, URL: withoutSecrets(c.URL), Wire: c.Wire.String(),
		Rooms: c.Rooms, Connections: max(len(r.clients), c.Connections), Rate: c.Rate,
		WarmupSeconds: c.Warmup.Seconds(), Seconds: window, Interrupted: m.interrupted,
		Errors: []CountedText{}, CPUs: runtime.GOMAXPROCS(0),
	}
	if c.Scenario == Rooms {
		rep.Rate *= float64(c.Rooms)
	}
	if c.pushes() {
		rep.Publishers = c.Publishers
	}
	if c.Scenario != Idle {
		rep.Depth = c.Depth
		rep.BodyBytes = len(r.body)
		if r.body == nil {
			rep.BodyBytes = len(r.numbered(m.end / 1000))
		}
	}
	if c.Scenario == Churn {
		rep.Depth = 1
	}
	var unanswered, unsent int64
	end := r.now()
	for _, cl := range r.callers {
		a, s := cl.rest(end)
		unanswered += a
		unsent += s
	}
	all := r.sum()
	calls := &Counts{Sent: all.sent, Done: all.answered, Failed: all.failed, Missing: unanswered, Unsent: unsent, Unexpected: all.unexpected, Window: all.callsInWindow,
		PerSecond: float64(all.callsInWindow) / window, Latency: latencyOf(&all.call)}
	switch c.Scenario {
	case Churn:
		rep.Sessions = &Counts{Sent: all.sent, Done: all.connects, Failed: all.failed, Missing: all.sent - all.connects - all.failed, Window: all.connectsInWindow,
			PerSecond: float64(all.connectsInWindow) / window, Latency: latencyOf(&all.session)}
		rep.Connects = latencyOf(&all.connect)
		rep.Calls = &Counts{Sent: all.answered, Done: all.answered, Window: all.callsInWindow, PerSecond: calls.PerSecond, Latency: calls.Latency}
	case Broadcast, Rooms:
		rep.Pushes = &Counts{Sent: r.expected.Load(), Done: all.received, Missing: max(0, r.expected.Load()-all.received), Window: all.pushesInWindow,
			PerSecond: float64(all.pushesInWindow) / window, Latency: latencyOf(&all.push)}
		rep.Calls = calls
	case Calls:
		rep.Calls = calls
	}
	if c.Rate > 0 {
		rep.Late = latencyOf(&all.late)
	}
	r.mu.Lock()
	rep.Lost = r.ended
	for _, text := range slices.Sorted(maps.Keys(r.texts)) {
		rep.Errors = append(rep.Errors, CountedText{text, r.texts[text]})
	}
	r.mu.Unlock()
	var done int64
	if main := rep.Main(); main != nil {
		done = main.Window
	}
	if m.serverOK {
		rep.Server = useOf(m.from, m.to, window, done)
		rep.Server.PID = c.PID
	}
	if m.selfOK {
		rep.Self = useOf(m.ownFrom, m.ownTo, window, done)
	}
	return rep
}

// sum adds the shards up. Connections that are still open may go on receiving.
func (r *run) sum() *results {
	all := new(results)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		all.sent += s.sent
		all.answered += s.answered
		all.failed += s.failed
		all.unexpected += s.unexpected
		all.received += s.received
		all.callsInWindow += s.callsInWindow
		all.pushesInWindow += s.pushesInWindow
		all.connects += s.connects
		all.connectsInWindow += s.connectsInWindow
		all.call.merge(&s.call)
		all.push.merge(&s.push)
		all.late.merge(&s.late)
		all.connect.merge(&s.connect)
		all.session.merge(&s.session)
		s.mu.Unlock()
	}
	return all
}

func latencyOf(h *histogram) *Latency {
	if h.n == 0 {
		return nil
	}
	micros := func(v time.Duration) float64 { return float64(v) / 1e3 }
	return &Latency{
		Count: h.n, Min: float64(h.min) / 1e3, Mean: h.sum / float64(h.n) / 1e3, Max: float64(h.max) / 1e3,
		P50: micros(h.quantile(.5)), P90: micros(h.quantile(.9)), P99: micros(h.quantile(.99)), P999: micros(h.quantile(.999)),
	}
}

func useOf(from, to usage, window float64, done int64) *Use {
	u := &Use{CPUSeconds: to.cpu - from.cpu, RSSBytes: to.rss}
	u.Cores = u.CPUSeconds / window
	if done > 0 {
		u.CPUMicros = u.CPUSeconds * 1e6 / float64(done)
	}
	return u
}

func withoutSecrets(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
