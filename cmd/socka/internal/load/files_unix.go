//go:build linux || darwin

package load

import (
	"fmt"
	"syscall"
)

// allowFiles raises the limit of open files to what n connections need. The Go runtime has raised the soft limit to the
// hard one already; beyond that takes privileges.
func allowFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= uint64(n) {
		return nil
	}
	had := limit.Max
	limit.Cur, limit.Max = uint64(n), max(limit.Max, uint64(n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d open files are needed and %d allowed: raise the limit with ulimit -n %d (as root if it is a hard one), or use fewer connections", n, had, n)
	}
	return nil
}
