package pprof

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	defaultProfile = 30 * time.Second
	defaultTrace   = time.Second
	// maxSeconds bounds a timed profile.
	maxSeconds = 300
	// mutexFraction samples one of so many contended locks, blockRate one wait for so many
	// nanoseconds blocked. Both are off unless a profile is being taken: they cost time on hot paths.
	mutexFraction = 10
	blockRate     = 10_000
)

var errSeconds = errors.New("seconds is not a whole number from 1 to 300")

// profiles takes profiles of the process. Timed ones of a kind are taken one at a time.
type profiles struct {
	stopping <-chan struct{}
	after    func(time.Duration) <-chan time.Time
	// writers are the goroutines that write traces.
	writers sync.WaitGroup

	// Each lock is held while a profile of its kind is taken, and only ever tried.
	cpu, tracing, mutex, block sync.Mutex
}

// handlers returns the handlers by the name of their profile.
func (p *profiles) handlers() map[string]fasthttp.RequestHandler {
	h := map[string]fasthttp.RequestHandler{
		"profile": p.takeCPU,
		"trace":   p.takeTrace,
		"symbol":  symbol,
		"mutex": func(ctx *fasthttp.RequestCtx) {
			p.takeSampled(ctx, "mutex", &p.mutex, func() (undo func()) {
				before := runtime.SetMutexProfileFraction(mutexFraction)
				return func() { runtime.SetMutexProfileFraction(before) }
			})
		},
		"block": func(ctx *fasthttp.RequestCtx) {
			p.takeSampled(ctx, "block", &p.block, func() (undo func()) {
				runtime.SetBlockProfileRate(blockRate)
				return func() { runtime.SetBlockProfileRate(0) }
			})
		},
	}
	for _, name := range []string{"heap", "allocs", "goroutine", "threadcreate"} {
		h[name] = func(ctx *fasthttp.RequestCtx) { write(ctx, name) }
	}
	return h
}

// takeCPU answers with a CPU profile of the seconds asked for.
func (p *profiles) takeCPU(ctx *fasthttp.RequestCtx) {
	d, err := seconds(ctx, defaultProfile)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if !p.cpu.TryLock() {
		busy(ctx)
		return
	}
	defer p.cpu.Unlock()
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		text(ctx, fasthttp.StatusServiceUnavailable, err.Error())
		return
	}
	p.wait(d)
	pprof.StopCPUProfile()
	attach(ctx, "profile")
	ctx.SetBody(profile.Bytes())
}

// takeTrace streams an execution trace of the seconds asked for, which may be large.
func (p *profiles) takeTrace(ctx *fasthttp.RequestCtx) {
	d, err := seconds(ctx, defaultTrace)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if ctx.IsHead() {
		attach(ctx, "trace")
		return
	}
	if !p.tracing.TryLock() {
		busy(ctx)
		return
	}
	attach(ctx, "trace")
	p.writers.Add(1)
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer p.writers.Done()
		defer p.tracing.Unlock()
		if err := trace.Start(w); err != nil {
			fmt.Fprintln(w, err)
			return
		}
		p.wait(d)
		trace.Stop()
	})
}

// takeSampled answers with a profile that is collected only while it is sampled. With seconds it is
// sampled for that time; without, the answer is what earlier samples left.
func (p *profiles) takeSampled(ctx *fasthttp.RequestCtx, name string, taking *sync.Mutex, sample func() (undo func())) {
	d, err := seconds(ctx, 0)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if d > 0 {
		if !taking.TryLock() {
			busy(ctx)
			return
		}
		defer taking.Unlock()
		undo := sample()
		p.wait(d)
		undo()
	}
	write(ctx, name)
}

// wait returns after d, or when the server stops.
func (p *profiles) wait(d time.Duration) {
	select {
	case <-p.after(d):
	case <-p.stopping:
	}
}

// write answers with a profile as it stands: in the format of go tool pprof, or as text if debug is
// greater than 0.
func write(ctx *fasthttp.RequestCtx, name string) {
	debug := ctx.QueryArgs().GetUintOrZero("debug")
	if name == "heap" && ctx.QueryArgs().GetUintOrZero("gc") > 0 {
		runtime.GC()
	}
	var profile bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&profile, debug); err != nil {
		text(ctx, fasthttp.StatusInternalServerError, err.Error())
		return
	}
	attach(ctx, name)
	if debug > 0 {
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.Response.Header.Del("Content-Disposition")
	}
	ctx.SetBody(profile.Bytes())
}

// symbol answers with the names of the functions at the addresses 0x1+0x2 of the query or the body,
// in the form of the original pprof: a first line that says that there are symbols, then one line for
// each address that has a name.
func symbol(ctx *fasthttp.RequestCtx) {
	list := string(ctx.URI().QueryString())
	if ctx.IsPost() {
		list = string(ctx.PostBody())
	}
	var b strings.Builder
	b.WriteString("num_symbols: 1\n")
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == '+' || r == '\n' || r == '\r' }) {
		address, err := strconv.ParseUint(word, 0, 64)
		if err != nil {
			continue
		}
		if f := runtime.FuncForPC(uintptr(address)); f != nil {
			fmt.Fprintf(&b, "%#x %s\n", address, f.Name())
		}
	}
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(b.String())
}

// seconds returns the duration asked for, or fallback if none is.
func seconds(ctx *fasthttp.RequestCtx, fallback time.Duration) (time.Duration, error) {
	if !ctx.QueryArgs().Has("seconds") {
		return fallback, nil
	}
	n, err := ctx.QueryArgs().GetUint("seconds")
	if err != nil || n < 1 || n > maxSeconds {
		return 0, errSeconds
	}
	return time.Duration(n) * time.Second, nil
}

func busy(ctx *fasthttp.RequestCtx) {
	text(ctx, fasthttp.StatusConflict, "this profile is being taken already; try again when it is done")
}

// attach marks the body as a file of that name.
func attach(ctx *fasthttp.RequestCtx, name string) {
	ctx.SetContentType("application/octet-stream")
	ctx.Response.Header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
