//go:build !linux

package sqlite

func systemClock() clock { return wallClock() }
