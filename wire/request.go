package wire

import "unicode/utf8"

// Nearly all that a server reads are requests as the peer writes them. The functions here read those and are not sure of
// anything else, such as another order of fields, white space, or a fault of any kind: that is for the general readers,
// which give the same frame for what is read here.

const (
	requestHeadJSON    = `{"socka":"clientRequest","v":1,"id":`
	requestHeadMsgpack = "\xa5socka\xadclientRequest\xa1v\x01\xa2id"
)

// follows passes the bytes of s if they come next.
func follows(data []byte, pos *int, s string) bool {
	end := *pos + len(s)
	if end > len(data) || string(data[*pos:end]) != s {
		return false
	}
	*pos = end
	return true
}

// requestJSON stores a request in the zero fr, or returns false if it is not sure.
func (fr *Frame) requestJSON(data []byte) bool {
	r := jsonReader{data: data}
	if !follows(data, &r.pos, requestHeadJSON) {
		return false
	}
	id, escaped, ok := r.str()
	if !ok || escaped || !follows(data, &r.pos, `,"rpc":`) {
		return false
	}
	rpc, escaped, ok := r.str()
	if !ok || escaped || !follows(data, &r.pos, `,"body":`) {
		return false
	}
	from := r.pos
	if r.peek() != '{' || r.pos != from || !r.skip(MaxDepth) {
		return false
	}
	body := data[from:r.pos:r.pos]
	if !follows(data, &r.pos, `}`) || r.pos != len(data) || r.wide != 0 && !utf8.Valid(data) {
		return false
	}
	fr.Kind, fr.ID, fr.RPC, fr.Body = ClientRequest, textOf(id), textOf(rpc), body
	return true
}

// requestMsgpack is requestJSON for msgpack: a map of five fields, in the form of map16 or fixmap.
func (fr *Frame) requestMsgpack(data []byte) bool {
	r := msgReader{data: data}
	if !follows(data, &r.pos, "\xde\x00\x05") && !follows(data, &r.pos, "\x85") || !follows(data, &r.pos, requestHeadMsgpack) {
		return false
	}
	id, ok := r.str()
	if !ok || !follows(data, &r.pos, "\xa3rpc") {
		return false
	}
	rpc, ok := r.str()
	if !ok || !follows(data, &r.pos, "\xa4body") {
		return false
	}
	from := r.pos
	if !isObject(Msgpack, data[from:]) || !r.skip(MaxDepth) || r.pos != len(data) {
		return false
	}
	fr.Kind, fr.ID, fr.RPC, fr.Body = ClientRequest, textOf(id), textOf(rpc), data[from:len(data):len(data)]
	return true
}
