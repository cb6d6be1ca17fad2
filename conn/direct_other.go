//go:build !linux || 386 || s390x

package conn

import (
	"errors"
	"net"
	"syscall"
)

// directly returns nil: what is written without waiting is written by a system call of Linux.
func directly(net.Conn) syscall.RawConn { return nil }

type attempt struct{}

func (*attempt) init() {}

func (*attempt) write(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *connection) readReady() { c.readBlocking() }
