package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/lxzan/gws"
)

// sleeper is a server of echoes that says how often rooms have slept: each answer is the next of a list, the last one for
// ever.
func sleeper(t *testing.T, answers ...int) (s Server, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	upgrader := gws.NewUpgrader(&everyone{alone: true}, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/gc", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(serve.Memory{Heap: 1 << 20})
	})
	mux.HandleFunc("/rooms", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/slept", func(w http.ResponseWriter, _ *http.Request) {
		n := int(asked.Add(1)) - 1
		fmt.Fprintln(w, answers[min(n, len(answers)-1)])
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return Server{Addr: server.Listener.Addr().String(), PID: os.Getpid(), Dialect: GWS()}, asked
}

func TestRoomsAreWokenOnceAllSleep(t *testing.T) {
	for name, c := range map[string]struct {
		load    Asleep
		answers []int
	}{
		"a room each": {Asleep{Connections: 4, Wakes: 2}, []int{7, 7, 10, 11}},
		"one room":    {Asleep{Connections: 4, Shared: true}, []int{7, 7, 7, 8}},
	} {
		server, asked := sleeper(t, c.answers...)
		s, err := c.load.Run(t.Context(), server)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := int(asked.Load()); n != len(c.answers) {
			t.Errorf("%s: it asked %d times how many sleep, want %d", name, n, len(c.answers))
		}
		if woken := s.Wake.P50 > 0 && s.Call.P50 > 0; woken != (c.load.Wakes > 0) {
			t.Errorf("%s: waking took %v, and calls after it %v", name, s.Wake.P50, s.Call.P50)
		}
	}
}

func TestRoomsThatSleepTooEarlyFailTheMeasurement(t *testing.T) {
	const want = "1 rooms slept before all 2 were awake"
	server, _ := sleeper(t, 7, 8)
	if _, err := (Asleep{Connections: 2}).Run(t.Context(), server); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("with connections: %v, want %q", err, want)
	}
	server, _ = sleeper(t, 7, 8)
	if _, _, err := (Rooms{Rooms: 2}).Asleep(t.Context(), server); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("without: %v, want %q", err, want)
	}
}

func TestMemoryOfRoomsIsReadOnceAllSleep(t *testing.T) {
	server, asked := sleeper(t, 7, 7, 8, 9)
	if _, _, err := (Rooms{Rooms: 2}).Asleep(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("it asked %d times how many sleep, want 4", n)
	}
}
