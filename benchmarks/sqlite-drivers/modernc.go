package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"strings"

	"modernc.org/sqlite"
)

// modernc uses the driver without database/sql.
type modernc struct {
	conn                                                sqldriver.Conn
	sBegin, sCommit, sTouch, sPut, sAppend, sTrim, sGet sqldriver.Stmt
	args                                                []sqldriver.NamedValue
	row                                                 [1]sqldriver.Value
}

var none = context.Background()

func openModernc(path, layout string) (driver, error) {
	if _, err := sqlite.Fdatasync(true); err != nil {
		return nil, err
	}
	conn, err := new(sqlite.Driver).Open(path)
	if err != nil {
		return nil, err
	}
	d := &modernc{conn: conn}
	if err := d.exec(settings + ";" + schema(layout)); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to  *sqldriver.Stmt
		sql string
	}{{&d.sBegin, sqlBegin}, {&d.sCommit, sqlCommit}, {&d.sTouch, sqlTouch}, {&d.sPut, sqlPut}, {&d.sAppend, sqlAppend}, {&d.sTrim, sqlTrim}, {&d.sGet, sqlGet}} {
		if *s.to, err = conn.(sqldriver.ConnPrepareContext).PrepareContext(none, s.sql); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *modernc) exec(sql string) error {
	for _, part := range strings.Split(sql, ";") {
		if _, err := d.conn.(sqldriver.ExecerContext).ExecContext(none, part, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *modernc) run(s sqldriver.Stmt, args ...any) error {
	_, err := s.(sqldriver.StmtExecContext).ExecContext(none, d.named(args))
	return err
}

func (d *modernc) query(s sqldriver.Stmt, args ...any) (sqldriver.Value, error) {
	rows, err := s.(sqldriver.StmtQueryContext).QueryContext(none, d.named(args))
	if err != nil {
		return nil, err
	}
	var v sqldriver.Value
	for err == nil {
		if err = rows.Next(d.row[:]); err == nil {
			v = d.row[0]
		}
	}
	if err != io.EOF {
		return nil, errors.Join(err, rows.Close())
	}
	return v, rows.Close()
}

func (d *modernc) named(args []any) []sqldriver.NamedValue {
	d.args = d.args[:0]
	for i, v := range args {
		d.args = append(d.args, sqldriver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return d.args
}

func (d *modernc) begin() error  { return d.run(d.sBegin) }
func (d *modernc) commit() error { return d.run(d.sCommit) }

func (d *modernc) touch(kind, name string, epoch, now int64) (int64, error) {
	v, err := d.query(d.sTouch, kind, name, epoch, now)
	id, _ := v.(int64)
	return id, err
}

func (d *modernc) put(room int64, part string, data []byte) error {
	return d.run(d.sPut, room, part, data)
}

func (d *modernc) get(room int64, part string) ([]byte, error) {
	v, err := d.query(d.sGet, room, part)
	data, _ := v.([]byte)
	return data, err
}

func (d *modernc) append(room, seq int64, data []byte) error {
	return d.run(d.sAppend, room, seq, data)
}

func (d *modernc) trim(room, before int64) error { return d.run(d.sTrim, room, before) }

func (d *modernc) close() error {
	for _, s := range []sqldriver.Stmt{d.sBegin, d.sCommit, d.sTouch, d.sPut, d.sAppend, d.sTrim, d.sGet} {
		s.Close()
	}
	return d.conn.Close()
}

// moderncSQL uses it as most programs do.
type moderncSQL struct {
	db                                                  *sql.DB
	conn                                                *sql.Conn
	sBegin, sCommit, sTouch, sPut, sAppend, sTrim, sGet *sql.Stmt
}

func openModerncSQL(path, layout string) (driver, error) {
	if _, err := sqlite.Fdatasync(true); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	d := &moderncSQL{db: db}
	if d.conn, err = db.Conn(none); err != nil {
		return nil, err
	}
	if err := d.exec(settings + ";" + schema(layout)); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to  **sql.Stmt
		sql string
	}{{&d.sBegin, sqlBegin}, {&d.sCommit, sqlCommit}, {&d.sTouch, sqlTouch}, {&d.sPut, sqlPut}, {&d.sAppend, sqlAppend}, {&d.sTrim, sqlTrim}, {&d.sGet, sqlGet}} {
		if *s.to, err = d.conn.PrepareContext(none, s.sql); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *moderncSQL) exec(sql string) error {
	_, err := d.conn.ExecContext(none, sql)
	return err
}

func (d *moderncSQL) begin() error {
	_, err := d.sBegin.Exec()
	return err
}

func (d *moderncSQL) commit() error {
	_, err := d.sCommit.Exec()
	return err
}

func (d *moderncSQL) touch(kind, name string, epoch, now int64) (id int64, err error) {
	err = d.sTouch.QueryRow(kind, name, epoch, now).Scan(&id)
	return id, err
}

func (d *moderncSQL) put(room int64, part string, data []byte) error {
	_, err := d.sPut.Exec(room, part, data)
	return err
}

func (d *moderncSQL) get(room int64, part string) (data []byte, err error) {
	err = d.sGet.QueryRow(room, part).Scan(&data)
	return data, err
}

func (d *moderncSQL) append(room, seq int64, data []byte) error {
	_, err := d.sAppend.Exec(room, seq, data)
	return err
}

func (d *moderncSQL) trim(room, before int64) error {
	_, err := d.sTrim.Exec(room, before)
	return err
}

func (d *moderncSQL) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{d.sBegin, d.sCommit, d.sTouch, d.sPut, d.sAppend, d.sTrim, d.sGet} {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, d.conn.Close(), d.db.Close())...)
}
