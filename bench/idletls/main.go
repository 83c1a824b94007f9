//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hubd/auth"
	"hubd/bench/process"
	"hubd/bench/target"
	"hubd/mercure"
)

const (
	key     = "a secret of the load program, for one run"
	hubPath = "/.well-known/mercure"
	topic   = "https://bench.example/idle"
	grace   = 20 * time.Second
)

// options are the flags of a run.
type options struct {
	streams int
	rate    int
	seconds int
	settle  time.Duration
	root    string
	program string
}

// kind is a way in which streams reach the hub.
type kind struct {
	name string
	// secure says TLS; perConnection is 0 for HTTP/1.1, which carries one stream, and otherwise HTTP/2.
	secure        bool
	perConnection int
}

func kinds() []kind {
	return []kind{
		{"HTTP/1.1", false, 0}, {"HTTP/1.1 over TLS", true, 0},
		{"HTTP/2, 1 stream", true, 1}, {"HTTP/2, 6 streams", true, 6}, {"HTTP/2, 100 streams", true, 100},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "idletls:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("idletls", flag.ContinueOnError)
	flags.IntVar(&o.streams, "streams", 2000, "streams of each kind")
	flags.IntVar(&o.rate, "rate", 10, "publishes a second")
	flags.IntVar(&o.seconds, "seconds", 5, "how long to publish")
	flags.DurationVar(&o.settle, "settle", 12*time.Second, "rest before memory is read")
	flags.StringVar(&o.root, "root", ".", "directory of the module whose hub is built")
	flags.StringVar(&o.program, "program", "", "hub to start instead")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hubd-idletls-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.program == "" {
		if o.program, err = target.Build(ctx, o.root, dir); err != nil {
			return err
		}
	}
	if o.program, err = filepath.Abs(o.program); err != nil {
		return fmt.Errorf("find the hub: %w", err)
	}
	fmt.Fprintf(stdout, "| %d streams | connections | memory a stream | goroutines a stream | CPU a connect | CPU a delivery |\n|---|---|---|---|---|---|\n", o.streams)
	for _, k := range kinds() {
		f, err := measure(ctx, &o, k, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Fprintf(stdout, "| %s | %d | %.1f KiB | %.2f | %.0f us | %.1f us |\n", k.name, f.connections, f.memory/1024, f.goroutines,
			float64(f.connect.Nanoseconds())/1000, float64(f.delivery.Nanoseconds())/1000)
	}
	return nil
}

// figures are what one kind of stream costs.
type figures struct {
	connections        int
	memory, goroutines float64 // of one stream
	connect, delivery  time.Duration
}

func measure(ctx context.Context, o *options, k kind, dir string) (f figures, err error) {
	h, err := startHub(ctx, o, dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, h.child.Stop(grace)) }()
	if err := h.rest(ctx, time.Second); err != nil {
		return f, err
	}
	goroutines, err := h.goroutines(ctx)
	if err != nil {
		return f, err
	}
	before, err := process.ReadUsage(h.child.PID())
	if err != nil {
		return f, err
	}
	c := &clients{hub: h, kind: k}
	defer c.close()
	if err := c.connect(ctx, o.streams); err != nil {
		return f, err
	}
	connected, err := process.ReadUsage(h.child.PID())
	if err != nil {
		return f, err
	}
	if err := h.rest(ctx, o.settle); err != nil {
		return f, err
	}
	idle, err := process.ReadUsage(h.child.PID())
	if err != nil {
		return f, err
	}
	n := float64(o.streams)
	now, err := h.goroutines(ctx)
	if err != nil {
		return f, err
	}
	f.connections = len(c.transports)
	f.memory = float64(idle.RSS-before.RSS) / n
	f.goroutines = (now - goroutines) / n
	f.connect = (connected.CPU - before.CPU) / time.Duration(o.streams)
	published, err := h.publish(ctx, o)
	if err != nil {
		return f, err
	}
	if err := c.await(ctx, int64(published*o.streams)); err != nil {
		return f, err
	}
	end, err := process.ReadUsage(h.child.PID())
	f.delivery = (end.CPU - idle.CPU) / time.Duration(published*o.streams)
	return f, err
}

// hub is a hub that was started for one kind of stream.
type hub struct {
	child                *process.Child
	plain, secure, admin string
	publisher            string
}

func startHub(ctx context.Context, o *options, dir string) (*hub, error) {
	dir, err := os.MkdirTemp(dir, "run-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	cert, certKey, err := certificate(dir)
	if err != nil {
		return nil, err
	}
	h := &hub{}
	ports, err := freeAddresses(3)
	if err != nil {
		return nil, err
	}
	h.plain, h.secure, h.admin = ports[0], ports[1], ports[2]
	secret := auth.Key{Algorithm: "HS256", Material: []byte(key)}
	h.publisher, err = auth.Mint(auth.MintOptions{
		Key: secret, Dialect: auth.V0, Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: "*"}},
		Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.program, "serve", "--anonymous", "--drain=0s", "--listen="+h.plain, "--tls-listen="+h.secure, "--admin-listen="+h.admin,
		"--tls-cert="+cert, "--tls-key="+certKey, "--store=bolt://"+filepath.Join(dir, "hub.db"))
	cmd.Env = append(os.Environ(), "HUBD_PUBLISHER_KEY="+key)
	if h.child, err = process.Start(cmd, nil); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(grace); ; {
		if r, err := http.Get("http://" + h.plain + "/healthz"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return h, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(target.ErrNotReady, h.child.Stop(grace))
		}
		if err := h.rest(ctx, 50*time.Millisecond); err != nil {
			return nil, errors.Join(err, h.child.Stop(grace))
		}
	}
}

func (h *hub) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// goroutines returns how many the hub has.
func (h *hub) goroutines(ctx context.Context) (float64, error) {
	samples, err := process.ReadMetrics(ctx, "http://"+h.admin+"/metrics")
	return samples["go_goroutines"], err
}

// publish publishes at a steady rate and returns how many updates there were.
func (h *hub) publish(ctx context.Context, o *options) (int, error) {
	pace := time.NewTicker(time.Second / time.Duration(max(1, o.rate)))
	defer pace.Stop()
	total := o.rate * o.seconds
	form := url.Values{"topic": {topic}, "data": {strings.Repeat("x", 128)}}.Encode()
	for n := range total {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-pace.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.plain+hubPath, strings.NewReader(form))
		if err != nil {
			return n, fmt.Errorf("publish: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+h.publisher)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			return n, fmt.Errorf("publish: %w", err)
		}
		_, _ = io.Copy(io.Discard, a.Body)
		_ = a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return n, fmt.Errorf("publish: status %d", a.StatusCode)
		}
	}
	return total, nil
}

