package web

import (
	"embed"
	"io/fs"
	"path"
)

//go:embed console/*.html console/*.css console/*.js console/*.svg
var files embed.FS

// Policy is the Content-Security-Policy of every page (CSP Level 3): scripts and styles come from files of the
// same origin, connections go there alone, no form is sent by the browser itself, and no other page may
// show the console in a frame.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// index is the page at the console's own address.
const index = "index.html"

// Console returns the file of the console with the name, which is what follows the console's address in a URL: nothing
// for the page itself. ok is false if there is none. The body belongs to the caller.
func Console(name string) (body []byte, contentType string, ok bool) {
	if name == "" {
		name = index
	}
	contentType = contentTypeOf(name)
	if contentType == "" || !fs.ValidPath(name) {
		return nil, "", false
	}
	body, err := files.ReadFile(path.Join("console", name))
	return body, contentType, err == nil
}

// contentTypeOf returns the media type of a file by its name, empty if no page has such a file. The tables of the
// operating system, which differ, are not asked.
func contentTypeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return ""
}
