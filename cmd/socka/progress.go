package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// quietTime is how often progress is told where it cannot be overwritten, such as in the log of a CI.
const quietTime = 5 * time.Second

// progress is one line that is written over and over on a terminal, and a line every few seconds elsewhere. A nil
// progress tells nothing.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	width    int // of what stands there
	last     time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, last: time.Now()}
	p.terminal = isTerminal(w)
	return p
}

// isTerminal says whether somebody reads or types there.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p *progress) tell(line string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
		p.width = len(line)
		return
	}
	if now := time.Now(); now.Sub(p.last) >= quietTime {
		p.last = now
		fmt.Fprintln(p.w, line)
	}
}

func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}
