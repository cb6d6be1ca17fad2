package rooms

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gosocka/socka/store"
)

const (
	formatName    = "socka-rooms"
	formatVersion = 1
)

// head is the first line of a file.
type head struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	Exported time.Time `json:"exported"`
}

// line is any other.
type line struct {
	Room json.RawMessage `json:"room,omitempty"`
	Sum  string          `json:"crc32c,omitempty"`
	End  *end            `json:"end,omitempty"`
}

type end struct {
	Rooms int64 `json:"rooms"`
}

// saved is a room in a file.
type saved struct {
	Kind    text       `json:"kind"`
	Name    text       `json:"name"`
	Wake    time.Time  `json:"wake,omitzero"`
	Linger  duration   `json:"linger,omitzero"`
	Updated time.Time  `json:"updated,omitzero"`
	Parts   []part     `json:"parts,omitempty"`
	Logs    []savedLog `json:"logs,omitempty"`
}

type part struct {
	Name text   `json:"name"`
	Data []byte `json:"data"`
}

type savedLog struct {
	Name    text     `json:"name"`
	Records []record `json:"records"`
}

type record struct {
	Seq  uint64 `json:"seq"`
	Data []byte `json:"data"`
}

// text is a string that may be any bytes.
type text string

// MarshalJSON writes a string, or an object with base64.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(map[string][]byte{"base64": []byte(t)})
}

// UnmarshalJSON reads either.
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var raw struct {
			Base64 []byte `json:"base64"`
		}
		if err := json.Unmarshal(data, &raw); err != nil {
			return err
		}
		*t = text(raw.Base64)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// duration is written as people write it.
type duration time.Duration

// MarshalText writes it as time.Duration does.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads that.
func (d *duration) UnmarshalText(data []byte) error {
	v, err := time.ParseDuration(string(data))
	*d = duration(v)
	return err
}

func toSaved(r *store.Room) *saved {
	s := &saved{
		Kind: text(r.Key.Kind), Name: text(r.Key.Name),
		Wake: inUTC(r.Wake), Linger: duration(r.Linger), Updated: inUTC(r.Updated),
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		s.Parts = append(s.Parts, part{text(name), r.Parts[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Logs)) {
		l := savedLog{Name: text(name)}
		for _, rec := range r.Logs[name] {
			l.Records = append(l.Records, record(rec))
		}
		s.Logs = append(s.Logs, l)
	}
	return s
}

func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func (s *saved) key() store.Key { return store.Key{Kind: string(s.Kind), Name: string(s.Name)} }

// bytes is the size of all parts and records.
func (s *saved) bytes() int64 {
	var n int64
	for _, p := range s.Parts {
		n += int64(len(p.Data))
	}
	for _, l := range s.Logs {
		for _, r := range l.Records {
			n += int64(len(r.Data))
		}
	}
	return n
}

// check says what a room cannot have.
func (s *saved) check() error {
	if err := store.CheckKey(s.key()); err != nil {
		return err
	}
	parts, logs := make(map[text]bool), make(map[text]bool)
	for _, p := range s.Parts {
		if parts[p.Name] {
			return fmt.Errorf("part %q is there twice", p.Name)
		}
		parts[p.Name] = true
	}
	for _, l := range s.Logs {
		if logs[l.Name] {
			return fmt.Errorf("log %q is there twice", l.Name)
		}
		logs[l.Name] = true
		for i, r := range l.Records {
			if i > 0 && l.Records[i-1].Seq >= r.Seq {
				return fmt.Errorf("log %q has record %d behind record %d", l.Name, r.Seq, l.Records[i-1].Seq)
			}
		}
	}
	return store.CheckBatch(s.batch(&store.Room{Key: s.key()}))
}

// same says whether a room has what the file has.
func (s *saved) same(r *store.Room) bool {
	if !s.Wake.Equal(r.Wake) || time.Duration(s.Linger) != r.Linger || len(s.Parts) != len(r.Parts) || len(s.Logs) != len(r.Logs) {
		return false
	}
	for _, p := range s.Parts {
		if have, ok := r.Parts[string(p.Name)]; !ok || !bytes.Equal(have, p.Data) {
			return false
		}
	}
	for _, l := range s.Logs {
		equal := func(a record, b store.Record) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) }
		if !slices.EqualFunc(l.Records, r.Logs[string(l.Name)], equal) {
			return false
		}
	}
	return true
}

// batch is what makes of a room that was acquired the room of the file, and releases it.
func (s *saved) batch(now *store.Room) *store.Batch {
	b := &store.Batch{Key: now.Key, Epoch: now.Epoch, Number: 1, Wake: s.Wake, Linger: time.Duration(s.Linger), Then: store.Release}
	kept := make(map[string]bool)
	for _, p := range s.Parts {
		kept[string(p.Name)] = true
		b.Put = append(b.Put, store.Part{Name: string(p.Name), Data: p.Data})
	}
	for _, name := range slices.Sorted(maps.Keys(now.Parts)) {
		if !kept[name] {
			b.Delete = append(b.Delete, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Logs)) {
		if records := now.Logs[name]; len(records) > 0 {
			b.Trim = append(b.Trim, store.Trim{Log: name, Before: records[len(records)-1].Seq + 1})
		}
	}
	for _, l := range s.Logs {
		for _, r := range l.Records {
			b.Append = append(b.Append, store.Append{Log: string(l.Name), Record: store.Record(r)})
		}
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(room []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(room, castagnoli)) }

// writeLine writes a value and a line feed.
func writeLine(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}

// toLine is a room with its checksum.
func toLine(r *store.Room) (*line, error) {
	data, err := json.Marshal(toSaved(r))
	if err != nil {
		return nil, err
	}
	return &line{Room: data, Sum: sumOf(data)}, nil
}

// errDamaged is that of a line that is not what was written.
var errDamaged = errors.New("damaged")

// readHead reads the first line.
func readHead(r *bufio.Reader) (head, error) {
	var h head
	data, err := r.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return h, err
	}
	switch err := json.Unmarshal(data, &h); {
	case err != nil || h.Format != formatName:
		return h, fmt.Errorf("this is no file of rooms: its first line does not say \"format\":%q; it is written by socka store export", formatName)
	case h.Version > formatVersion:
		return h, fmt.Errorf("the file is of version %d, this program reads version %d; use the program that wrote it, or a later one", h.Version, formatVersion)
	case h.Version < 1:
		return h, fmt.Errorf("the file is of version %d, which there never was", h.Version)
	}
	return h, nil
}

// readLine reads any other line: a room, or the end with nil.
func readLine(data []byte) (*saved, *end, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if l.End != nil {
		return nil, l.End, nil
	}
	if l.Room == nil {
		return nil, nil, fmt.Errorf("%w: it has neither a room nor the end", errDamaged)
	}
	if got := sumOf(l.Room); got != l.Sum {
		return nil, nil, fmt.Errorf("%w: the checksum of its room is %s, and should be %s", errDamaged, got, l.Sum)
	}
	s := new(saved)
	if err := json.Unmarshal(l.Room, s); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := s.check(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return s, nil, nil
}
