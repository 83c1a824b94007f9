package result

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names of figures that the report speaks of. A workload may have more.
const (
	MemoryPerStream    = "memory_per_stream_bytes"
	LivePerStream      = "live_memory_per_stream_bytes"
	ConnectTime        = "connect_seconds"
	CPUPerConnect      = "server_cpu_per_connect_seconds"
	CPUPerDelivery     = "server_cpu_per_delivery_seconds"
	CPUPerPublish      = "server_cpu_per_publish_seconds"
	ReaderPerDelivery  = "load_cpu_per_delivery_seconds"
	LoadPerPublish     = "load_cpu_per_publish_seconds"
	LatencyP50         = "latency_p50_seconds"
	LatencyP99         = "latency_p99_seconds"
	LatencyP999        = "latency_p999_seconds"
	LatencyMax         = "latency_max_seconds"
	PublishP50         = "publish_p50_seconds"
	PublishP99         = "publish_p99_seconds"
	PublishLateP99     = "publish_begun_late_p99_seconds"
	DeliveriesPerSec   = "deliveries_per_second"
	PublishesPerSec    = "publishes_per_second"
	EventsPerSec       = "events_per_second"
	Deliveries         = "deliveries_count"
	Publishes          = "publishes_count"
	Refused            = "refused_count"
	Reconnects         = "reconnects_count"
	Replayed           = "replayed_count"
	RSS                = "server_rss_bytes"
	PeakRSS            = "server_peak_rss_bytes"
	Heap               = "server_heap_bytes"
	Goroutines         = "server_goroutines_count"
	GoroutinesPerIdle  = "server_goroutines_per_stream_count"
	Threads            = "server_threads_count"
	Files              = "server_files_count"
	SyncsPerSec        = "disk_syncs_per_second"
	GoroutinesLeftOver = "server_goroutines_left_count"
	FilesLeftOver      = "server_files_left_count"
	SlowLatencyP99     = "slow_latency_p99_seconds"
	PathWaits          = "waits_on_the_path_per_delivery_seconds"
	PathHolds          = "locks_held_on_the_path_per_delivery_seconds"
	PathShare          = "contention_on_the_path_share"
	OtherWaits         = "lock_waits_elsewhere_per_delivery_seconds"
	ProxyPerDelivery   = "proxy_cpu_per_delivery_seconds"
	ProxyRSS           = "proxy_rss_bytes"
	LatencyBeforeP50   = "latency_before_p50_seconds"
	LatencyBeforeP99   = "latency_before_p99_seconds"
	LatencyBeforeMax   = "latency_before_max_seconds"
	CatchUpTime        = "caught_up_after_seconds"
	RestartTime        = "serves_again_after_seconds"
	ServerCPU          = "server_cpu_seconds"
	ToldToReturn       = "told_when_to_return_count"
	// Taken is the share of the processor time asked for that the machine's host gave to other machines.
	Taken = "machine_taken_by_others_share"
)

// Params are what a run was asked to do. What a workload does not use is zero.
type Params struct {
	Streams     int     `json:"streams,omitempty"`
	Publishers  int     `json:"publishers,omitempty"`
	Rate        float64 `json:"publishes_per_second,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
	Count       int64   `json:"publishes,omitempty"`
	Window      int64   `json:"window,omitempty"`
	Payload     int     `json:"payload_bytes,omitempty"`
	Concurrency int     `json:"connects_under_way,omitempty"`
	Settle      float64 `json:"settle_seconds,omitempty"`
	Missing     int64   `json:"missing_events,omitempty"`
	Staying     int     `json:"streams_that_stay,omitempty"`
	Churn       float64 `json:"churn_per_second,omitempty"`
	SlowShare   float64 `json:"slow_share,omitempty"`
	Topics      int     `json:"topics,omitempty"`
	Retention   int64   `json:"history_max_events,omitempty"`
	CacheBytes  int64   `json:"cache_bytes,omitempty"`
}

// Result is one run of a workload against a target.
type Result struct {
	Workload string             `json:"workload"`
	Target   string             `json:"target"`
	Run      int                `json:"run"`
	Params   Params             `json:"params"`
	Figures  map[string]float64 `json:"figures"`
	Curves   []Curve            `json:"curves,omitempty"`
	// Disconnects counts the streams that a hub has ended, by the reason that its metrics give. Those that the
	// load program closed itself, or that the end of the run closed, stand under "client".
	Disconnects map[string]float64 `json:"disconnects,omitempty"`
	// Warning says what was wrong with the target besides its deliveries, such as how it ended.
	Warning string `json:"warning,omitempty"`
	// Failure says why the run does not count; it is empty when every delivery was right.
	Failure string   `json:"failure,omitempty"`
	Faults  []string `json:"faults,omitempty"`
	// Log is the end of what the target of a failed run has written.
	Log string `json:"log,omitempty"`
	// Details are lines that explain figures, such as where a lock was waited for.
	Details []string `json:"details,omitempty"`
}

// Set notes a figure.
func (r *Result) Set(name string, value float64) {
	if r.Figures == nil {
		r.Figures = make(map[string]float64)
	}
	r.Figures[name] = value
}

// Warn adds a warning.
func (r *Result) Warn(text string) {
	if r.Warning != "" {
		text = r.Warning + "; " + text
	}
	r.Warning = text
}

// HubEnded names the reasons for which the hub itself ended streams, with their counts, or returns nothing.
func (r *Result) HubEnded() string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(r.Disconnects)) {
		if n := r.Disconnects[reason]; n > 0 && reason != "client" {
			parts = append(parts, fmt.Sprintf("%s %.0f", reason, n))
		}
	}
	return strings.Join(parts, ", ")
}

// Names of curves.
const (
	// LatencyCurve has the share of deliveries that took longer as x, from 1 downwards, and seconds as y.
	LatencyCurve = "latency"
	// MemoryCurve has seconds since the target's start as x and resident bytes as y.
	MemoryCurve = "memory"
)

// Curve is a figure that changes along another.
type Curve struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
}

// Curve returns the points of a curve, or nil.
func (r *Result) Curve(name string) [][2]float64 {
	for _, c := range r.Curves {
		if c.Name == name {
			return c.Points
		}
	}
	return nil
}
