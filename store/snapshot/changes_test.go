package snapshot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// message and chat are a state as rooms have it: a list that grows or is bounded, and some counters.
type message struct {
	ID   int       `json:"id"`
	User string    `json:"user"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

type chat struct {
	Topic  string         `json:"topic"`
	Total  int            `json:"total"`
	Rows   []message      `json:"rows"`
	Seen   map[string]int `json:"seen"`
	Marker string         `json:"marker"`
}

var words = strings.Fields("the room is open to all who want it and nobody has asked why so far but one may still wonder when that ends")

// says makes a message. Those that are alike differ in their numbers alone.
func says(r *rand.Rand, id int, alike bool) message {
	m := message{ID: id, User: "ada", Text: "hello everybody", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if alike {
		return m
	}
	m.User, m.At = words[r.IntN(len(words))], m.At.Add(time.Duration(id)*time.Second+time.Duration(r.IntN(1e9)))
	var text []string
	for range 2 + r.IntN(10) {
		text = append(text, words[r.IntN(len(words))])
	}
	m.Text = strings.Join(text, " ")
	return m
}

func newChat(r *rand.Rand, rows int, alike bool) *chat {
	c := &chat{Topic: "general", Total: rows, Seen: map[string]int{}, Marker: "end"}
	for i := range rows {
		c.Rows = append(c.Rows, says(r, 100000+i, alike))
	}
	for i := range 50 {
		c.Seen[fmt.Sprintf("user%d", i)] = i * 37
	}
	return c
}

// chatOf has about as many bytes in an encoding as are asked for.
func chatOf(t testing.TB, r *rand.Rand, e Encoding, size int, alike bool) *chat {
	some := newChat(r, 100, alike)
	return newChat(r, 100*size/len(encoded(t, e, some)), alike)
}

func encoded(t testing.TB, e Encoding, v any) []byte {
	t.Helper()
	data, err := e.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A change is what a turn does to a chat.
type change struct {
	name  string
	alike bool                        // the rows are, but for their numbers
	make  func(*rand.Rand, *chat)     // the change
	most  func(n int) (patchSize int) // that a patch of a value of n bytes may have then, frame and all
}

func bytesAtMost(n int) func(int) int { return func(int) int { return n } }

func everyRow(c *chat, f func(*message)) {
	for i := range c.Rows {
		f(&c.Rows[i])
	}
}

// The first five are those that there will be most of.
var changes = []change{
	{"append", false, func(r *rand.Rand, c *chat) {
		c.Total++
		c.Rows = append(c.Rows, says(r, 900000, false))
	}, bytesAtMost(250)},
	{"drop and append", false, func(r *rand.Rand, c *chat) {
		c.Total++
		c.Rows = append(c.Rows[1:], says(r, 900000, false))
	}, bytesAtMost(300)},
	{"drop and append, all alike", true, func(r *rand.Rand, c *chat) {
		c.Total++
		c.Rows = append(c.Rows[1:], says(r, 900000, true))
	}, bytesAtMost(250)},
	{"newest first", true, func(r *rand.Rand, c *chat) {
		c.Total++
		c.Rows = slices.Insert(c.Rows[:len(c.Rows)-1], 0, says(r, 900000, true))
	}, bytesAtMost(250)},
	{"three fields", false, func(_ *rand.Rand, c *chat) {
		c.Rows[len(c.Rows)/2].Text += ", edited"
		c.Rows[len(c.Rows)/2+10].User = "somebody else"
		c.Rows[len(c.Rows)/4*3].ID++
	}, bytesAtMost(150)},
	{"three fields of a row", false, func(_ *rand.Rand, c *chat) {
		m := &c.Rows[len(c.Rows)/2]
		m.ID, m.User, m.At = 1, "somebody else", m.At.Add(time.Hour)
	}, bytesAtMost(250)},
	{"a quote", false, func(_ *rand.Rand, c *chat) {
		c.Rows[10].Text += c.Rows[len(c.Rows)-10].Text + c.Rows[len(c.Rows)-10].Text
	}, bytesAtMost(300)},
	{"the last one first", false, func(_ *rand.Rand, c *chat) {
		last := len(c.Rows) - 1
		c.Rows = slices.Insert(c.Rows[:last], 0, c.Rows[last])
	}, bytesAtMost(300)},
	{"the last tenth kept", false, func(r *rand.Rand, c *chat) {
		c.Total = 0
		c.Rows = append(c.Rows[len(c.Rows)/10*9:], says(r, 900000, false))
	}, bytesAtMost(300)},
	{"a counter in every row", false, func(_ *rand.Rand, c *chat) {
		everyRow(c, func(m *message) { m.ID += 7 })
	}, func(n int) int { return n / 10 }},
	{"a text in every row", false, func(r *rand.Rand, c *chat) {
		everyRow(c, func(m *message) { m.User = words[r.IntN(len(words))] })
	}, func(n int) int { return n / 5 }},
	{"all different", false, func(r *rand.Rand, c *chat) {
		everyRow(c, func(m *message) {
			*m = says(r, m.ID*3, false)
			m.Text = strings.ToUpper(m.Text)
		})
	}, func(n int) int { return n + 100 }},
}

// values are a chat's encoding before and after a change.
func (c change) values(t testing.TB, e Encoding, size int) (old, new []byte) {
	r := rand.New(rand.NewPCG(5, 6))
	state := chatOf(t, r, e, size, c.alike)
	old = encoded(t, e, state)
	c.make(r, state)
	return old, encoded(t, e, state)
}
