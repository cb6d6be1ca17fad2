package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxFrame bounds what one message from the server may hold, in bytes.
const maxFrame = 16 << 20

// dial connects and makes the opening handshake (RFC 6455 section 4.1), without extensions or subprotocols. early is what
// the server sent right behind its answer.
func dial(ctx context.Context, c *Config, u *url.URL) (nc net.Conn, early []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "wss" {
			port = "443"
		}
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, nil, explain(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // the end of ctx shows as a connection that is cut
	nc = raw
	if u.Scheme == "wss" {
		secure := tls.Client(raw, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: c.Insecure})
		if err = secure.HandshakeContext(ctx); err != nil {
			err = fmt.Errorf("TLS: %w (-insecure takes any certificate)", err)
		}
		nc = secure
	}
	if err == nil {
		early, err = handshake(nc, c, u)
	}
	if !stop() {
		err = fmt.Errorf("the handshake took longer than %v, or was interrupted", c.Timeout)
	}
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	return nc, early, nil
}

func handshake(nc net.Conn, c *Config, u *url.URL) (early []byte, err error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, Host: u.Host, Header: http.Header{}}
	for k, v := range c.Header {
		req.Header[k] = v
		if k == "Host" {
			req.Host = v[0]
		}
	}
	if u.User != nil && req.Header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-Websocket-Version", "13")
	req.Header.Set("Sec-Websocket-Key", key)
	if err := req.Write(nc); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	r := bufio.NewReaderSize(io.LimitReader(nc, 1<<20), 4<<10)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fmt.Errorf("handshake: the server's answer is no HTTP: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return nil, &Refused{Status: resp.StatusCode, Text: clip(strings.TrimSpace(string(text)))}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if resp.Header.Get("Sec-Websocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, errors.New("handshake: the server's Sec-WebSocket-Accept is wrong; is a cache in between?")
	}
	early, _ = r.Peek(r.Buffered())
	return early, nil
}

// Refused is the error of a connection that the server answered with another HTTP status than 101.
type Refused struct {
	Status int
	Text   string // the beginning of the answer's body
}

// Error says what to raise, for the limits of this project's server.
func (e *Refused) Error() string {
	hint := ""
	switch e.Status {
	case http.StatusTooManyRequests:
		hint = "; raise conn.Options.MaxConnectionsPerAddr (1,024 by default), or with many rooms room.Options.RoomsPerSecond and RoomBurst"
	case http.StatusServiceUnavailable:
		hint = "; raise conn.Options.MaxConnections or room.Options.MaxRooms, unless the server is stopping"
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "; credentials are given with -header 'Authorization: …' or in the URL's query"
	case http.StatusNotFound:
		hint = "; the URL must be that of a room"
	}
	return fmt.Sprintf("the server refused the connection with status %d: %s%s", e.Status, e.Text, hint)
}

// explain says what to do about errors of the system.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: is the server running there?", err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: raise the limit of open files with ulimit -n", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no local port is free for this server address; widen net.ipv4.ip_local_port_range or use several addresses", err)
	}
	return err
}

// appendFrame appends a final frame from a client: masked, as RFC 6455 section 5.3 wants it.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	mask := mathrand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, mask)
	start := len(dst)
	dst = append(dst, payload...)
	wide := uint64(mask)<<32 | uint64(mask)
	b := dst[start:]
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
	return dst
}

// parseFrame finds the first frame of a server in b. size is 0 while it is not complete; need is then how many bytes it
// takes in all, as far as that is known.
func parseFrame(b []byte) (op byte, final bool, payload []byte, size, need int, err error) {
	if len(b) < 2 {
		return 0, false, nil, 0, 2, nil
	}
	head, n := 2, int(b[1]&0x7f)
	switch n {
	case 126:
		if head = 4; len(b) < head {
			return 0, false, nil, 0, head, nil
		}
		n = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return 0, false, nil, 0, head, nil
		}
		if l := binary.BigEndian.Uint64(b[2:]); l <= maxFrame {
			n = int(l)
		} else {
			n = maxFrame + 1
		}
	}
	switch {
	case b[0]&0x70 != 0 || b[1]&0x80 != 0:
		return 0, false, nil, 0, 0, errors.New("the server sent a frame that is masked or of an extension nobody asked for")
	case n > maxFrame:
		return 0, false, nil, 0, 0, fmt.Errorf("the server sent a message of more than %d bytes", maxFrame)
	case len(b) < head+n:
		return 0, false, nil, 0, head + n, nil
	}
	return b[0] & 0x0f, b[0]&0x80 != 0, b[head : head+n], head + n, 0, nil
}
