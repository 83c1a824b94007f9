package redis

import (
	"context"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// sharedPlace is a place whose logs can be cut off: each has a proxy.
type sharedPlace struct {
	t       testing.TB
	prefix  string
	proxies map[persistence.Log]*engines.Proxy
	cut     *engines.Proxy
}

func newSharedPlace(t testing.TB) logtest.Place {
	return &sharedPlace{t: t, prefix: newPrefix(), proxies: map[persistence.Log]*engines.Proxy{}}
}

// Open implements logtest.Place. It may be called from several goroutines before any log is cut off.
func (p *sharedPlace) Open(o logtest.Options) (persistence.Log, error) {
	options := Options{URL: server.URL(), Prefix: p.prefix, Retention: o.Retention, Ring: o.Ring, Now: o.Now, Contacted: o.Contacted}
	if o.Contacted == nil {
		return Open(context.Background(), options)
	}
	proxy := engines.StartProxy(p.t, server.Address)
	options.URL, options.Timeout = "redis://"+proxy.Address, time.Second
	log, err := Open(context.Background(), options)
	if err != nil {
		return nil, err
	}
	p.proxies[log] = proxy
	return log, nil
}

// Cut implements logtest.Cutter.
func (p *sharedPlace) Cut(log persistence.Log) {
	p.cut = p.proxies[log]
	p.cut.Cut()
}

// Mend implements logtest.Cutter.
func (p *sharedPlace) Mend() { p.cut.Mend() }

func TestShared(t *testing.T) {
	t.Parallel()
	logtest.RunShared(t, logtest.Backend{New: newSharedPlace, Durable: true})
}
