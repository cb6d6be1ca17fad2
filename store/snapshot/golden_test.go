package snapshot

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// A golden file has a frame as people see it and its bytes in hexadecimal, after the line "bytes". There is a folder for each
// layout; only those of the present one are ever rewritten.
type golden struct {
	text  string
	bytes []byte
}

func present() string { return fmt.Sprintf("layout%d", Layout) }

// goldens are frames of all sorts, in the present layout.
func goldens(t *testing.T) map[string][]byte {
	t.Helper()
	type row struct {
		Text string    `json:"text"`
		At   time.Time `json:"at"`
	}
	state := struct {
		Rows  []row          `json:"rows"`
		Seen  map[string]int `json:"seen"`
		Big   uint64         `json:"big"`
		Image []byte         `json:"image"`
		Ratio float64        `json:"ratio"`
	}{
		Rows: []row{{"hello <&> ü", time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)}},
		Seen: map[string]int{"zoe": -1, "ada": 70000, "bob": 200}, Big: 1<<64 - 1, Image: []byte{0, 0xff}, Ratio: 0.1,
	}
	frames := make(map[string][]byte)
	for _, e := range []Encoding{JSON, Msgpack} {
		body, err := e.Marshal(&state)
		if err != nil {
			t.Fatal(err)
		}
		h := Header{Kind: "state", Version: 7, Encoding: e, Pushes: 1 << 40}
		frames["state-"+e.String()] = Append(nil, h, body)
		state.Rows[0].Text, state.Seen["bob"] = "hi", 201
		changed, err := e.Marshal(&state)
		if err != nil {
			t.Fatal(err)
		}
		state.Rows[0].Text, state.Seen["bob"] = "hello <&> ü", 200
		h.Pushes++
		frames["patch-"+e.String()] = AppendPatch(nil, h, Diff(body, changed))
	}
	frames["session"] = Append(nil, Header{Kind: "session"}, []byte("null"))
	return frames
}

func dump(data []byte) string {
	var b strings.Builder
	text, h, err := ToJSON(data)
	fmt.Fprintf(&b, "layout %d, kind %q, version %d, encoding %s, pushes %d\n", h.Layout, h.Kind, h.Version, h.Encoding, h.Pushes)
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	} else {
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.String()
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (written with -update)", err)
	}
	text, dumped, ok := strings.Cut(string(data), "bytes\n")
	if !ok {
		t.Fatalf("%s has no line \"bytes\"", path)
	}
	raw, err := hex.DecodeString(strings.Join(strings.Fields(dumped), ""))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return golden{text, raw}
}

func TestGolden(t *testing.T) {
	frames := goldens(t)
	for name, data := range frames {
		path := filepath.Join("testdata", present(), name+".txt")
		if *update {
			text := dump(data) + "bytes\n"
			for line := range slices.Chunk(data, 32) {
				text += hex.EncodeToString(line) + "\n"
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := readGolden(t, path); !bytes.Equal(data, want.bytes) {
			t.Errorf("%s: written as\n%x\nwant\n%x", path, data, want.bytes)
		}
	}
}

// Every frame of every layout that ever was is read, and says what it said then.
func TestPastLayoutsOpen(t *testing.T) {
	for layout := 1; layout <= Layout; layout++ {
		paths, err := filepath.Glob(filepath.Join("testdata", fmt.Sprintf("layout%d", layout), "*.txt"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("layout %d has no files (%v)", layout, err)
		}
		for _, path := range paths {
			g := readGolden(t, path)
			if got := dump(g.bytes); got != g.text {
				t.Errorf("%s is read as\n%s\nwant\n%s", path, got, g.text)
			}
			if !strings.HasPrefix(g.text, fmt.Sprintf("layout %d,", layout)) {
				t.Errorf("%s is of another layout: %.12s", path, g.text)
			}
		}
		folder := filepath.Dir(paths[0])
		for _, e := range []Encoding{JSON, Msgpack} {
			base, patch := readGolden(t, filepath.Join(folder, "state-"+e.String()+".txt")), readGolden(t, filepath.Join(folder, "patch-"+e.String()+".txt"))
			value, h, err := Apply(base.bytes, patch.bytes)
			if err != nil || h.Pushes != 1<<40+1 {
				t.Fatalf("%s: the patch of the state in %s: header %+v, error %v", folder, e, h, err)
			}
			text, err := valueToJSON(e, value)
			if err != nil || !bytes.Contains(text, []byte(`{"text":"hi",`)) || !bytes.Contains(text, []byte(`"bob":201`)) {
				t.Errorf("%s: the patched state in %s is %s, error %v", folder, e, text, err)
			}
		}
	}
}

// One flipped bit, wherever it is, is noticed.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	frames := goldens(t)
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		data := frames[name]
		if _, err := parse(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range len(data) * 8 {
			data[i/8] ^= 1 << (i % 8)
			want := ErrCorrupt
			if i/8 < len(magic) {
				want = ErrNotSnapshot
			}
			if _, err := parse(data); !errors.Is(err, want) {
				t.Errorf("%s with bit %d flipped: error %v, want %v", name, i, err, want)
			}
			data[i/8] ^= 1 << (i % 8)
		}
	}
}

// Cut off anywhere, or longer, a frame is refused.
func TestEveryLengthIsNoticed(t *testing.T) {
	for name, data := range goldens(t) {
		for n := range len(data) {
			if f, err := parse(data[:n]); err == nil {
				t.Errorf("%s cut off after %d bytes of %d is read as %+v", name, n, len(data), f)
			}
		}
		if f, err := parse(append(data, 0)); err == nil {
			t.Errorf("%s with a byte behind it is read as %+v", name, f)
		}
	}
}
