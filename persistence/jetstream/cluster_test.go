package jetstream

import (
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
)

// Two nodes append through three servers, of which the leader gives way and is then killed.
func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	c := engines.StartNATSCluster(t, false)
	p := newPlaceAt(c.URL()+"/?stream=three&replicas=3", 10*time.Second)
	logs := [2]*Log{openLog(t, p), openLog(t, p)}
	pubs := [2]*publisher{newPublisher(logs[0], "one"), newPublisher(logs[1], "two")}
	quit := make(chan struct{})
	var publishing sync.WaitGroup
	stop := sync.OnceFunc(func() {
		close(quit)
		publishing.Wait()
	})
	defer stop()
	for _, pub := range pubs {
		publishing.Go(func() {
			for i := 0; i < 5000; i++ {
				select {
				case <-quit:
					return
				default:
					_ = pub.append(t, i)
				}
			}
		})
	}
	c.StepDown(t, "three")
	leader := c.Leader(t, "three")
	leader.Kill()
	others := c.Others(leader)
	if now := others.Leader(t, "three"); now == leader {
		t.Error("a server that was killed leads")
	}
	stop()
	for _, log := range logs {
		awaitAppend(t, log)
	}
	if err := leader.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, pub := range pubs {
		pub.surely(t)
		if len(pub.acked) == 0 {
			t.Error("nothing was acknowledged")
		}
	}
	awaitAppend(t, logs[0])
	check(t, logs[0], pubs[:]...)
	check(t, openLog(t, p), pubs[:]...)
}
