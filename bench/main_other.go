//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: the load program needs Linux: it uses epoll and reads /proc")
	os.Exit(1)
}
