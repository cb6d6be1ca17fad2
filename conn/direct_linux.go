//go:build !386 && !s390x

package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// directly returns the way to write to a socket without waiting, nil if there is none. Only a plain TCP connection has
// one: what is written to any other passes through code that keeps a state of its own.
func directly(nc net.Conn) syscall.RawConn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// dontWait are the flags of reads and writes.
const dontWait = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL

// attempt is one write that does not wait. It is kept, so that writing allocates nothing.
type attempt struct {
	p     []byte
	n     int
	errno syscall.Errno
	call  func(fd uintptr) bool
}

func (a *attempt) init() {
	// The scheduler is not told of the system call, which does not wait. send does less than write before it comes to the
	// socket.
	a.call = func(fd uintptr) bool {
		for {
			n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(a.p))), uintptr(len(a.p)), dontWait, 0, 0)
			if errno == syscall.EINTR {
				continue
			}
			if a.errno = errno; errno == 0 {
				a.n = int(n)
			}
			return true
		}
	}
}

// write writes as much of p as the socket takes now.
func (a *attempt) write(to syscall.RawConn, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	a.p, a.n, a.errno = p, 0, 0
	err := to.Write(a.call)
	a.p = nil
	switch {
	case err != nil:
		return 0, err
	case a.errno == 0, a.errno == syscall.EAGAIN:
		return a.n, nil
	}
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", a.errno)}
}

// readReady reads from a socket of which the runtime says when there is something to read. While it waits it needs no
// buffer.
func (c *connection) readReady() {
	if c.parse() { // what came with the handshake
		return
	}
	ready := c.onReadable
	for {
		err := c.direct.Read(ready)
		switch {
		case c.reader.over:
			return
		case err == nil: // it closes: there are deadlines to look at
		case !errors.Is(err, os.ErrDeadlineExceeded), !c.noticeDeadline():
			c.reader.err = err
			return
		}
	}
}

// onReadable reads until there is nothing left for now, and returns false. It returns true when reading is over, or when the
// connection closes: to call it again is to look at the deadline first. Each call begins with a read, since calling it
// anew may forget what the runtime has told.
//
// The runtime tells once of what has come, so the end of the stream must not be overlooked behind the last bytes. A read
// that finds nothing would tell, and costs a twentieth of a call. It is left out after a call: a peer that has closed its
// socket answers the answer with a reset, of which the runtime tells. Of one that has closed only its half, or gets no
// answer, the sweeper makes sure.
func (c *connection) onReadable(fd uintptr) bool {
	for {
		p := c.reader.input.space()
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			c.doubt(false)
			c.reader.input.rest()
			return false
		case errno != 0:
			c.reader.err, c.reader.over = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno)}, true
			return true
		case n == 0:
			c.reader.err, c.reader.over = io.EOF, true
			return true
		default:
			c.hear(int(n))
			c.reader.input.n += int(n)
			if c.reader.over = c.parse(); c.reader.over || c.shutting.Load() {
				return true
			}
			if int(n) < len(p) && c.unanswered() > 0 {
				c.doubt(true)
				c.reader.input.rest()
				return false
			}
		}
	}
}

// doubt says whether the end of the stream may have come unseen. On a busy connection it may all the time.
func (c *connection) doubt(unsure bool) {
	if c.unsure.Load() != unsure {
		c.unsure.Store(unsure)
	}
}
