//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"hubd/bench/process"
)

const (
	// startLimit is how long a server may take until it answers.
	startLimit = 20 * time.Second
	// stopGrace is how long a server may take to end; a hub spreads the ends of its streams over some of it.
	stopGrace = 30 * time.Second
)

// ErrNotReady is wrapped when a server does not answer in its time.
var ErrNotReady = errors.New("server is not ready")

// Target is a server that is running.
type Target struct {
	// Name is "hub", "limit", "limit-2", "nchan" or "url".
	Name    string
	Version string
	Addr    netip.AddrPort
	Speaker
	// PIDs are the processes that serve, or none when they are not known.
	PIDs []int
	// Metrics is the URL of the hub's metrics, or empty; its profiles are below the same origin.
	Metrics string
	// Again ends the server and starts it anew, at the same address and on the same store; it returns when that
	// serves, and PIDs are then its. It is nil for a server that was not started here.
	Again func(ctx context.Context) error

	child *process.Child
	dir   string
	// others are the nodes of a cluster besides this one, and engine ends what they all stand on.
	others []*Target
	engine func() error
}

// Addrs returns the addresses of all nodes.
func (t *Target) Addrs() []netip.AddrPort {
	addrs := []netip.AddrPort{t.Addr}
	for _, other := range t.others {
		addrs = append(addrs, other.Addr)
	}
	return addrs
}

// Join makes one target of hubs that share an engine, which ends with it. Streams and publishers take the nodes in turn.
func Join(name string, nodes []*Target, engine func() error) *Target {
	t := nodes[0]
	t.Name, t.others, t.engine, t.Again = name, nodes[1:], engine, nil
	for _, other := range t.others {
		t.PIDs = append(t.PIDs, other.PIDs...)
	}
	return t
}

// Stop ends what was started and removes what it has written.
func (t *Target) Stop() error {
	var errs []error
	for _, other := range t.others {
		errs = append(errs, other.Stop())
	}
	if t.child != nil {
		errs = append(errs, t.child.Stop(stopGrace))
	}
	if t.engine != nil {
		errs = append(errs, t.engine())
	}
	if t.dir != "" {
		errs = append(errs, os.RemoveAll(t.dir))
	}
	return errors.Join(errs...)
}

// Local is a target without a server, for what is measured within the load program.
func Local(name string) *Target { return &Target{Name: name} }

// Profile returns the URL of one of the hub's profiles, taken for so many seconds.
func (t *Target) Profile(name string, seconds int) string {
	return fmt.Sprintf("%s/debug/pprof/%s?seconds=%d", strings.TrimSuffix(t.Metrics, "/metrics"), name, seconds)
}

// CollectGarbage returns the URL of a profile before which the hub collects its garbage.
func (t *Target) CollectGarbage() string {
	return strings.TrimSuffix(t.Metrics, "/metrics") + "/debug/pprof/heap?gc=1"
}

// Log returns the end of what the server has written, or nothing for one that was not started here.
func (t *Target) Log() string {
	if t.child == nil {
		return ""
	}
	return t.child.Output()
}

// Died reports whether the server, or a node of it, has ended by itself; one that was not started here never has.
func (t *Target) Died() bool {
	if t.child == nil {
		return false
	}
	select {
	case <-t.child.Done():
		return true
	default:
		return slices.ContainsFunc(t.others, (*Target).Died)
	}
}

// Remote returns the hub at a URL, which was started by someone else.
func Remote(ctx context.Context, o RemoteOptions) (*Target, error) {
	host, rest, found := strings.Cut(o.URL, "://")
	if !found || host != "http" {
		return nil, fmt.Errorf("hub URL %q: only http:// is supported", o.URL)
	}
	host, path, _ := strings.Cut(rest, "/")
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	if err != nil {
		return nil, fmt.Errorf("hub URL %q: %w", o.URL, err)
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(addrs[0].Unmap().String(), port))
	if err != nil {
		return nil, fmt.Errorf("hub URL %q: %w", o.URL, err)
	}
	speaker, err := newHub(host, "/"+path, o.Run, o.minter())
	if err != nil {
		return nil, err
	}
	t := &Target{Name: "url", Addr: addr, Speaker: speaker, Metrics: o.Metrics}
	if o.PID > 0 {
		if t.PIDs, err = process.Children(o.PID); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// RemoteOptions describe a hub that is running already.
type RemoteOptions struct {
	Keys
	// URL is the address of the hub's endpoint, such as http://127.0.0.1:3000/.well-known/mercure.
	URL string
	// Run is part of every topic.
	Run string
	// PID is the hub's process id, or 0 when its cost is not to be read.
	PID int
	// Metrics is the URL of its metrics, or empty.
	Metrics string
}

// freeAddr returns a loopback address with a port that nothing listens on.
func freeAddr(ctx context.Context) (netip.AddrPort, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return addr, errors.Join(err, l.Close())
}

// await asks a URL until it answers with a status below 500, the child ends, or the time is over.
func await(ctx context.Context, url string, child *process.Child) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-child.Done():
			return child.Exited()
		case <-ctx.Done():
			return fmt.Errorf("%w after %s: %w", ErrNotReady, startLimit, err)
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if response.StatusCode >= 500 {
		return fmt.Errorf("ask %s: %s", url, response.Status)
	}
	return nil
}
