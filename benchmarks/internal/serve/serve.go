// Package serve is what the contenders written in Go have in common: a loopback listener whose address is printed, a
// control request that frees unused memory, profiles, and an end when standard input ends, so that no server outlives the program
// that started it.
package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Memory is what a server says of itself, in bytes.
type Memory struct {
	Live       uint64 // bytes of the heap that are reachable; of Go programs only
	Heap       uint64 // spans in use, or for a contender that is not written in Go what its heap uses
	Stack      uint64
	Goroutines int
}

// Run serves mux on a free port of the loopback interface until standard input ends. It prints the address as one line.
// GET /gc collects garbage, returns what is free to the system and answers what is left as JSON, see Memory; GET /profile is a CPU profile over ?seconds.
func Run(mux *http.ServeMux) error {
	RaiseFileLimit()
	mux.HandleFunc("/gc", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC() // moves what is in pools to where the next one finds it
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(Memory{Live: m.HeapAlloc, Heap: m.HeapInuse, Stack: m.StackInuse, Goroutines: runtime.NumGoroutine()})
	})
	mux.HandleFunc("/profile", pprof.Profile)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen on the loopback interface: %w", err)
	}
	server := &http.Server{Handler: mux}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Println(listener.Addr())
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case err := <-failed:
		return err
	case <-ended:
		return server.Close()
	}
}

// RaiseFileLimit sets the limit of open files to the most that the system allows; children inherit it.
func RaiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // without it, many connections fail and say so
	}
}
