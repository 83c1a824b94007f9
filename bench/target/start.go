//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"hubd/bench/process"
)

// ErrBuild is wrapped when the hub could not be built.
var ErrBuild = errors.New("build the hub")

// Build compiles the hub of the module at root into dir and returns the program's path.
func Build(ctx context.Context, root, dir string) (string, error) {
	path := filepath.Join(dir, "hubd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/hubd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %w: %s", ErrBuild, err, out)
	}
	return path, nil
}

// HubOptions describe a hub to start.
type HubOptions struct {
	Keys
	// Program is the path of the hub.
	Program string
	// Run is part of every topic.
	Run string
	// Dir is where the store's own directory is made; it should be on a real disk.
	Dir string
	// Store is "bolt", "memory" or the URL of one on a server.
	Store string
	// Flags are given to the hub as they are, after its own.
	Flags []string
}

// StartHub starts a hub on free ports with an empty store.
func StartHub(ctx context.Context, o HubOptions) (t *Target, err error) {
	dir, err := os.MkdirTemp(o.Dir, "hubd-bench-")
	if err != nil {
		return nil, fmt.Errorf("make the hub's directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	addr, err1 := freeAddr(ctx)
	admin, err2 := freeAddr(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	store := o.Store
	switch store {
	case "memory":
		store = "memory://"
	case "bolt":
		store = "bolt://" + filepath.Join(dir, "hub.db")
	}
	launch := func(ctx context.Context) (*process.Child, error) {
		cmd := exec.Command(o.Program, append([]string{
			"serve", "--listen=" + addr.String(), "--admin-listen=" + admin.String(), "--store=" + store,
			"--issuer=" + issuer, "--audience=" + audience, "--drain=1s",
		}, o.Flags...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HUBD_PUBLISHER_KEY="+o.Publisher, "HUBD_SUBSCRIBER_KEY="+o.Subscriber)
		child, err := process.Start(cmd, nil)
		if err != nil {
			return nil, err
		}
		if err := await(ctx, "http://"+addr.String()+"/healthz", child); err != nil {
			return nil, errors.Join(err, child.Stop(stopGrace))
		}
		return child, nil
	}
	speaker, err := newHub(addr.String(), "/.well-known/mercure", o.Run, o.minter())
	if err != nil {
		return nil, err
	}
	child, err := launch(ctx)
	if err != nil {
		return nil, err
	}
	t = &Target{
		Name: "hub", Addr: addr, Speaker: speaker, PIDs: []int{child.PID()},
		Metrics: "http://" + admin.String() + "/metrics", child: child, dir: dir,
	}
	t.Again = func(ctx context.Context) error { return t.again(ctx, launch) }
	return t, nil
}

// again puts another child in the place of the one that runs.
func (t *Target) again(ctx context.Context, launch func(context.Context) (*process.Child, error)) error {
	if err := t.child.Stop(stopGrace); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	child, err := launch(ctx)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	t.child, t.PIDs = child, []int{child.PID()}
	return nil
}

// StartLimit starts the bare loop in a process of its own: this program, asked for its limit command.
func StartLimit(ctx context.Context, loops int) (*Target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	child, err := process.Start(exec.Command(self, "limit", "-listen", addr.String(), "-loops", fmt.Sprint(loops)), nil)
	if err != nil {
		return nil, err
	}
	// The loop answers nothing but streams and frames, so a connection is all there is to wait for.
	if err := awaitListener(ctx, addr, child); err != nil {
		return nil, errors.Join(err, child.Stop(stopGrace))
	}
	name := "limit"
	if loops > 1 {
		name = fmt.Sprintf("limit-%d", loops)
	}
	return &Target{Name: name, Addr: addr, Speaker: bare{host: addr.String()}, PIDs: []int{child.PID()}, child: child}, nil
}

// StartNchan starts nginx with the Nchan module, which must be installed.
func StartNchan(ctx context.Context, dir, run string) (t *Target, err error) {
	program, module, err := FindNchan()
	if err != nil {
		return nil, err
	}
	dir, err = os.MkdirTemp(dir, "hubd-bench-nchan-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of nginx: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(nchanConfig(module, dir, addr)), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of nginx: %w", err)
	}
	child, err := process.Start(exec.Command(program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log")), nil)
	if err != nil {
		return nil, err
	}
	if err := await(ctx, "http://"+addr.String()+"/ready", child); err != nil {
		return nil, errors.Join(err, child.Stop(stopGrace))
	}
	pids, err := awaitWorkers(ctx, child)
	if err != nil {
		return nil, errors.Join(err, child.Stop(stopGrace))
	}
	return &Target{Name: "nchan", Addr: addr, Speaker: nchan{host: addr.String(), run: run}, PIDs: pids, child: child, dir: dir}, nil
}

// nchanConfig is an nginx that does nothing but Nchan: two workers for two cores, event streams, and a
// history as long as the hub's.
func nchanConfig(module, dir string, addr netip.AddrPort) string {
	return strings.NewReplacer("WORKERS", strconv.Itoa(nginxWorkers), "MODULE", module, "DIR", dir, "ADDR", addr.String()).Replace(`
load_module MODULE;
user root;
daemon off;
worker_processes WORKERS;
worker_rlimit_nofile 20000;
pid DIR/nginx.pid;
events { worker_connections 19000; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 1024M;
  server {
    listen ADDR backlog=4096;
    location = /ready { return 204; }
    location ~ ^/pub/(.+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
      nchan_message_buffer_length 100000;
      nchan_message_timeout 10m;
    }
    location ~ ^/sub/(.+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
  }
}
`)
}
