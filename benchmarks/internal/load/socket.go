package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// dialTimeout bounds a connection's way to being ready.
const dialTimeout = 30 * time.Second

// socket is one client connection. One goroutine reads; any may write.
type socket struct {
	nc      *net.TCPConn
	dialect *Dialect
	buf     []byte // what was read and not taken: buf[r:w]
	r, w    int

	mu  sync.Mutex
	out []byte // scratch of the writer
	msg []byte // scratch of pongs, the reader's
}

// client gives the i-th connection a source address. One has 28,000 ports by default, of which each server's address may
// be used with each.
func client(i int) net.Addr {
	const perAddress = 20_000
	if i < perAddress {
		return nil // whichever the system likes
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/perAddress))}
}

// dial connects from an address or any, upgrades and greets. readBuffer is the size of one read, in bytes.
func dial(ctx context.Context, from net.Addr, addr string, d *Dialect, room string, calls bool, readBuffer int) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := net.Dialer{LocalAddr: from}
	nc, err := dialer.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	s := &socket{nc: nc.(*net.TCPConn), dialect: d, buf: make([]byte, readBuffer)}
	stop := context.AfterFunc(ctx, func() { _ = s.nc.SetDeadline(time.Unix(1, 0)) })
	err = s.open(addr, room, calls)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return s, nil
}

func (s *socket) open(addr, room string, calls bool) error {
	request := "GET " + s.dialect.Target(room, calls) + " HTTP/1.1\r\nHost: " + addr +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c29ja2EgYmVuY2htYXJrcw==\r\n\r\n"
	if _, err := s.nc.Write([]byte(request)); err != nil {
		return err
	}
	for {
		if end := bytes.Index(s.buf[s.r:s.w], []byte("\r\n\r\n")); end >= 0 {
			head := string(s.buf[s.r : s.r+end])
			if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
				return fmt.Errorf("no upgrade: %q", head)
			}
			s.r += end + 4
			break
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	if s.dialect.Hello == nil {
		return nil
	}
	if err := s.send(s.dialect.Hello(room)); err != nil {
		return err
	}
	for ready := false; ; {
		if err := s.next(func(k Kind, _ []byte) { ready = ready || k == Ready }); err != nil || ready {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// close ends the connection with a reset, so that no port is left waiting.
func (s *socket) close() {
	_ = s.nc.SetLinger(0)
	_ = s.nc.Close()
}

// fill reads once.
func (s *socket) fill() error {
	s.makeRoom()
	n, err := s.nc.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom leaves some of buf to read into.
func (s *socket) makeRoom() {
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
	if s.w == len(s.buf) {
		if s.r > 0 {
			s.w = copy(s.buf, s.buf[s.r:s.w])
			s.r = 0
		} else {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
	}
}

// next gives each whole message that was read.
func (s *socket) next(each func(Kind, []byte)) error {
	for {
		first, payload, size, err := cut(s.buf[s.r:s.w])
		if err != nil || size == 0 {
			return err
		}
		s.r += size
		if err := s.take(first, payload, each); err != nil {
			return err
		}
	}
}

// receive reads until something fails, and calls read after each read, and at first for what is there already.
//
// It saves every other read of net.Conn, the one that finds nothing: one that does not fill the buffer has emptied the
// socket, and what comes after that wakes the waiting. For this all of it must be one call of RawConn.Read, which forgets
// earlier wakes when it begins.
func (s *socket) receive(read func() error) error {
	raw, err := s.nc.SyscallConn()
	if err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		for {
			s.makeRoom()
			free := s.buf[s.w:]
			// Not a call that the scheduler must know of: it does not block.
			got, _, code := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&free[0])), uintptr(len(free)))
			switch {
			case code == syscall.EAGAIN:
				return false
			case code == syscall.EINTR:
				continue
			case code != 0:
				failed = code
				return true
			case got == 0:
				failed = io.EOF
				return true
			}
			s.w += int(got)
			if failed = read(); failed != nil {
				return true
			}
			if int(got) < len(free) {
				return false
			}
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// cut finds the first frame of b; size is 0 if it is not whole yet.
func cut(b []byte) (first byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	n, head := int(b[1]), 2
	switch {
	case n > 127:
		return 0, nil, 0, errors.New("a masked frame from a server")
	case n == 126:
		if head = 4; len(b) < head {
			return 0, nil, 0, nil
		}
		n = int(binary.BigEndian.Uint16(b[2:]))
	case n == 127:
		if head = 10; len(b) < head {
			return 0, nil, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > 1<<24 {
			return 0, nil, 0, fmt.Errorf("a frame of %d bytes", long)
		}
		n = int(long)
	}
	if len(b) < head+n {
		return 0, nil, 0, nil
	}
	return b[0], b[head : head+n], head + n, nil
}

func (s *socket) take(first byte, payload []byte, each func(Kind, []byte)) error {
	switch first {
	case 0x81, 0x82:
		if !s.dialect.Lines {
			return s.message(payload, each)
		}
		for line := range bytes.SplitSeq(payload, []byte{'\n'}) {
			if len(line) > 0 {
				if err := s.message(line, each); err != nil {
					return err
				}
			}
		}
		return nil
	case 0x89:
		s.msg = appendFrame(s.msg[:0], 0x8a, payload)
		return s.write(s.msg)
	case 0x8a:
		return nil
	case 0x88:
		if len(payload) >= 2 {
			return fmt.Errorf("the server closed with %d %q", binary.BigEndian.Uint16(payload), payload[2:])
		}
		return errors.New("the server closed")
	}
	return fmt.Errorf("a frame that begins with %#x", first)
}

func (s *socket) message(m []byte, each func(Kind, []byte)) error {
	switch k := s.dialect.Kind(m); k {
	case Failure:
		return fmt.Errorf("the server said %q", m[:min(len(m), 300)])
	case Ping:
		return s.send(s.dialect.Pong)
	default:
		each(k, m)
		return nil
	}
}

func (s *socket) send(text string) error { return s.write(appendFrame(nil, 0x81, []byte(text))) }

// frame appends a masked frame with a message that build appends. Only for the goroutine that writes.
func (s *socket) frame(dst []byte, build func([]byte) []byte) []byte {
	s.out = build(s.out[:0])
	first := byte(0x81)
	if s.dialect.Binary {
		first = 0x82
	}
	return appendFrame(dst, first, s.out)
}

func (s *socket) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.nc.Write(b)
	return err
}

// appendFrame appends a masked frame; the key is always the same, which costs a server no less.
func appendFrame(dst []byte, first byte, payload []byte) []byte {
	const key = 0xa5c33c5a
	dst = append(dst, first)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	at := len(dst)
	dst = append(dst, payload...)
	b := dst[at:]
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^(key<<32|key))
	}
	for i := range b {
		b[i] ^= byte(uint32(key) >> (8 * (i & 3)))
	}
	return dst
}
