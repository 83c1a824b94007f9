package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"hubd/actors"
)

// metrics are the hub's measurements. Labels have a bounded set of values: no topic, id or address.
type metrics struct {
	registry *prometheus.Registry

	publish, commit, batch prometheus.Histogram
	publishes              *prometheus.CounterVec
	updates                prometheus.Counter
	commits                commits
}

// publishCodes are the statuses that publishes are answered with. They are shown from the start: the first refusal of a
// kind would else not be a rise.
var publishCodes = [...]int{
	http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
	http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable,
}

func newMetrics() *metrics {
	seconds := prometheus.ExponentialBuckets(0.0001, 2.5, 13)
	m := &metrics{
		registry: prometheus.NewRegistry(),
		publish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hubd_publish_seconds", Help: "Time from a publish to its answer.", Buckets: seconds,
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hubd_store_commit_seconds", Help: "Time of a commit to the store.", Buckets: seconds,
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hubd_store_batch_events", Help: "Updates in a commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		publishes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hubd_publishes_total", Help: "Publishes answered, by status.",
		}, []string{"code"}),
		updates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mercure_updates_total", Help: "Updates accepted.",
		}),
	}
	for _, code := range publishCodes {
		m.publishes.WithLabelValues(strconv.Itoa(code))
	}
	m.registry.MustRegister(
		m.publish, m.commit, m.batch, m.publishes, m.updates,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Publish implements sse.Observer.
func (m *metrics) Publish(status int, d time.Duration) {
	m.publish.Observe(d.Seconds())
	m.publishes.WithLabelValues(strconv.Itoa(status)).Inc()
}

// Commit implements persistence.Observer.
func (m *metrics) Commit(d time.Duration, events int) {
	m.commit.Observe(d.Seconds())
	m.batch.Observe(float64(events))
	m.updates.Add(float64(events))
	m.commits.add(d, events)
}

// deliveries shows the distribution that the workers keep by themselves.
type deliveries struct {
	desc  *prometheus.Desc
	stats func() *actors.Stats
}

func newDeliveries(stats func() *actors.Stats) *deliveries {
	return &deliveries{stats: stats, desc: prometheus.NewDesc("hubd_delivery_seconds",
		"Time from the acceptance of an update to the write that carries it, by write.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (d *deliveries) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements prometheus.Collector.
func (d *deliveries) Collect(to chan<- prometheus.Metric) {
	ages := d.stats().Ages()
	buckets := make(map[float64]uint64, len(ages.Bounds))
	var total uint64
	for i, n := range ages.Counts {
		total += n
		if i < len(ages.Bounds) {
			buckets[ages.Bounds[i].Seconds()] = total
		}
	}
	to <- prometheus.MustNewConstHistogram(d.desc, total, ages.Sum.Seconds(), buckets)
}

// truth is a condition as a metric.
func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// watch adds the numbers that the rooms keep by themselves.
func (m *metrics) watch(d *daemon) {
	stats := d.late.stats
	m.registry.MustRegister(newDeliveries(stats))
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, labels prometheus.Labels, value func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	gauge("mercure_subscribers_connected", "Streams that are open.", func() float64 { return float64(stats().Connected()) })
	counter("mercure_subscribers_total", "Streams opened.", nil, func() float64 { return float64(stats().Total()) })
	counter("hubd_deliveries_total", "Updates written to streams.", nil, func() float64 { return float64(stats().Deliveries()) })
	gauge("hubd_queue_bytes", "Bytes of updates that wait for streams; streams share them.", func() float64 { return float64(stats().QueuedBytes()) })
	gauge("hubd_catchup_streams", "Streams that read history.", func() float64 { return float64(stats().CatchingUp()) })
	counter("hubd_replay_events_total", "Updates written to streams from history.", nil, func() float64 { return float64(stats().Replayed()) })
	counter("hubd_replay_misses_total", "Cursors asked for that are not retained.", nil, func() float64 { return float64(stats().Misses()) })
	gauge("hubd_topics", "Topics in use.", func() float64 { return float64(stats().Topics()) })
	gauge("hubd_connections", "Connections to the hub, streams and others.", func() float64 { return float64(d.connections()) })
	counter("hubd_store_damaged_records_total", "Records of the store that could not be read.", nil, func() float64 { return float64(d.damage.records.Load()) })
	gauge("hubd_fanout_lag_events", "Stored updates that wait to be handed to streams.", func() float64 { return float64(d.late.lag()) })
	counter("hubd_publishes_held_total", "Publishes that waited for the fan-out.", nil, func() float64 { return float64(d.late.publishesHeld()) })
	gauge("hubd_store_waiting", "Updates that wait for their commit.", func() float64 { return float64(d.late.waiting()) })
	gauge("hubd_store_held_elsewhere", "1 while the hub waits for a store that another process holds.", func() float64 { return truth(d.held.holder() != "") })
	gauge("hubd_store_failing", "1 while the store refuses what is written to it.", func() float64 {
		e := d.late.engine.Load()
		return truth(e != nil && e.appender.Err() != nil)
	})
	gauge("hubd_ready", "1 while the hub serves, as /readyz says.", func() float64 { return truth(d.ready() == nil) })
	counter("hubd_publishes_limited_total", "Publishes refused because their token made too many.", nil, func() float64 { return float64(d.publishesLimited()) })
	gauge("hubd_revocations", "Ids and subjects of tokens that are revoked.", func() float64 { return float64(d.verifier.Revocations()) })
	keys := d.verifier.KeySets
	counter("hubd_jwks_fetches_total", "Fetches of key sets, by result.", prometheus.Labels{"result": "success"}, func() float64 { return float64(keys().Fetched) })
	counter("hubd_jwks_fetches_total", "Fetches of key sets, by result.", prometheus.Labels{"result": "failure"}, func() float64 { return float64(keys().Failed) })
	gauge("hubd_jwks_age_seconds", "Time since the last successful fetch, of the key set for which it is longest.", func() float64 { return keys().Age.Seconds() })
	cache := d.space.CacheStats
	counter("hubd_selector_cache_hits", "Answers of the selector cache.", nil, func() float64 { return float64(cache().Hits) })
	counter("hubd_selector_cache_misses", "Questions that the selector cache could not answer.", nil, func() float64 { return float64(cache().Misses) })
	gauge("hubd_selector_cache_cost_bytes", "Size of the selector cache.", func() float64 { return float64(cache().CostBytes) })
	for _, reason := range actors.Reasons() {
		counter("hubd_disconnects_total", "Streams that ended, by reason.", prometheus.Labels{"reason": reason.String()},
			func() float64 { return float64(stats().Ended(reason)) })
	}
}
