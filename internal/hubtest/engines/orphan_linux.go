package engines

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startChild starts a process that is sent the signal if this one ends first, as a test does that takes too long. The channel is
// closed when it has ended.
func startChild(cmd *exec.Cmd, orphaned syscall.Signal) (exited chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = orphaned
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		// The kernel takes the thread for the parent, so it must last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return exited, <-started
}
