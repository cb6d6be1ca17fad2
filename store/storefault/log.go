package storefault

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/gosocka/socka/store"
)

// logLines is how many lines of the log are kept.
const logLines = 1000

// Log says what has happened, for the message of a test that failed: a line for each call, when it returned, with the time
// since Wrap, what was done, and what the caller was told. It keeps the last 1,000.
func (s *Store) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	if s.dropped > 0 {
		fmt.Fprintf(&b, "(%d lines before)\n", s.dropped)
	}
	oldest := s.dropped % logLines
	for i := range s.lines {
		b.WriteString(s.lines[(oldest+i)%len(s.lines)])
		b.WriteByte('\n')
	}
	return b.String()
}

// note adds a line to the log, with mu held.
func (s *Store) note(format string, args ...any) {
	line := fmt.Sprintf("%v ", time.Since(s.start).Round(time.Microsecond)) + fmt.Sprintf(format, args...)
	if len(s.lines) < logLines {
		s.lines = append(s.lines, line)
		return
	}
	s.lines[s.dropped%logLines] = line
	s.dropped++
}

// describe names the batches of a Save, the first ones if there are many.
func describe(batches []store.Batch) string {
	const most = 4
	var list []string
	for i := range batches[:min(len(batches), most)] {
		b := &batches[i]
		then := [...]string{"", " release", " remove"}[min(b.Then, store.Remove)]
		list = append(list, fmt.Sprintf("%s %d#%d%s", b.Key, b.Epoch, b.Number, then))
	}
	if len(batches) > most {
		list = append(list, fmt.Sprintf("and %d more", len(batches)-most))
	}
	return strings.Join(list, ", ")
}

// summary is the error of a Save, for the log.
func summary(errs []error) error {
	var first error
	n := 0
	for _, err := range errs {
		if err != nil {
			n++
			first = cmp.Or(first, err)
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d failed, the first: %w", n, len(errs), first)
}
