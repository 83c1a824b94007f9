package pprof

import (
	"html"
	"maps"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

const profilePath = "/debug/pprof/"

// strictPolicy is the Content-Security-Policy (CSP Level 3) of answers that load nothing and are shown in no frame.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// routes are the handlers by path.
type routes map[string]fasthttp.RequestHandler

func newRoutes(o *Options, p *profiles) (routes, error) {
	r, err := pages()
	if err != nil {
		return nil, err
	}
	maps.Copy(r, (&dashboard{recorder: o.Recorder, profiles: p}).routes())
	maps.Copy(r, routes{
		"/livez":  func(ctx *fasthttp.RequestCtx) { text(ctx, fasthttp.StatusOK, "ok") },
		"/readyz": func(ctx *fasthttp.RequestCtx) { ready(ctx, o.Ready) },
		"/metrics": fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{
			ErrorLog:      printer{o.Logger},
			ErrorHandling: promhttp.ContinueOnError,
		})),
	})
	for name, handler := range p.handlers() {
		r[profilePath+name] = handler
	}
	for path, answer := range o.Answers {
		r[path] = answer.handle
	}
	r[profilePath] = func(ctx *fasthttp.RequestCtx) { page(ctx, o.Answers) }
	return r, nil
}

// handler dispatches by path and method. A fault in a collector or a profile must not end the hub, so
// it is answered and logged.
func (s *Server) handler(r routes) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		s.conns.begin(ctx.Conn())
		defer func() {
			if fault := recover(); fault != nil {
				s.logger.Error("admin server: a handler failed", "path", string(ctx.Path()), "fault", fault, "stack", string(debug.Stack()))
				text(ctx, fasthttp.StatusInternalServerError, "the handler failed, see the log")
			}
		}()
		ctx.Response.Header.Set("Cache-Control", "no-store")
		ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
		// No other site shows or reads what is here; pages set a policy of their own.
		ctx.Response.Header.Set("Content-Security-Policy", strictPolicy)
		ctx.Response.Header.Set("Cross-Origin-Resource-Policy", "same-origin")
		ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
		path := string(ctx.Path())
		handle, found := r[path]
		switch {
		case !s.hosts.has(string(ctx.Host())):
			text(ctx, fasthttp.StatusMisdirectedRequest, "this server has another name than the request's host (--admin-hosts)")
		case !found:
			text(ctx, fasthttp.StatusNotFound, "not found; / lists what there is")
		case ctx.IsGet(), ctx.IsHead(), ctx.IsPost() && takesPost(path):
			handle(ctx)
		case takesPost(path):
			ctx.Response.Header.Set("Allow", "GET, HEAD, POST")
			text(ctx, fasthttp.StatusMethodNotAllowed, "only GET, HEAD and POST are allowed")
		default:
			ctx.Response.Header.Set("Allow", "GET, HEAD")
			text(ctx, fasthttp.StatusMethodNotAllowed, "only GET and HEAD are allowed")
		}
	}
}

// takesPost reports whether something may be posted to the path: addresses to name, or a snapshot to take.
func takesPost(path string) bool { return path == profilePath+"symbol" || path == snapshotsPath }

// ready answers /readyz.
func ready(ctx *fasthttp.RequestCtx, check func() error) {
	if err := check(); err != nil {
		text(ctx, fasthttp.StatusServiceUnavailable, err.Error())
		return
	}
	text(ctx, fasthttp.StatusOK, "ok")
}

// text answers with one line.
func text(ctx *fasthttp.RequestCtx, status int, line string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(line + "\n")
}

// page answers /debug/pprof/ with links to everything.
func page(ctx *fasthttp.RequestCtx, answers map[string]Answer) {
	var b strings.Builder
	b.WriteString(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>hubd admin</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}dt{font-family:monospace}dd{margin:0 0 .5rem 2rem}code{display:inline-block;font-size:.85em}</style>
<h1>hubd admin</h1>
<dl>
`)
	for _, link := range append(links(), about(answers)...) {
		address, about := html.EscapeString(link[0]), html.EscapeString(link[1])
		if text, query, is := strings.Cut(about, " ?"); is {
			about = text + " <code>?" + query + "</code>"
		}
		b.WriteString(`<dt><a href="` + address + `">` + address + "</a></dt><dd>" + about + "</dd>\n")
	}
	b.WriteString("</dl>\n</html>\n")
	ctx.Response.Header.Set("Content-Security-Policy", strictPolicy+"; style-src 'unsafe-inline'")
	ctx.SetContentType("text/html; charset=utf-8")
	ctx.SetBodyString(b.String())
}

// links returns the addresses of the page with what is there.
func links() [][2]string {
	return [][2]string{
		{"/", "dashboard: charts of the last hour, snapshots of profiles and what is between two of them"},
		{"/livez", "200 while the process answers"},
		{"/readyz", "200 when the hub serves, 503 with the reason when it does not"},
		{"/metrics", "metrics in the Prometheus text format"},
		{"/debug/pprof/profile?seconds=30", "CPU profile, for go tool pprof"},
		{"/debug/pprof/trace?seconds=5", "execution trace, for go tool trace"},
		{"/debug/pprof/heap", "memory in use; gc=1 collects garbage first"},
		{"/debug/pprof/allocs", "memory allocated since the start"},
		{"/debug/pprof/goroutine?debug=1", "goroutines by stack; debug=2 shows each"},
		{"/debug/pprof/threadcreate", "stacks that made operating system threads"},
		{"/debug/pprof/mutex?seconds=10", "who made others wait for locks; sampled for that time"},
		{"/debug/pprof/block?seconds=10", "where goroutines waited; sampled for that time"},
		{"/debug/pprof/symbol", "names of functions at addresses, for go tool pprof"},
	}
}
