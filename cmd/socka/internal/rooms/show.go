package rooms

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// StatePart is the part with a room's state, and the log with the patches that lead from it to the present one.
const StatePart = "state"

// shownRoom is a room for people.
type shownRoom struct {
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	Epoch   store.Epoch `json:"epoch"`
	Owner   *shownOwner `json:"owner,omitempty"`
	Wake    time.Time   `json:"wake,omitzero"`
	Linger  string      `json:"linger,omitempty"`
	Updated time.Time   `json:"updated,omitzero"`
	Parts   shownNames  `json:"parts,omitempty"`
	Logs    shownNames  `json:"logs,omitempty"`
}

type shownOwner struct {
	ID    store.OwnerID `json:"id"`
	Addr  string        `json:"addr,omitempty"`
	Lives bool          `json:"lives"`
}

type shownNames map[string]any

// shownValue is a part or a record.
type shownValue struct {
	Seq      uint64          `json:"seq,omitempty"`
	Bytes    int             `json:"bytes"`
	Kind     string          `json:"kind,omitempty"`
	Version  uint32          `json:"version,omitempty"`
	Encoding string          `json:"encoding,omitempty"`
	Pushes   uint64          `json:"pushes,omitempty"`
	Patches  int             `json:"patches,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Problem  string          `json:"problem,omitempty"`
	Base64   []byte          `json:"base64,omitempty"` // of what is no snapshot, or a damaged one
}

// Show is a room as indented JSON, with a line feed. Its parts and logs are readable as far as they are snapshots: each with what its header
// says, the state with its patches applied, so that these are left out of the logs.
func Show(r *store.Room, live Owners) ([]byte, error) {
	s := shownRoom{
		Kind: r.Key.Kind, Name: r.Key.Name, Epoch: r.Epoch, Wake: inUTC(r.Wake), Updated: inUTC(r.Updated),
		Parts: make(shownNames), Logs: make(shownNames),
	}
	if r.Linger != 0 {
		s.Linger = r.Linger.String()
	}
	if r.Owner != "" {
		o, lives := live[r.Owner]
		s.Owner = &shownOwner{ID: r.Owner, Addr: o.Addr, Lives: lives}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		s.Parts[name] = shown(r.Parts[name])
	}
	patched := false
	if base, ok := r.Parts[StatePart]; ok && len(r.Logs[StatePart]) > 0 {
		s.Parts[StatePart], patched = withPatches(base, r.Logs[StatePart])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Logs)) {
		if name == StatePart && patched {
			continue
		}
		list := make([]shownValue, 0, len(r.Logs[name]))
		for _, rec := range r.Logs[name] {
			v := shown(rec.Data)
			v.Seq = rec.Seq
			list = append(list, v)
		}
		s.Logs[name] = list
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(s)
	return out.Bytes(), err
}

// shown shows a part or record. What is no snapshot is base64; so is one that is damaged, with what is wrong.
func shown(data []byte) shownValue {
	v := shownValue{Bytes: len(data)}
	value, h, err := snapshot.ToJSON(data)
	if err != nil {
		if !errors.Is(err, snapshot.ErrNotSnapshot) {
			v.Problem = err.Error()
		}
		v.Base64 = data
		return v
	}
	v.header(h)
	v.Value = value
	return v
}

func (v *shownValue) header(h snapshot.Header) {
	v.Kind, v.Version, v.Encoding, v.Pushes = h.Kind, h.Version, h.Encoding.String(), h.Pushes
}

// withPatches shows the state that patches lead to, or if they do not fit, the value they begin with and why not.
func withPatches(base []byte, records []store.Record) (v shownValue, ok bool) {
	patches := make([][]byte, len(records))
	size := len(base)
	for i, r := range records {
		patches[i] = r.Data
		size += len(r.Data)
	}
	value, h, err := snapshot.Apply(base, patches...)
	if err != nil {
		v = shown(base)
		v.Problem = err.Error()
		return v, false
	}
	v = shown(snapshot.Append(nil, h, value))
	v.Bytes, v.Patches = size, len(patches)
	return v, true
}
