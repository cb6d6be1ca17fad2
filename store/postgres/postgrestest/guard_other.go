//go:build !unix

package postgrestest

import (
	"fmt"
	"runtime"
	"syscall"
)

type guard struct{}

func startGuard(string, *syscall.SysProcAttr) (*guard, error) { return &guard{}, nil }

func (*guard) end() error { return nil }

func unprivileged() (attributes *syscall.SysProcAttr, uid, gid int, err error) {
	return nil, 0, 0, fmt.Errorf("%w: this package does not know how to run it on %s", errMissing, runtime.GOOS)
}
