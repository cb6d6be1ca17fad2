package conn

import "github.com/gosocka/socka/actors"

// Close codes. The package documentation has the table of what a client should do on each.
const (
	CloseNormal        uint16 = 1000 // the application ended the session in good order
	CloseGoingAway     uint16 = 1001 // the server stops
	CloseProtocolError uint16 = 1002 // the peer broke the WebSocket protocol
	CloseInvalidData   uint16 = 1007 // a text message was not UTF-8, or a compressed one could not be inflated
	CloseMessageTooBig uint16 = 1009 // a message was larger than Options.MaxMessageBytes
	CloseInternal      uint16 = 1011 // a fault of the server

	CloseRefused         uint16 = 4400 // OnAttach refused the session; the reason is "code: message"
	CloseUnauthenticated uint16 = 4401 // the session's authentication is no longer valid
	CloseKicked          uint16 = 4403 // the application removed the session
	CloseRoomClosed      uint16 = 4410 // the application closed the room
	CloseFlood           uint16 = 4429 // the client went on after it was told of a limit

	CloseRoomFailed   uint16 = 4500 // the room failed repeatedly
	CloseSlowConsumer uint16 = 4501 // the client did not read fast enough
	CloseIdle         uint16 = 4502 // nothing at all came from the client for Options.IdleTimeout
	CloseRoomFull     uint16 = 4503 // the room or the server is at its capacity
	CloseUnavailable  uint16 = actors.CloseUnavailable
)

// Codes that are never sent and only reported, as RFC 6455 section 7.4.1 has them.
const (
	closeNoStatus uint16 = 1005 // the peer's close frame had no code
	closeAbnormal uint16 = 1006 // the connection broke without a close frame
)
