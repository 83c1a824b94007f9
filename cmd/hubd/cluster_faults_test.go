package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"hubd/internal/hubtest"
	"hubd/internal/hubtest/engines"
)

// faultRounds is the variable that says how many times all faults are gone through: once if it is not set.
const faultRounds = "FAULTS"

// clusterNodes is how many hubs share the store, and remote the one that reaches it by a way that can be cut.
const (
	clusterNodes = 3
	remote       = clusterNodes - 1
)

// clusterFault is one of the faults that a cluster has to bear.
type clusterFault struct {
	name string
	// inflict makes and mends it, and waits for what a fault of its kind must lead to meanwhile.
	inflict func(t *testing.T, c *underLoad)
}

// faultyEngine is a server, or several, with what may befall it.
type faultyEngine struct {
	// url is how hubs reach it; proxied is the same through the proxy, for the remote one.
	url, proxied string
	faults       []clusterFault
}

// one is a server that is alone.
type one struct {
	kill, shutdown, pause, resume func()
	restart                       func(t testing.TB)
}

// all are the numbers of all nodes.
func (c *underLoad) all() []int {
	numbers := make([]int, len(c.nodes))
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// faultsOf are those of a server that is alone, of the hubs, and of the network between the two.
func faultsOf(e one, proxy *engines.Proxy) []clusterFault {
	outage := func(begin func(), end func(t testing.TB)) func(*testing.T, *underLoad) {
		return func(t *testing.T, c *underLoad) {
			begin()
			c.awaitReady(t, false, c.all()...)
			end(t)
		}
	}
	partition := func(begin func()) func(*testing.T, *underLoad) {
		return func(t *testing.T, c *underLoad) {
			begin()
			c.awaitReady(t, false, remote)
			c.awaitProgress(t, 0, 1)
			c.awaitReady(t, true, 0, 1)
			proxy.Mend()
		}
	}
	return []clusterFault{
		{"the engine is killed", outage(e.kill, e.restart)},
		{"the engine hangs", outage(e.pause, func(testing.TB) { e.resume() })},
		{"the engine is restarted", func(t *testing.T, _ *underLoad) {
			e.shutdown()
			e.restart(t)
		}},
		{"a node is killed", func(t *testing.T, c *underLoad) {
			c.kill(t, 1)
			c.awaitProgress(t, 0, 2)
			c.relaunch(t, 1)
		}},
		{"the connections of a node break", partition(proxy.Cut)},
		{"the packets of a node vanish", partition(proxy.Hold)},
	}
}

func redisAlone(t *testing.T) *faultyEngine {
	r := engines.StartRedis(t)
	proxy := engines.StartProxy(t, r.Address)
	return &faultyEngine{r.URL(), "redis://" + proxy.Address, faultsOf(one{r.Kill, r.Shutdown, r.Pause, r.Continue, r.Restart}, proxy)}
}

func postgresAlone(t *testing.T) *faultyEngine {
	p := engines.StartPostgres(t)
	proxy := engines.StartProxy(t, p.Address)
	url := p.URL("postgres")
	return &faultyEngine{
		url, strings.Replace(url, p.Address, proxy.Address, 1), faultsOf(one{p.Kill, p.Shutdown, p.Pause, p.Continue, p.Restart}, proxy),
	}
}

func jetstreamAlone(t *testing.T) *faultyEngine {
	n := engines.StartNATS(t, true)
	proxy := engines.StartProxy(t, strings.TrimPrefix(n.URL, "nats://"))
	restart := func(t testing.TB) { mustRestart(t, n) }
	return &faultyEngine{n.URL, "nats://" + proxy.Address, faultsOf(one{n.Kill, n.Stop, n.Pause, n.Continue, restart}, proxy)}
}

func mustRestart(t testing.TB, n *engines.NATS) {
	t.Helper()
	if err := n.Restart(); err != nil {
		t.Fatal(err)
	}
}

// redisReplicas is a master and a replica that waits to take over.
func redisReplicas(t *testing.T) *faultyEngine {
	quick := []string{"--repl-diskless-sync-delay", "0"} // serve a new replica at once
	master, replica := engines.StartRedis(t, quick...), engines.StartRedis(t, quick...)
	replica.Follow(t, master)
	proxy := engines.StartProxy(t, master.Address)
	url := "redis://" + proxy.Address + "?wait-replicas=1"
	return &faultyEngine{url, url, []clusterFault{{"the replica takes over", func(t *testing.T, c *underLoad) {
		master.Kill()
		proxy.Retarget(replica.Address)
		replica.Must(t, "REPLICAOF", "NO", "ONE")
		master.Restart(t)
		master.Follow(t, replica)
		master, replica = replica, master
	}}}}
}

// redisSentinel is a master, and a replica that a Sentinel puts in its place.
func redisSentinel(t *testing.T) *faultyEngine {
	const name = "hubs"
	quick := []string{"--repl-diskless-sync-delay", "0"}
	master, replica := engines.StartRedis(t, quick...), engines.StartRedis(t, quick...)
	replica.Follow(t, master)
	sentinel := engines.StartSentinel(t, name, master)
	sentinel.AwaitInfo(t, "sentinel", "slaves=1")
	url := "redis://" + sentinel.Address + "?sentinel=" + name + "&wait-replicas=1"
	return &faultyEngine{url, url, []clusterFault{{"Sentinel has the replica take over", func(t *testing.T, _ *underLoad) {
		master.Kill()
		replica.AwaitInfo(t, "replication", "role:master")
		master.Restart(t)
		master.Follow(t, replica)
		master, replica = replica, master
	}}}}
}

// jetstreamThree is three servers, of which each has all.
func jetstreamThree(t *testing.T) *faultyEngine {
	const stream = "hubd"
	servers := engines.StartNATSCluster(t, false)
	url := servers.URL() + "/?replicas=3&stream=" + stream
	return &faultyEngine{url, url, []clusterFault{
		{"the leader gives way", func(t *testing.T, _ *underLoad) {
			servers.StepDown(t, stream)
			servers.Leader(t, stream)
		}},
		{"the leader is killed", func(t *testing.T, c *underLoad) {
			leader := servers.Leader(t, stream)
			leader.Kill()
			servers.Others(leader).Leader(t, stream)
			c.awaitProgress(t, c.all()...)
			mustRestart(t, leader)
		}},
	}}
}

// Three hubs on one store, with publishers, streams that stay and clients that change nodes, all the time, whatever
// befalls the engine, a node or the network between the two: nothing that was acknowledged is lost, nothing comes twice,
// all see one order, no stream of a node that lives ends, and presence is right again.
func TestClusterFaults(t *testing.T) {
	t.Parallel()
	rounds := 1
	if text := os.Getenv(faultRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", faultRounds, err)
		}
	}
	for name, start := range map[string]func(*testing.T) *faultyEngine{
		"redis": redisAlone, "postgres": postgresAlone, "jetstream": jetstreamAlone,
		"redis with a replica": redisReplicas, "redis with Sentinel": redisSentinel, "jetstream of three": jetstreamThree,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			c := startLoad(t, clusterNodes, func(i int) *hubtest.Process { return e.launch(t, i) })
			c.awaitProgress(t, c.all()...)
			for round := range rounds {
				for _, fault := range e.faults {
					if !t.Run(fmt.Sprintf("%s, round %d", fault.name, round+1), func(t *testing.T) {
						fault.inflict(t, c)
						c.awaitReady(t, true, c.all()...)
						c.awaitProgress(t, c.all()...)
						c.verify(t)
					}) {
						return
					}
				}
				c.verifyPresence(t)
				c.verifyHistory(t)
			}
			c.stop()
			for i := range c.nodes {
				c.node(i).Stop(t)
			}
		})
	}
}

// launch starts a hub on the engine.
func (e *faultyEngine) launch(t *testing.T, i int) *hubtest.Process {
	t.Helper()
	return hubtest.Launch(t, t.TempDir(), e.arguments(i)...)
}

// arguments are those of a hub.
func (e *faultyEngine) arguments(i int) []string {
	store := e.url
	if i == remote {
		store = e.proxied
	}
	return []string{
		"--store=" + store, fmt.Sprint("--node=node-", i),
		"--anonymous", "--subscriptions", "--node-lease=3s", "--drain=0s", "--history-max-events=0",
		"--write-timeout=0", // many rounds take longer than a stream may last
	}
}
