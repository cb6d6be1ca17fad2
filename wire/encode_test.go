package wire

import (
	"bytes"
	"testing"
)

// What is opened, filled and closed is what the Append functions write.
func TestOpenedFrames(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		body := emptyObject[f]
		for _, s := range []string{"a-1", "", "é\"\n\xff"} {
			got := CloseFrame(append(OpenResponse([]byte("x"), f, s, s), body...), f)
			if want := AppendResponse([]byte("x"), f, s, s, body); !bytes.Equal(got, want) {
				t.Errorf("%v response %q, want %q", f, got, want)
			}
			got = CloseFrame(append(OpenEvent([]byte("x"), f, s), body...), f)
			if want := AppendEvent([]byte("x"), f, s, body); !bytes.Equal(got, want) {
				t.Errorf("%v event %q, want %q", f, got, want)
			}
		}
	}
}
