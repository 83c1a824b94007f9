package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	// fewFiles is a limit of file descriptors that is some system's default rather than a choice.
	fewFiles = 4096
	// mostUsed is the share of a limit beyond which it is time to raise it.
	mostUsed = 0.8
)

// limits asks the admin server whether the hub is ready and what its process may use.
func (x *examination) limits(ctx context.Context) {
	if x.o.Admin == "" {
		x.add("limits", Skipped, "no --admin was given", "")
		return
	}
	ready, err := x.ask(ctx, http.MethodGet, x.o.Admin+"/readyz", "")
	if err != nil {
		x.add("limits", Failure, "the admin server does not answer: "+reason(err), "is this the hub's --admin-listen?")
		return
	}
	if ready.StatusCode != http.StatusOK {
		x.add("ready", Failure, "the hub is not ready: "+firstLine(ready.body), "")
	}
	a, err := x.ask(ctx, http.MethodGet, x.o.Admin+"/metrics", "")
	if err != nil || a.StatusCode != http.StatusOK {
		x.add("limits", Failure, "the admin server shows no metrics", "is this the hub's --admin-listen?")
		return
	}
	m := samples(a.body)
	limit, known := m["process_max_fds"]
	if !known {
		x.add("limits", Skipped, "the system does not tell the limit of file descriptors", "")
		return
	}
	text := fmt.Sprintf("%.0f of %.0f file descriptors in use, for %.0f connections, %.0f of them streams",
		m["process_open_fds"], limit, m["hubd_connections"], m["mercure_subscribers_connected"])
	switch {
	case m["process_open_fds"] > mostUsed*limit:
		x.add("limits", Failure, text, "raise LimitNOFILE, or --ulimit nofile of a container; scripts/tune.sh says by how much")
	case limit <= fewFiles:
		x.add("limits", Warning, text, fmt.Sprintf("that is enough for %.0f streams: raise LimitNOFILE, or --ulimit nofile of a container", max(0, limit-100)))
	default:
		x.add("limits", OK, text, "")
	}
}

// samples returns the metrics without labels of a page in Prometheus' text format.
func samples(text string) map[string]float64 {
	m := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	return m
}
