package pprof

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// defaultSnapshot is how long a snapshot of a kind that takes time is collected.
const defaultSnapshot = 10 * time.Second

const snapshotsPath = pagesPath + "snapshots"

// dashboard answers what the page at / asks for.
type dashboard struct {
	recorder  *Recorder
	profiles  *profiles
	snapshots snapshots
	// comparing is held while profiles are read into memory, so that only one comparison does so at a time.
	comparing sync.Mutex
}

// routes returns the handlers.
//
//	GET  /dashboard/samples                              the last ten minutes and the last hour
//	GET  /dashboard/snapshots                            the snapshots that are kept
//	POST /dashboard/snapshots?kind=K[&seconds=N]         takes one
//	GET  /dashboard/snapshot?id=N                        one, for go tool pprof
//	GET  /dashboard/compare?of=N[&base=N][&measure=M]    functions and flame graph
func (d *dashboard) routes() routes {
	return routes{
		pagesPath + "samples": func(ctx *fasthttp.RequestCtx) { body(ctx, d.recorder.json()) },
		snapshotsPath: func(ctx *fasthttp.RequestCtx) {
			if ctx.IsPost() {
				d.take(ctx)
				return
			}
			object(ctx, d.snapshots.list())
		},
		pagesPath + "snapshot": d.download,
		pagesPath + "compare":  d.compare,
	}
}

// take takes a snapshot. A page of another origin may not ask for it: it could not read the answer, but the hub would spend
// time and lose older snapshots.
func (d *dashboard) take(ctx *fasthttp.RequestCtx) {
	if site := string(ctx.Request.Header.Peek("Sec-Fetch-Site")); site != "" && site != "same-origin" && site != "none" {
		text(ctx, fasthttp.StatusForbidden, "only the dashboard's own page may take snapshots")
		return
	}
	kind := string(ctx.QueryArgs().Peek("kind"))
	name, timed, err := profileOf(kind)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	lasts := time.Duration(0)
	if timed {
		lasts, err = seconds(ctx, defaultSnapshot)
		if err != nil {
			text(ctx, fasthttp.StatusBadRequest, err.Error())
			return
		}
	}
	profile, err := d.profiles.collect(name, lasts)
	if err != nil {
		failed(ctx, err)
		return
	}
	taken, err := d.snapshots.add(kind, time.Now(), lasts, d.recorder.numbers().Streams, profile)
	if err != nil {
		failed(ctx, err)
		return
	}
	object(ctx, taken)
}

// download answers with a snapshot as a file.
func (d *dashboard) download(ctx *fasthttp.RequestCtx) {
	s, err := d.find(ctx, "id")
	if err != nil {
		text(ctx, fasthttp.StatusNotFound, err.Error())
		return
	}
	attach(ctx, fmt.Sprintf("hubd-%s-%s.pb.gz", s.Kind, time.UnixMilli(s.Time).UTC().Format("20060102T150405Z")))
	ctx.SetBody(s.profile)
}

// compare answers with a snapshot by function and by stack, beside an earlier one if there is one.
func (d *dashboard) compare(ctx *fasthttp.RequestCtx) {
	of, err := d.find(ctx, "of")
	var base *snapshot
	if err == nil && ctx.QueryArgs().Has("base") {
		base, err = d.find(ctx, "base")
	}
	if err != nil {
		text(ctx, fasthttp.StatusNotFound, err.Error())
		return
	}
	if base != nil && base.Kind != of.Kind {
		text(ctx, fasthttp.StatusBadRequest, "snapshots of different kinds cannot be compared")
		return
	}
	d.comparing.Lock()
	defer d.comparing.Unlock()
	c, err := compare(of, base, string(ctx.QueryArgs().Peek("measure")))
	switch {
	case errors.Is(err, errMeasure):
		text(ctx, fasthttp.StatusBadRequest, err.Error())
	case err != nil:
		failed(ctx, err)
	default:
		object(ctx, c)
	}
}

// find returns the snapshot whose number an argument of the query is.
func (d *dashboard) find(ctx *fasthttp.RequestCtx, argument string) (*snapshot, error) {
	return d.snapshots.find(ctx.QueryArgs().GetUintOrZero(argument))
}

// object answers with JSON, in which <, > and & are escaped.
func object(ctx *fasthttp.RequestCtx, v any) {
	content, err := json.Marshal(v)
	if err != nil {
		text(ctx, fasthttp.StatusInternalServerError, err.Error())
		return
	}
	body(ctx, content)
}

func body(ctx *fasthttp.RequestCtx, content []byte) {
	ctx.SetContentType("application/json")
	ctx.SetBody(content)
}
