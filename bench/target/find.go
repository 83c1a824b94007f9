//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"hubd/bench/process"
)

// ErrNoNchan is wrapped when nginx or its Nchan module is not installed.
var ErrNoNchan = errors.New("nginx with Nchan is not installed (Debian: nginx-light and libnginx-mod-nchan)")

// nginxPath is where Debian has nginx.
const nginxPath = "/usr/sbin/nginx"

// FindNchan returns the paths of nginx and of its Nchan module as Debian has them.
func FindNchan() (program, module string, err error) {
	program, module = nginxPath, "/usr/lib/nginx/modules/ngx_nchan_module.so"
	for _, path := range []string{program, module} {
		if _, err := os.Stat(path); err != nil {
			return "", "", fmt.Errorf("%w: %w", ErrNoNchan, err)
		}
	}
	return program, module, nil
}

// InstallNchan installs both with Debian's package manager, which takes root. The package's own server is
// kept from being started.
func InstallNchan(ctx context.Context) error {
	if _, _, err := FindNchan(); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "apt-get", "install", "-y", "--no-install-recommends", "nginx-light", "libnginx-mod-nchan")
	// Debian's maintainer scripts start no service in run level 1 of a system without systemd.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install Nchan: %w: %s", err, out[max(0, len(out)-2000):])
	}
	return nil
}

// awaitListener connects until that succeeds, the child ends, or the time is over.
func awaitListener(ctx context.Context, addr netip.AddrPort, child *process.Child) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp4", addr.String())
		if err == nil {
			return conn.Close()
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

// nginxWorkers is how many workers an nginx has that is started here: one for each core of the machine that
// the goals are for.
const nginxWorkers = 2

// awaitWorkers returns the processes of an nginx when it has started its workers, which is after it listens.
func awaitWorkers(ctx context.Context, child *process.Child) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		pids, err := process.Children(child.PID())
		if err == nil && len(pids) > nginxWorkers {
			return pids, nil
		}
		select {
		case <-child.Done():
			return nil, child.Exited()
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%w after %s: nginx has %d processes", ErrNotReady, startLimit, len(pids)), err)
		case <-tick.C:
		}
	}
}
