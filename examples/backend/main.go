package backend

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	client "hubd/clients/js"
)

//go:embed assets
var assets embed.FS

// Options describe an example.
type Options struct {
	// Name is the command's.
	Name string
	// Page holds page/index.html, a template that gets the Hub, and the files next to it.
	Page fs.FS
	// Hub are more arguments for the hub that is started.
	Hub []string
	// Routes adds what is the example's own. What it starts ends with ctx, and wait joins it.
	Routes func(ctx context.Context, mux *http.ServeMux, hub *Hub) (wait func())
}

// Main runs an example until it is interrupted, and returns the exit code.
func Main(o *Options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "%s: %v\n", o.Name, err)
		return 1
	}
	return 0
}

func run(ctx context.Context, o *Options, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(o.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:8080", "address of the example")
	address := flags.String("hub", "", "URL of a hub to use, with its key in HUB_KEY and this example in its --cors-origins; without it one is started")
	binary := flags.String("hubd", "", "the hub's program; without it, it is built")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; --listen gives another address", *listen, err)
	}
	defer func() { _ = listener.Close() }()
	origin := "http://" + listener.Addr().String()

	// What runs in the background ends with this function, however it ends.
	ctx, cancel := context.WithCancel(ctx)
	hub := newHub(*address, []byte(os.Getenv("HUB_KEY")))
	switch {
	case *address == "":
		_, _ = fmt.Fprintln(stderr, "starting a hub ...")
		p, err := startHub(ctx, *binary, origin, stderr, o.Hub)
		if err != nil {
			cancel()
			return err
		}
		defer p.stop()
		hub = p.hub
	case len(hub.key) == 0:
		cancel()
		return errors.New("--hub takes the hub's key in the variable HUB_KEY")
	}
	mux := http.NewServeMux()
	if err := pages(mux, o.Page, hub); err != nil {
		cancel()
		return err
	}
	wait := o.Routes(ctx, mux, hub)
	defer wait()
	defer cancel()
	_, _ = fmt.Fprintf(stdout, "%s is ready at %s\n", o.Name, origin)
	return serve(ctx, listener, secure(mux, hub))
}

// serve serves until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(late)
	<-failed
	if err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// pages serves the page, what all pages share, and the JavaScript client.
func pages(mux *http.ServeMux, page fs.FS, hub *Hub) error {
	index, err := template.ParseFS(page, "page/index.html")
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	own, err := fs.Sub(page, "page")
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	shared, err := fs.Sub(assets, "assets")
	if err != nil {
		return fmt.Errorf("read the assets: %w", err)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = index.Execute(w, hub)
	})
	mux.Handle("GET /page/", http.StripPrefix("/page/", http.FileServerFS(own)))
	mux.Handle("GET /shared/", http.StripPrefix("/shared/", http.FileServerFS(shared)))
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServerFS(client.Files())))
	return nil
}

// secure lets pages of other origins do nothing here, and this page load nothing from elsewhere (CSP Level 3).
func secure(next http.Handler, hub *Hub) http.Handler {
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; connect-src 'self' " +
		hub.origin() + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	headers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(headers)
}
