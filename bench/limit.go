//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"

	"hubd/bench/limit"
)

// runLimit is the limit command: the bare loop, until it is interrupted.
func runLimit(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench limit", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:4000", "IPv4 `address` to listen on")
	loops := flags.Int("loops", 1, "`number` of loops, each with its own thread and share of the streams")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(*listen)
	if err != nil || !addr.Addr().Is4() || *loops < 1 {
		return fmt.Errorf("%w: -listen %q -loops %d: an IPv4 address and at least one loop are needed", errUsage, *listen, *loops)
	}
	server, err := limit.NewServer(addr, *loops)
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "listening on", server.Addr())
	return server.Run(ctx)
}
