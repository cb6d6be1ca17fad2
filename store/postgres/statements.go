package postgres

import "strings"

// statements are the texts of what is asked of the database, for one schema. They stand beside the code that uses them, with
// @schema@ where the schema belongs. What changes rooms is done by functions of the schema: see migrations.
type statements struct {
	join, renew, leave, forget, owners string
	acquire, load, listAll, listKind   string
	save, due                          string
	tell, tellSoon                     string
}

func newStatements(schema string) statements {
	in := func(text string) string { return strings.ReplaceAll(text, "@schema@", schema) }
	return statements{
		join:     in(joinSQL),
		renew:    in(renewSQL),
		leave:    in(leaveSQL),
		forget:   in(forgetSQL),
		owners:   in(ownersSQL),
		acquire:  in(acquireSQL),
		load:     in(loadSQL),
		listAll:  in(listAllSQL),
		listKind: in(listKindSQL),
		save:     in(saveSQL),
		due:      in(dueSQL),
		tell:     tellSQL,
		tellSoon: tellSoonSQL,
	}
}
