package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstSocket is the first descriptor that systemd hands over (sd_listen_fds(3)).
const firstSocket = 3

var errActivation = errors.New("socket activation")

// serviceManager is systemd, or whatever else started this process and speaks its protocols: it may hold the hub's
// address, and want to know when the hub serves. The zero value is none.
type serviceManager struct {
	// notify is the path of the socket that takes notices (sd_notify(3)).
	notify string
	// sockets is how many descriptors were handed over.
	sockets int
}

// newServiceManager reads what the environment says about the service manager of the process with this id. What is meant for
// another process, as for the shell that started this one, is none of this one's business.
func newServiceManager(environ []string, pid int) *serviceManager {
	var m serviceManager
	var listen, owner string
	for _, pair := range environ {
		switch name, value, _ := strings.Cut(pair, "="); name {
		case "NOTIFY_SOCKET":
			m.notify = value
		case "LISTEN_FDS":
			listen = value
		case "LISTEN_PID":
			owner = value
		}
	}
	if owner == strconv.Itoa(pid) {
		m.sockets, _ = strconv.Atoi(listen)
	}
	return &m
}

// activate takes the hub's address from the service manager, if that holds it.
func (d *daemon) activate(m *serviceManager) error {
	if m.sockets == 0 {
		return nil
	}
	if m.sockets > 1 {
		return fmt.Errorf("%w: %d sockets were handed over and the hub takes one, for --listen; take the others out of the socket unit", errActivation, m.sockets)
	}
	syscall.CloseOnExec(firstSocket)
	file := os.NewFile(firstSocket, "socket of the service manager")
	defer func() { _ = file.Close() }() // the listener has a copy
	l, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("%w: descriptor %d is no listening socket: %w", errActivation, firstSocket, err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return errors.Join(fmt.Errorf("%w: the socket is not TCP; see ListenStream in the socket unit", errActivation), l.Close())
	}
	want, err := net.ResolveTCPAddr("tcp", d.cfg.Listen)
	if err != nil || want.Port != tcp.Addr().(*net.TCPAddr).Port {
		return errors.Join(fmt.Errorf("%w: the socket listens on %s and --listen is %q; make them the same", errActivation, tcp.Addr(), d.cfg.Listen), l.Close())
	}
	d.listener = tcp
	return nil
}

// tell sends a notice, such as READY=1. Without a service manager nobody is told.
func (m *serviceManager) tell(notice string) error {
	if m.notify == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", m.notify)
	if err != nil {
		return fmt.Errorf("tell the service manager %s: %w", notice, err)
	}
	_, err = conn.Write([]byte(notice))
	return errors.Join(err, conn.Close())
}
