package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gosocka/socka/wire"
)

// A Scenario is a sort of load.
type Scenario string

// The scenarios.
const (
	Calls     Scenario = "calls"     // connections that call and wait for answers
	Broadcast Scenario = "broadcast" // one room: some of its members publish to all
	Rooms     Scenario = "rooms"     // many small rooms, in each of which one member publishes
	Idle      Scenario = "idle"      // connections that do nothing
	Churn     Scenario = "churn"     // sessions that connect, call once and leave
)

// Config says what to do. All durations and counts must be set, but where a field
// says otherwise.
type Config struct {
	Scenario Scenario
	URL      string // of a room: ws, wss, http or https; room i of several has "-i" appended to the path
	Header   http.Header
	Wire     wire.Format
	Insecure bool // take any TLS certificate

	Rooms       int
	Connections int // in all for Calls, Idle and Churn; in each room for Broadcast and Rooms
	Publishers  int // of a room; for Broadcast and Rooms
	Depth       int // unanswered calls of one connection
	// Rate is how many calls, publishes or sessions are due each second, in all (in each room for Rooms); 0 is a closed
	// loop.
	Rate float64

	Call string // a call that is answered
	// Body is the call's body in JSON. Every {n} in it is replaced by a number, which pushes may carry back.
	Body   string
	Push   string // name of the push that a publish causes
	Number string // field of the push's body that has the number

	Warmup, Duration time.Duration
	Drain            time.Duration // how long what is under way may take at the end
	Timeout          time.Duration // of connecting one connection

	PID int // the server's process, whose CPU time and memory are read; 0: none

	// Progress, if set, is called about five times a second with what happens.
	Progress func(string)
}

const (
	numberMark = "{n}"
	maxDepth   = 1 << 12
	maxClients = 1 << 20
)

// Check says what of a Config makes no sense.
func (c *Config) Check() error {
	switch c.Scenario {
	case Calls, Broadcast, Rooms, Idle, Churn:
	default:
		return fmt.Errorf("there is no scenario %q", c.Scenario)
	}
	if _, err := c.target(); err != nil {
		return err
	}
	switch {
	case c.Connections < 1 || c.Rooms < 1 || c.Connections > maxClients/c.Rooms:
		return fmt.Errorf("%d connections and %d rooms: use at least 1 of each, and at most %d connections in all", c.Connections, c.Rooms, maxClients)
	case c.pushes() && (c.Publishers < 1 || c.Publishers > c.Connections):
		return fmt.Errorf("%d publishers: use 1 to %d, as many as a room has members", c.Publishers, c.Connections)
	case c.Depth < 1 || c.Depth > maxDepth:
		return fmt.Errorf("depth %d: use 1 to %d", c.Depth, maxDepth)
	case !(c.Rate >= 0 && c.Rate <= 1e9):
		return fmt.Errorf("rate %v: use a number of calls per second, or 0 for a closed loop", c.Rate)
	case c.Warmup < 0 || c.Duration <= 0 || c.Warmup > 24*time.Hour || c.Duration > 24*time.Hour:
		return errors.New("durations must be positive and at most a day")
	case c.Scenario != Idle && c.Call == "":
		return errors.New("a call is needed")
	}
	if c.Scenario == Idle {
		return nil
	}
	body, err := c.body(0)
	if err != nil {
		return err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return fmt.Errorf("the body %s is no JSON object; {n} in it stands for a number", clip(string(body)))
	}
	return nil
}

// pushes reports whether the scenario is about pushes.
func (c *Config) pushes() bool { return c.Scenario == Broadcast || c.Scenario == Rooms }

// body gives the JSON body with a number.
func (c *Config) body(n int64) ([]byte, error) {
	text := []byte(strings.ReplaceAll(c.Body, numberMark, strconv.FormatInt(n, 10)))
	if !json.Valid(text) {
		return nil, fmt.Errorf("the body %s is not JSON; {n} in it stands for a number", clip(string(text)))
	}
	return text, nil
}

// target reads the URL.
func (c *Config) target() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("URL %q: use the address of a room, such as ws://localhost:3451/bench/load", u.Redacted())
	}
	q, err := url.ParseQuery(u.RawQuery)
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("URL %q names no host", u.Redacted())
	case err != nil:
		return nil, fmt.Errorf("URL %q: %w", u.Redacted(), err)
	case q.Has("wire"):
		return nil, fmt.Errorf("URL %q has the parameter wire; choose the encoding with -wire", u.Redacted())
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "wire=" + c.Wire.String()
	u.Fragment = ""
	return u, nil
}

// clip bounds a text from outside that is told to the user.
func clip(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
