package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// errNoHub is that the hub ended before it served.
var errNoHub = errors.New("the hub did not start")

// process is a hub that runs for the example alone.
type process struct {
	hub *Hub
	// dir holds the program, if it was built for this.
	dir     string
	command *exec.Cmd
	// drained is waited for before the process: its log has been read to the end.
	drained sync.WaitGroup
}

// startHub runs a hub for pages of the origin until ctx ends; stop waits for its end. binary is hubd, built from this module if
// empty. The hub's log goes to stderr until it serves.
func startHub(ctx context.Context, binary, origin string, stderr io.Writer, args []string) (*process, error) {
	p := new(process)
	if binary == "" {
		var err error
		if p.dir, err = os.MkdirTemp("", "hubd-example-"); err != nil {
			return nil, fmt.Errorf("build the hub: %w", err)
		}
		binary = filepath.Join(p.dir, "hubd")
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, "hubd/cmd/hubd")
		if out, err := build.CombinedOutput(); err != nil {
			p.clean()
			return nil, fmt.Errorf("build the hub: %w\n%s", err, out)
		}
	}
	key := RandomID() + RandomID()
	args = append([]string{
		"serve", "--listen=127.0.0.1:0", "--admin-listen=", "--store=memory://", "--log-format=json", "--drain=0s", "--cors-origins=" + origin,
	}, args...)
	p.command = exec.CommandContext(ctx, binary, args...)
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = 10 * time.Second
	p.command.Env = append(os.Environ(), "HUBD_PUBLISHER_KEY="+key, "HUBD_SUBSCRIBER_KEY="+key)
	log, err := p.command.StderrPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		p.clean()
		return nil, fmt.Errorf("start the hub: %w", err)
	}
	address, lines := awaitServing(log, stderr)
	p.drained.Go(func() {
		for lines.Scan() {
		}
	})
	if address == "" {
		p.stop()
		return nil, errNoHub
	}
	p.hub = newHub("http://"+address+"/.well-known/mercure", []byte(key))
	return p, nil
}

// awaitServing reads the log of a hub until it says where it serves.
func awaitServing(log io.Reader, stderr io.Writer) (address string, lines *bufio.Scanner) {
	lines = bufio.NewScanner(log)
	for lines.Scan() {
		var entry struct {
			Message string `json:"msg"`
			Address string `json:"address"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "serving" {
			return entry.Address, lines
		}
		_, _ = fmt.Fprintln(stderr, lines.Text())
	}
	return "", lines
}

// stop waits for the process, which the end of its context ended.
func (p *process) stop() {
	p.drained.Wait()
	_ = p.command.Wait()
	p.clean()
}

func (p *process) clean() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}
