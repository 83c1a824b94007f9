package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hubd/internal/hubtest"
	"hubd/internal/hubtest/engines"
)

// cable joins this network with that of a hub in a container. What is sent while it is cut vanishes.
type cable struct{ near, far, here, there string }

// newCable makes the cable and gives this end its address.
func newCable(t *testing.T) *cable {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a cable takes root")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Skip("a cable takes the nsenter tool of util-linux")
	}
	id := os.Getpid() % 100_000
	// Addresses for benchmarks (RFC 2544); those of newElsewhere are 198.18.0.0/16.
	network := fmt.Sprintf("198.19.%d.", id%250)
	w := &cable{fmt.Sprintf("hubc%d", id), fmt.Sprintf("hubd%d", id), network + "1", network + "2"}
	if out, err := exec.Command("ip", "link", "add", w.near, "type", "veth", "peer", "name", w.far).CombinedOutput(); err != nil {
		t.Skipf("no pair of devices can be made here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", w.near).Run() })
	w.run(t, "ip addr add "+w.here+"/24 dev "+w.near)
	w.run(t, "ip link set "+w.near+" up")
	return w
}

func (w *cable) run(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// plug puts the other end into the network of the process.
func (w *cable) plug(t *testing.T, pid int) {
	t.Helper()
	w.run(t, fmt.Sprintf("ip link set %s netns %d", w.far, pid))
	w.run(t, fmt.Sprintf("nsenter -t %d -n ip addr add %s/24 dev %s", pid, w.there, w.far))
	w.run(t, fmt.Sprintf("nsenter -t %d -n ip link set %s up", pid, w.far))
}

func (w *cable) cut(t *testing.T)  { w.run(t, "ip link set "+w.near+" down") }
func (w *cable) mend(t *testing.T) { w.run(t, "ip link set "+w.near+" up") }

// A node in a network of its own, whose cable to the engine is cut: packets vanish and nobody is told. The others go on.
// When the cable is mended the node does too, and its streams have all that came meanwhile.
func TestClusterNodeBehindACutCable(t *testing.T) {
	t.Parallel()
	w := newCable(t)
	r := engines.StartRedis(t)
	e := &faultyEngine{url: r.URL(), proxied: "redis://" + engines.StartProxyAt(t, w.here, r.Address).Address}
	c := startLoad(t, clusterNodes, func(i int) *hubtest.Process {
		if i != remote {
			return e.launch(t, i)
		}
		p := hubtest.LaunchContainer(t, t.TempDir(), e.arguments(i)...)
		w.plug(t, p.PID)
		return p
	})
	c.awaitProgress(t, c.all()...)
	w.cut(t)
	c.awaitReady(t, false, remote)
	c.awaitProgress(t, 0, 1)
	c.awaitReady(t, true, 0, 1)
	w.mend(t)
	c.awaitReady(t, true, c.all()...)
	c.awaitProgress(t, c.all()...)
	c.verify(t)
	c.verifyPresence(t)
	c.verifyHistory(t)
	c.stop()
}