// clients are the streams of one kind.
type clients struct {
	hub        *hub
	kind       kind
	transports []*http.Transport
	bodies     []io.Closer
	events     atomic.Int64
	readers    sync.WaitGroup
}

func (c *clients) transport() *http.Transport {
	t := &http.Transport{
		// The certificate was made for this run, and what is measured is the hub.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols), DisableCompression: true, ReadBufferSize: 1 << 10,
	}
	t.Protocols.SetHTTP1(c.kind.perConnection == 0)
	t.Protocols.SetHTTP2(c.kind.perConnection > 0)
	c.transports = append(c.transports, t)
	return t
}

func (c *clients) connect(ctx context.Context, streams int) error {
	address := "http://" + c.hub.plain
	if c.kind.secure {
		address = "https://" + c.hub.secure
	}
	address += hubPath + "?topic=" + url.QueryEscape(topic)
	var t *http.Transport
	for n := range streams {
		if n%max(1, c.kind.perConnection) == 0 {
			t = c.transport()
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		a, err := t.RoundTrip(r)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		c.bodies = append(c.bodies, a.Body)
		if a.StatusCode != http.StatusOK {
			return fmt.Errorf("subscribe: status %d", a.StatusCode)
		}
		c.readers.Go(func() {
			for lines := bufio.NewScanner(a.Body); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "data:") {
					c.events.Add(1)
				}
			}
		})
	}
	return nil
}

// await waits until so many updates have come.
func (c *clients) await(ctx context.Context, want int64) error {
	for deadline := time.Now().Add(grace); c.events.Load() < want; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d updates came", c.events.Load(), want)
		}
		if err := c.hub.rest(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (c *clients) close() {
	for _, body := range c.bodies {
		_ = body.Close()
	}
	c.readers.Wait()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}
