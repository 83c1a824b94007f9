package pprof

import (
	"embed"
	"fmt"
	"path"

	"github.com/valyala/fasthttp"
)

//go:embed pages/*.html pages/*.css pages/*.js pages/*.svg
var pageFiles embed.FS

// pagePolicy is the Content-Security-Policy of the dashboard (CSP Level 3): scripts, styles and data come from this server
// alone, and no other page may show it in a frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pagesPath is where the files of the dashboard are, and what it asks for.
const pagesPath = "/dashboard/"

// pages returns the handlers of the dashboard's files by their paths.
func pages() (routes, error) {
	entries, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, fmt.Errorf("list the dashboard's files: %w", err)
	}
	r := routes{}
	for _, entry := range entries {
		name := entry.Name()
		body, err := pageFiles.ReadFile(path.Join("pages", name))
		if err != nil {
			return nil, fmt.Errorf("read the dashboard's files: %w", err)
		}
		at := pagesPath + name
		if name == "index.html" {
			at = "/"
		}
		media := mediaType(name)
		r[at] = func(ctx *fasthttp.RequestCtx) {
			ctx.Response.Header.Set("Content-Security-Policy", pagePolicy)
			ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
			ctx.SetContentType(media)
			ctx.SetBody(body)
		}
	}
	return r, nil
}

// mediaType of a file by its name; the tables of the operating system, which differ, are not asked.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	}
	return "image/svg+xml"
}
