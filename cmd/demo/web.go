package main

import (
	"embed"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gosocka/socka/js"
	"github.com/gosocka/socka/room"
)

//go:embed web
var files embed.FS

// contentTypes are those of the files that the page is made of. The machine's own
// table is not asked: it may call a script text/plain, which no browser runs.
var contentTypes = map[string]string{
	"":      "text/html; charset=utf-8", // the page itself, at /
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// policy lets the page load what comes from here and nothing else, and open its
// WebSocket: some browsers do not count ws: as 'self'.
const policy = "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// handler serves the rooms, the page, the browser client and the health check.
func handler(rooms *room.Server) http.Handler {
	page, err := fs.Sub(files, "web")
	if err != nil {
		panic(err) // the name is a constant
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws/", rooms)
	mux.Handle("GET /", asset(http.FileServerFS(page)))
	mux.Handle("GET /socka.js", asset(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "socka.js", time.Time{}, strings.NewReader(js.Module))
	})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := rooms.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	return mux
}

// asset sets the headers of what a browser loads as a part of the page.
func asset(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache") // a new version of the program shows at once
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the address bar has the visitor's name
		if t := contentTypes[path.Ext(r.URL.Path)]; t != "" {
			h.Set("Content-Type", t)
		}
		next.ServeHTTP(w, r)
	})
}
