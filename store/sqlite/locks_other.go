//go:build !linux

package sqlite

import (
	"io/fs"
	"time"
)

// locks are not there: the kernel has none that are dropped with the process and belong to one handle of it.
type locks struct{}

func openLocks(string, fs.FileMode) (*locks, error) { return nil, nil }

func (l *locks) hold(int64) (bool, error) { return false, nil }
func (l *locks) drop(int64)               {}
func (l *locks) dead(int64) bool          { return false }
func (l *locks) enter(time.Time) bool     { return false }
func (l *locks) leave()                   {}
func (l *locks) close() error             { return nil }
