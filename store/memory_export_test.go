package store

import "time"

// SetWall gives the data of m another wall clock.
func (m *Memory) SetWall(now func() time.Time) {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	m.data.wall = now
}

// OwnerRows is how many owners have a row, lapsed or not.
func (m *Memory) OwnerRows() int {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	return len(m.data.owners)
}

// Backup copies all data. The function that it returns puts them back.
func (m *Memory) Backup() (restore func()) {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	saved := m.data.clone()
	return func() {
		m.data.mu.Lock()
		defer m.data.mu.Unlock()
		d := saved.clone()
		m.data.last, m.data.joins, m.data.owners, m.data.kinds, m.data.sorted, m.data.due = d.last, d.joins, d.owners, d.kinds, d.sorted, d.due
	}
}

func (d *memoryData) clone() *memoryData {
	out := NewMemory().data
	out.last, out.joins = d.last, d.joins
	for id, o := range d.owners {
		row := *o
		row.first = nil
		out.owners[id] = &row
	}
	for _, k := range d.sorted {
		for _, r := range k.rooms {
			row := out.create(r.key())
			kind, frozen := row.kind, r.freeze()
			*row = frozen
			row.kind, row.owner, row.prev, row.next, row.due = kind, nil, nil, nil, never
			if r.owner != nil {
				row.give(out.owners[r.owner.ID])
			}
			out.place(row)
		}
	}
	return out
}

// Pass makes d pass for leases, and not for the wall clock.
func (m *Memory) Pass(d time.Duration) {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	m.data.start = m.data.start.Add(-d)
}
