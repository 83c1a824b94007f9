package process

import (
	"bufio"
	"bytes"
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
	page, err := get(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return parseMetrics(bytes.NewReader(page))
}

// ReadProfile reads a profile; url says which, and how many seconds it is taken for.
func ReadProfile(ctx context.Context, url string) ([]byte, error) {
	profile, err := get(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	return profile, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// Labelled returns the values of a metric by the value of its only label.
func Labelled(samples map[string]float64, metric, label string) map[string]float64 {
	values := make(map[string]float64)
	for name, v := range samples {
		rest, ok := strings.CutPrefix(name, metric+"{"+label+`="`)
		value, found := strings.CutSuffix(rest, `"}`)
		if ok && found && !strings.Contains(value, `"`) {
			values[value] = v
		}
	}
	return values
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
