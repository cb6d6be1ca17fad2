//go:build !linux && !darwin

package load

// allowFiles leaves the limit of open files to the system.
func allowFiles(int) error { return nil }
