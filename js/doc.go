// Package js carries the browser and Node client as one ES module, for Go
// programs that serve it beside their own page:
//
//	http.HandleFunc("/socka.js", func(w http.ResponseWriter, r *http.Request) {
//		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
//		io.WriteString(w, js.Module)
//	})
//
// The module has no dependencies and needs no build step; README.md in this
// folder is its documentation. The package imports nothing but embed.
package js

import _ "embed"

// Module is the text of socka.js. Serve it as text/javascript.
//
//go:embed socka.js
var Module string
