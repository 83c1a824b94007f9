package main

import (
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// hubNode is this hub among those that share its store. It must not be copied.
type hubNode struct {
	name string
	log  *slog.Logger
	// outages counts how often the engine stopped to answer, lost the events that it lost, cuts the pages that came from
	// it without a part.
	outages, lost, cuts atomic.Uint64
	// away is why the store cannot be opened yet; nil if it can or was.
	away atomic.Pointer[error]
}

// nodeName returns the name that was given, or one that no other process has.
func nodeName(given string) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		host = "hubd"
	}
	host = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return '-'
	}, host)
	return host[:min(len(host), 100)] + "-" + strings.ToLower(rand.Text()[:6])
}

// contacted is the store's persistence.Contacted.
func (n *hubNode) contacted(err error) {
	if err == nil {
		n.log.Info("the store answers again")
		return
	}
	n.outages.Add(1)
	n.log.Error("the store cannot be reached; publishes are refused, streams stay open", slog.Any("error", err))
}

// lose is told of events that the engine lost.
func (n *hubNode) lose(after, upto uint64) {
	n.lost.Add(upto - after)
	n.log.Error("the store has lost updates that were acknowledged; their places stay empty", slog.Uint64("after", after), slog.Uint64("upto", upto))
}

// cut is told of a page of the store that arrived without a part of it.
func (n *hubNode) cut() {
	n.cuts.Add(1)
	n.log.Warn("a page of the store arrived without a part of it, which is asked for again")
}

// unopened notes why the store cannot be opened, nil if it was, and reports whether that is news.
func (n *hubNode) unopened(err error) bool {
	if err == nil {
		n.away.Store(nil)
		return false
	}
	return n.away.Swap(&err) == nil
}

// absence returns why the store cannot be opened yet, or nil.
func (n *hubNode) absence() error {
	if err := n.away.Load(); err != nil {
		return *err
	}
	return nil
}

// watchNode adds what is known of the engine that hubs share.
func (m *metrics) watchNode(d *daemon) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hubd_engine_up", Help: "1 while the server that keeps the store answers; always where the store is no server.",
		}, func() float64 {
			e := d.late.engine.Load()
			return truth(d.node.absence() == nil && (e == nil || e.contact() == nil))
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hubd_engine_outages_total", Help: "Times that the server that keeps the store stopped to answer.",
		}, func() float64 { return float64(d.node.outages.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hubd_engine_lost_events_total", Help: "Acknowledged updates that the server that keeps the store has lost.",
		}, func() float64 { return float64(d.node.lost.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hubd_engine_cut_pages_total", Help: "Pages of the store that arrived without a part of them, which was asked for again.",
		}, func() float64 { return float64(d.node.cuts.Load()) }),
	)
	if d.cfg.Store.Engine() == "" {
		return
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hubd_node_info", Help: "1, with the name of this hub among those that share its store.",
		ConstLabels: prometheus.Labels{"node": d.node.name},
	})
	info.Set(1)
	m.registry.MustRegister(info)
}
