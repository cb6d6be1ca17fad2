package main

import "github.com/ncruces/go-sqlite3"

type ncruces struct {
	conn                          *sqlite3.Conn
	sBegin, sCommit, sTouch, sPut *sqlite3.Stmt
	sAppend, sTrim, sGet          *sqlite3.Stmt
}

func openNcruces(path, layout string) (driver, error) {
	conn, err := sqlite3.Open(path)
	if err != nil {
		return nil, err
	}
	if err := conn.Exec(settings + ";" + schema(layout)); err != nil {
		return nil, err
	}
	d := &ncruces{conn: conn}
	for _, s := range []struct {
		to  **sqlite3.Stmt
		sql string
	}{{&d.sBegin, sqlBegin}, {&d.sCommit, sqlCommit}, {&d.sTouch, sqlTouch}, {&d.sPut, sqlPut}, {&d.sAppend, sqlAppend}, {&d.sTrim, sqlTrim}, {&d.sGet, sqlGet}} {
		if *s.to, _, err = conn.PrepareFlags(s.sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *ncruces) exec(sql string) error { return d.conn.Exec(sql) }
func (d *ncruces) begin() error          { return d.sBegin.Exec() }
func (d *ncruces) commit() error         { return d.sCommit.Exec() }

func (d *ncruces) touch(kind, name string, epoch, now int64) (id int64, err error) {
	s := d.sTouch
	s.BindText(1, kind)
	s.BindText(2, name)
	s.BindInt64(3, epoch)
	s.BindInt64(4, now)
	for s.Step() {
		id = s.ColumnInt64(0)
	}
	return id, s.Reset()
}

func (d *ncruces) put(room int64, part string, data []byte) error {
	d.sPut.BindInt64(1, room)
	d.sPut.BindText(2, part)
	d.sPut.BindBlob(3, data)
	return d.sPut.Exec()
}

func (d *ncruces) get(room int64, part string) (data []byte, err error) {
	d.sGet.BindInt64(1, room)
	d.sGet.BindText(2, part)
	if d.sGet.Step() {
		data = d.sGet.ColumnBlob(0, nil)
	}
	return data, d.sGet.Reset()
}

func (d *ncruces) append(room, seq int64, data []byte) error {
	d.sAppend.BindInt64(1, room)
	d.sAppend.BindInt64(2, seq)
	d.sAppend.BindBlob(3, data)
	return d.sAppend.Exec()
}

func (d *ncruces) trim(room, before int64) error {
	d.sTrim.BindInt64(1, room)
	d.sTrim.BindInt64(2, before)
	return d.sTrim.Exec()
}

func (d *ncruces) close() error {
	for _, s := range []*sqlite3.Stmt{d.sBegin, d.sCommit, d.sTouch, d.sPut, d.sAppend, d.sTrim, d.sGet} {
		s.Close()
	}
	return d.conn.Close()
}
