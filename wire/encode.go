package wire

// ErrorFrame is what a serverError carries. The zero value of an optional field leaves it out.
type ErrorFrame struct {
	ID    string
	Error string
	RPC   string // optional
	// Code is sent if HasCode is true, also when it is empty.
	Code    string
	HasCode bool
	// Data is one value in the frame's format, sent as it is; nil sends none.
	Data []byte
	// RetryAfter is sent in milliseconds if it is positive.
	RetryAfter int64
}

// The Append functions below write an envelope with its fields in the order of @firtoz/socka. A body is one value in the
// frame's format and is copied as it is. Bytes of a string that are not UTF-8 become U+FFFD.

// AppendRequest appends a clientRequest. A nil body is sent as {}.
func AppendRequest(dst []byte, f Format, id, rpc string, body []byte) []byte {
	w := openFrame(dst, f, ClientRequest, 5)
	w.text("id", id)
	w.text("rpc", rpc)
	if body == nil {
		body = emptyObject[f]
	}
	w.raw("body", body)
	return w.close()
}

// AppendResponse appends a serverResponse. A nil body is a void output: absent in JSON, undefined in msgpack.
func AppendResponse(dst []byte, f Format, id, rpc string, body []byte) []byte {
	w := openFrame(dst, f, ServerResponse, 5)
	w.text("id", id)
	w.text("rpc", rpc)
	w.body(body)
	return w.close()
}

// OpenResponse appends a serverResponse up to the place of its body: what follows is one value in the format, and
// [CloseFrame]. Together they are the bytes of [AppendResponse].
func OpenResponse(dst []byte, f Format, id, rpc string) []byte {
	w := openFrame(dst, f, ServerResponse, 5)
	w.text("id", id)
	w.text("rpc", rpc)
	w.key("body")
	return w.dst
}

// OpenEvent appends a serverEvent up to the place of its body, as [OpenResponse] does.
func OpenEvent(dst []byte, f Format, event string) []byte {
	w := openFrame(dst, f, ServerEvent, 4)
	w.text("event", event)
	w.key("body")
	return w.dst
}

// CloseFrame appends the end of a frame that was opened, after its body.
func CloseFrame(dst []byte, f Format) []byte {
	w := frameWriter{dst, f}
	return w.close()
}

// AppendError appends a serverError.
func AppendError(dst []byte, f Format, e ErrorFrame) []byte {
	n := 4
	for _, set := range [...]bool{e.RPC != "", e.HasCode, e.Data != nil, e.RetryAfter > 0} {
		if set {
			n++
		}
	}
	w := openFrame(dst, f, ServerError, n)
	w.text("id", e.ID)
	w.text("error", e.Error)
	if e.RPC != "" {
		w.text("rpc", e.RPC)
	}
	if e.HasCode {
		w.text("code", e.Code)
	}
	if e.Data != nil {
		w.raw("data", e.Data)
	}
	if e.RetryAfter > 0 {
		w.key("retryAfter")
		w.dst = appendInt(w.dst, f, min(e.RetryAfter, maxSafe))
	}
	return w.close()
}

// AppendEvent appends a serverEvent. A nil body is sent as that of [AppendResponse].
func AppendEvent(dst []byte, f Format, event string, body []byte) []byte {
	w := openFrame(dst, f, ServerEvent, 4)
	w.text("event", event)
	w.body(body)
	return w.close()
}

var emptyObject = [...][]byte{JSON: []byte("{}"), Msgpack: {0xde, 0, 0}}

// undefined is the extension by which the peer writes undefined.
var undefined = []byte{0xd4, 0, 0}

type frameWriter struct {
	dst []byte
	f   Format
}

// openFrame writes the head of an envelope of n fields; n counts for msgpack only.
func openFrame(dst []byte, f Format, k Kind, n int) frameWriter {
	if f == JSON {
		dst = append(dst, `{"socka":"`...)
		dst = append(dst, kindNames[k]...)
		return frameWriter{append(dst, `","v":1`...), f}
	}
	dst = append(dst, 0xde, 0, byte(n))
	dst = appendString(dst, f, "socka")
	dst = appendString(dst, f, kindNames[k])
	return frameWriter{append(dst, 0xa1, 'v', 1), f}
}

func (w *frameWriter) key(name string) { w.dst = appendKey(w.dst, w.f, 1, name) }

func (w *frameWriter) text(name, s string) {
	w.key(name)
	w.dst = appendString(w.dst, w.f, toValid(s))
}

func (w *frameWriter) raw(name string, value []byte) {
	w.key(name)
	w.dst = append(w.dst, value...)
}

func (w *frameWriter) body(body []byte) {
	switch {
	case body != nil:
		w.raw("body", body)
	case w.f == Msgpack:
		w.raw("body", undefined)
	}
}

func (w *frameWriter) close() []byte {
	if w.f == JSON {
		return append(w.dst, '}')
	}
	return w.dst
}
