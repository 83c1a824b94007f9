package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ReadMetrics reads a page in the Prometheus text format. Samples are named as they stand there, with
// their labels.
func ReadMetrics(ctx context.Context, url string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s answered %s", url, response.Status)
	}
	return parseMetrics(response.Body)
}

func parseMetrics(r io.Reader) (map[string]float64, error) {
	samples := make(map[string]float64)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.IndexByte(line, ' ')
		if brace := strings.LastIndexByte(line, '}'); brace >= 0 {
			end = brace + 1
		}
		if end <= 0 || end >= len(line) {
			continue
		}
		value, _, _ := strings.Cut(strings.TrimSpace(line[end:]), " ") // a time may follow
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			samples[line[:end]] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return samples, nil
}
