//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrExited is wrapped when a child has ended before it was asked to.
var ErrExited = errors.New("process exited")

// keepOutput is how much of the end of a child's output is kept for errors and failed runs.
const keepOutput = 16 << 10

// Child is a process of the load program.
type Child struct {
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{}
	err  error // of Wait; read after done is closed
	stop sync.Once
}

// Start starts a program. Its output goes into the errors about it and to copyTo, which may be nil.
func Start(cmd *exec.Cmd, copyTo io.Writer) (*Child, error) {
	c := &Child{name: cmd.Path, cmd: cmd, out: &tail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = io.Writer(c.out), io.Writer(c.out)
	if copyTo != nil {
		cmd.Stdout = io.MultiWriter(copyTo, c.out)
	}
	// Its own group, so that an interrupt at the terminal reaches it through Stop alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the child, so it must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return c, nil
}

// PID returns the process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Output returns the end of what the process has written so far.
func (c *Child) Output() string { return string(bytes.TrimSpace(c.out.bytes())) }

// Exited returns the error of a process that has ended, with the last line of its output; it is for a
// closed Done.
func (c *Child) Exited() error {
	output := bytes.TrimSpace(c.out.bytes())
	return fmt.Errorf("%w: %s: %s", ErrExited, c.cmd.ProcessState, output[bytes.LastIndexByte(output, '\n')+1:])
}

// Stop asks the process to end with SIGTERM, kills it after the grace, and returns when it is gone. An error
// says that it had ended before, had to be killed, or failed. Only the first call does anything.
func (c *Child) Stop(grace time.Duration) (err error) {
	c.stop.Do(func() { err = c.end(grace) })
	return err
}

func (c *Child) end(grace time.Duration) error {
	select {
	case <-c.done:
		return c.Exited()
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end %s: %w", c.name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		if c.err != nil {
			return c.Exited()
		}
		return nil
	case <-timer.C:
	}
	err := c.cmd.Process.Kill()
	<-c.done
	return errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM: %s", c.name, grace, bytes.TrimSpace(c.out.bytes())), err)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if extra := len(t.end) - keepOutput; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(b), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.end)
}
