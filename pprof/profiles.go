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

var (
	errSeconds = errors.New("seconds is not a whole number from 1 to 300")
	errTaking  = errors.New("this profile is being taken already; try again when it is done")
	// errUnavailable is wrapped when the process has its CPU profile taken by something else.
	errUnavailable = errors.New("no CPU profile can be taken now")
)

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
		"profile": func(ctx *fasthttp.RequestCtx) { p.take(ctx, "profile", defaultProfile) },
		"trace":   p.takeTrace,
		"symbol":  symbol,
		"mutex":   func(ctx *fasthttp.RequestCtx) { p.takeSampled(ctx, "mutex") },
		"block":   func(ctx *fasthttp.RequestCtx) { p.takeSampled(ctx, "block") },
	}
	for _, name := range []string{"heap", "allocs", "goroutine", "threadcreate"} {
		h[name] = func(ctx *fasthttp.RequestCtx) { write(ctx, name) }
	}
	return h
}

// take answers with a profile of the seconds asked for.
func (p *profiles) take(ctx *fasthttp.RequestCtx, name string, fallback time.Duration) {
	d, err := seconds(ctx, fallback)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	profile, err := p.collect(name, d)
	if err != nil {
		failed(ctx, err)
		return
	}
	attach(ctx, name)
	ctx.SetBody(profile)
}

// collect returns a profile in the format of go tool pprof. One of the processor, of locks or of waiting is collected for the
// time given; the others are as they stand, the heap's after a garbage collection.
func (p *profiles) collect(name string, d time.Duration) ([]byte, error) {
	var profile bytes.Buffer
	switch name {
	case "profile":
		return p.collectCPU(d)
	case "mutex", "block":
		if err := p.sample(name, d); err != nil {
			return nil, err
		}
	case "heap":
		runtime.GC()
	}
	if err := pprof.Lookup(name).WriteTo(&profile, 0); err != nil {
		return nil, fmt.Errorf("take the %s profile: %w", name, err)
	}
	return profile.Bytes(), nil
}

func (p *profiles) collectCPU(d time.Duration) ([]byte, error) {
	if !p.cpu.TryLock() {
		return nil, errTaking
	}
	defer p.cpu.Unlock()
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	p.wait(d)
	pprof.StopCPUProfile()
	return profile.Bytes(), nil
}

// sample has the runtime look at contended locks or at waits for the time given.
func (p *profiles) sample(name string, d time.Duration) error {
	taking := &p.mutex
	if name == "block" {
		taking = &p.block
	}
	if !taking.TryLock() {
		return errTaking
	}
	defer taking.Unlock()
	if name == "block" {
		runtime.SetBlockProfileRate(blockRate)
		defer runtime.SetBlockProfileRate(0)
	} else {
		defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(mutexFraction))
	}
	p.wait(d)
	return nil
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
		failed(ctx, errTaking)
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
func (p *profiles) takeSampled(ctx *fasthttp.RequestCtx, name string) {
	d, err := seconds(ctx, 0)
	if err != nil {
		text(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if d > 0 {
		if err := p.sample(name, d); err != nil {
			failed(ctx, err)
			return
		}
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

// failed answers that a profile was not taken.
func failed(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusInternalServerError
	switch {
	case errors.Is(err, errTaking):
		status = fasthttp.StatusConflict
	case errors.Is(err, errUnavailable):
		status = fasthttp.StatusServiceUnavailable
	}
	text(ctx, status, err.Error())
}

// attach marks the body as a file of that name.
func attach(ctx *fasthttp.RequestCtx, name string) {
	ctx.SetContentType("application/octet-stream")
	ctx.Response.Header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
