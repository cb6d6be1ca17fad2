//go:build unix

package postgrestest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// guard is the process that ends a server and removes its directory once the test binary is no more. A signal to the test
// binary's group does not reach it.
type guard struct {
	cmd  *exec.Cmd
	pipe io.Closer
}

// What the guard runs: it waits for the end of its input. A server that ends takes its pid file away; where nobody collects
// dead processes it may be there as one of those for ever.
const guardScript = `
cat >/dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; then
	i=0
	while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null && [ $i -lt 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
fi
cd / && rm -rf "$1"
`

func startGuard(dir string, attributes *syscall.SysProcAttr) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "sh", dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("postgrestest: the guard does not start: %w", err)
	}
	return &guard{cmd, pipe}, nil
}

// end has the guard do its work now, and waits for it.
func (g *guard) end() error {
	g.pipe.Close()
	late := time.AfterFunc(patience, func() { g.cmd.Process.Kill() })
	defer late.Stop()
	if err := g.cmd.Wait(); err != nil {
		return fmt.Errorf("postgrestest: the guard could not clean up: %w", err)
	}
	return nil
}

// unprivileged says how to start a process that may run Postgres, and who owns its files. Root may not: then it is the user
// postgres.
func unprivileged() (attributes *syscall.SysProcAttr, uid, gid int, err error) {
	attributes = &syscall.SysProcAttr{Setpgid: true}
	uid, gid = os.Getuid(), os.Getgid()
	if uid != 0 {
		return attributes, uid, gid, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%w: root cannot run it, and there is no user postgres: %w", errMissing, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return nil, 0, 0, fmt.Errorf("postgrestest: the user postgres has odd ids: %w", err)
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, uid, gid, nil
}
