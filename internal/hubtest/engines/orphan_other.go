//go:build !linux

package engines

import (
	"os/exec"
	"syscall"
)

// startChild starts a process. The channel is closed when it has ended.
func startChild(cmd *exec.Cmd, _ syscall.Signal) (exited chan struct{}, err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited = make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	return exited, nil
}
