package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"hubd/internal/hubtest"
)

const (
	monitoringPage = "../../docs/monitoring.md"
	rulesDir       = "../../deploy/monitoring/prometheus"
	dashboardFile  = "../../deploy/monitoring/grafana/hubd.json"
)

var (
	metricRow   = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram|summary) \\|([^|]*)\\|")
	metricType  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	metricLabel = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	inCode      = regexp.MustCompile("`([^`]+)`")
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// selector is a metric that a hub, Prometheus or a rule has, with its matchers, in a query.
	selector     = regexp.MustCompile(`\b(?:(?:hubd|mercure|go|process)_\w+|instance:[\w:]+|up\b)(?:\{[^}]*\})?`)
	variable     = regexp.MustCompile(`\$\{?(\w+)\}?`)
	sampleSuffix = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// exported are the metrics of a text of the metrics page, as "type labels", and the values of the labels of the hub's
// own. Labels and suffixes that belong to the type are left out.
func exported(text string) (metrics map[string]string, values map[string]bool) {
	types := make(map[string]string)
	for _, m := range metricType.FindAllStringSubmatch(text, -1) {
		types[m[1]] = m[2]
	}
	labels := make(map[string][]string)
	values = make(map[string]bool)
	for line := range strings.Lines(text) {
		sample, _, found := strings.Cut(line, "{")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		name := sample
		if types[name] == "" {
			name = sampleSuffix.ReplaceAllString(sample, "")
		}
		for _, l := range metricLabel.FindAllStringSubmatch(line, -1) {
			if l[1] == "le" || l[1] == "quantile" {
				continue
			}
			if !slices.Contains(labels[name], l[1]) {
				labels[name] = append(labels[name], l[1])
			}
			if strings.HasPrefix(name, "hubd_") {
				values[l[2]] = true
			}
		}
	}
	metrics = make(map[string]string)
	for name, kind := range types {
		metrics[name] = strings.TrimSpace(kind + " " + strings.Join(labels[name], " "))
	}
	return metrics, values
}

// The page has every metric that a hub exports, with its type, labels and their values, and no other.
func TestMonitoringPageHasEveryMetric(t *testing.T) {
	t.Parallel()
	page := readFile(t, monitoringPage)
	p := startSecure(t) // which has all that a plain hub has
	_, text := p.Get(t, "/metrics")
	p.Stop(t)
	got, values := exported(text)
	documented := make(map[string]bool)
	for _, row := range metricRow.FindAllStringSubmatch(page, -1) {
		name, said := row[1], row[2]
		for _, label := range inCode.FindAllStringSubmatch(row[3], -1) {
			said += " " + label[1]
		}
		switch is, found := got[name]; {
		case documented[name]:
			t.Errorf("the page has %s twice", name)
		case !found:
			t.Errorf("the page has %s, which the hub does not export", name)
		case is != said:
			t.Errorf("the page says that %s is a %s, it is a %s", name, said, is)
		}
		documented[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !documented[name] {
			t.Errorf("the page does not have %s, a %s", name, got[name])
		}
	}
	for value := range values {
		if !strings.Contains(page, "`"+value+"`") {
			t.Errorf("the page does not explain the label value %q", value)
		}
	}
}

// rule is an alert or a recording rule.
type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels              map[string]string
	Annotations         map[string]string
}

// ruleFile reads the rules of a file.
func ruleFile(t *testing.T, name string) (rules []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(rulesDir, name))), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatalf("%s has no rules", name)
	}
	return rules
}

// Whoever is woken by an alert finds what it means and what to do, and it has been seen to fire.
func TestAlertsAreExplainedAndTested(t *testing.T) {
	t.Parallel()
	page := readFile(t, monitoringPage)
	anchors := make(map[string]bool)
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(h[1]), " ", "-")] = true
	}
	tests := readFile(t, filepath.Join(rulesDir, "tests.yml"))
	seen := make(map[string]bool)
	for _, r := range ruleFile(t, "alerts.yml") {
		if seen[r.Alert] {
			t.Errorf("%s is there twice", r.Alert)
		}
		seen[r.Alert] = true
		if severity := r.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if r.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", r.Alert, annotation)
			}
		}
		anchor, found := strings.CutPrefix(r.Annotations["runbook_url"], "docs/monitoring.md#")
		if !found || anchor != strings.ToLower(r.Alert) || !anchors[anchor] {
			t.Errorf("%s links to %q, which is no heading of its own", r.Alert, r.Annotations["runbook_url"])
		}
		if fires := regexp.MustCompile(`alertname: ` + r.Alert + `\n\s+exp_alerts:\n`); !fires.MatchString(tests) {
			t.Errorf("%s is not seen to fire in tests.yml", r.Alert)
		}
	}
}

// Prometheus' own tool takes the files, and the alerts fire when they should and stay silent when they should.
func TestPrometheusRules(t *testing.T) {
	t.Parallel()
	promtool := debian(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "scrape.yml"},
		{"check", "rules", "--lint=all", "--lint-fatal", "rules.yml", "alerts.yml"},
		{"test", "rules", "tests.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = rulesDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// dashboard is what of Grafana's dashboard model the tests look at.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Query      json.RawMessage
		}
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Options                  json.RawMessage
	Targets                  []struct {
		RefID, Expr string
		Datasource  source
	}
}

// source is a reference to a data source.
type source struct{ Type, UID string }

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

// The dashboard is one that Grafana can show: panels have ids of their own, places that no other has, a data source
// that whoever imports it chooses, and variables that are defined.
func TestDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	const columns = 24
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 {
		t.Errorf("uid %q, title %q, schema version %d: an older schema than Grafana 11's", d.UID, d.Title, d.SchemaVersion)
	}
	defined := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		defined[v.Name] = true
	}
	variables := func(where, text string) {
		for _, v := range variable.FindAllStringSubmatch(text, -1) {
			if !defined[v[1]] {
				t.Errorf("%s: variable %s is not defined", where, v[1])
			}
		}
	}
	ids, taken := make(map[int]string), make(map[[2]int]string)
	for _, p := range d.Panels {
		name := fmt.Sprintf("panel %d, %q", p.ID, p.Title)
		if other, found := ids[p.ID]; found || p.ID <= 0 {
			t.Errorf("%s: the id is that of %q", name, other)
		}
		ids[p.ID] = p.Title
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.Y < 0 || g.X+g.W > columns {
			t.Errorf("%s: lies outside of the grid: %+v", name, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, found := taken[[2]int{x, y}]; found {
					t.Fatalf("%s: overlaps with %q", name, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		switch p.Type {
		case "row":
			continue
		case "timeseries", "stat", "heatmap":
		default:
			t.Errorf("%s: type %q", name, p.Type)
		}
		if p.Title == "" || p.Description == "" || len(p.Options) == 0 || p.Type != "heatmap" && p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s: has no title, description, options or unit", name)
		}
		refs := make(map[string]bool)
		for _, target := range p.Targets {
			if target.RefID == "" || refs[target.RefID] || target.Expr == "" {
				t.Errorf("%s: query %q has no name of its own, or no expression", name, target.RefID)
			}
			refs[target.RefID] = true
			variables(name, target.Expr)
			for _, s := range []source{p.Datasource, target.Datasource} {
				if s.Type != "prometheus" || s.UID != "${datasource}" {
					t.Errorf("%s: data source %+v, want the one that was chosen", name, s)
				}
			}
			for _, s := range selector.FindAllString(target.Expr, -1) {
				if !strings.Contains(s, `job=~"$job"`) || !strings.Contains(s, `instance=~"$instance"`) {
					t.Errorf("%s: %s is not that of the hubs chosen", name, s)
				}
			}
		}
		if len(refs) == 0 {
			t.Errorf("%s: has no query", name)
		}
	}
	for _, a := range d.Annotations.List {
		variables(a.Name, a.Expr)
	}
}

// question is a query for Prometheus and where it stands.
type question struct {
	where, query string
	// silent ones have no answer while the hub is well.
	silent bool
}

// questions are all that the dashboard and the rules ask. Of what is silent on a well hub, each metric is asked for.
func questions(t *testing.T) (all []question) {
	t.Helper()
	asked := make(map[string]bool)
	add := func(where, query string, silent bool) {
		query = strings.NewReplacer("$__rate_interval", "1m", "$job", "hubd", "$instance", ".*").Replace(query)
		if !asked[query] {
			asked[query] = true
			all = append(all, question{where, query, silent})
		}
	}
	silent := func(where, query string) {
		add(where, query, true)
		for _, s := range selector.FindAllString(query, -1) {
			add(where, s, false)
		}
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			add(fmt.Sprintf("panel %q, query %s", p.Title, target.RefID), target.Expr, false)
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			silent("annotation "+a.Name, a.Expr)
		}
	}
	for _, v := range d.Templating.List {
		for _, s := range selector.FindAllString(strings.ReplaceAll(string(v.Query), `\"`, `"`), -1) {
			add("variable "+v.Name, s, false)
		}
	}
	for _, r := range ruleFile(t, "rules.yml") {
		add("rule "+r.Record, r.Expr, false)
		add("rule "+r.Record, r.Record, false)
	}
	for _, r := range ruleFile(t, "alerts.yml") {
		silent("alert "+r.Alert, r.Expr)
	}
	return all
}

// prometheusServer is a running Prometheus.
type prometheusServer struct{ url string }

// startPrometheus lets Debian's Prometheus watch a hub with the configuration and the rules that operators get; only
// the target and the pace are the test's.
func startPrometheus(t *testing.T, hub *hubtest.Process) *prometheusServer {
	t.Helper()
	binary, dir := debian(t, "prometheus"), t.TempDir()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(rulesDir, "scrape.yml"))), &config); err != nil {
		t.Fatal(err)
	}
	config["global"] = map[string]string{"scrape_interval": "500ms", "evaluation_interval": "500ms"}
	for i, name := range config["rule_files"].([]any) {
		path, err := filepath.Abs(filepath.Join(rulesDir, name.(string)))
		if err != nil {
			t.Fatal(err)
		}
		config["rule_files"].([]any)[i] = path
	}
	job := config["scrape_configs"].([]any)[0].(map[string]any)
	job["static_configs"] = []any{map[string]any{"targets": []string{strings.TrimPrefix(hub.Admin, "http://")}}}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	var log strings.Builder // until ended
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			var entry struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "Listening on" {
				address <- entry.Address
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("log of prometheus:\n%s", log.String())
		}
	})
	select {
	case a := <-address:
		return &prometheusServer{url: "http://" + a}
	case <-ended:
		t.Fatal("prometheus ended")
	case <-time.After(hubtest.Patience):
		t.Fatal("prometheus does not listen")
	}
	return nil
}

// errStarting is what a Prometheus says that reads its files.
var errStarting = errors.New("prometheus is not ready")

// get asks Prometheus' API for data.
func (p *prometheusServer) get(t *testing.T, path string, data any) error {
	t.Helper()
	status, body := hubtest.Get(t, p.url+"/api/v1/"+path)
	if status == http.StatusServiceUnavailable {
		return errStarting
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return fmt.Errorf("%d %q: %w", status, body, err)
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return nil
}

// query returns how many series a query has, and how many of them have a value that is a number. The error is that it is
// no query.
func (p *prometheusServer) query(t *testing.T, query string) (series, numbers int, err error) {
	t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	err = p.get(t, "query?query="+url.QueryEscape(query), &data)
	for _, s := range data.Result {
		text, _ := s.Value[1].(string)
		if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
			numbers++
		}
	}
	return len(data.Result), numbers, err
}

// rules checks that Prometheus has evaluated each of its rules, and returns how many there are.
func (p *prometheusServer) rules(t *testing.T) int {
	t.Helper()
	for deadline := time.Now().Add(hubtest.Patience); ; {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := p.get(t, "rules", &data); err != nil && !errors.Is(err, errStarting) {
			t.Fatal(err)
		}
		n, pending := 0, ""
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				n++
				switch r.Health {
				case "ok":
				case "unknown":
					pending = r.Name
				default:
					t.Fatalf("rule %s: %s", r.Name, r.LastError)
				}
			}
		}
		if n > 0 && pending == "" {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d rules %q is not evaluated", n, pending)
		}
	}
}

// Prometheus watches a hub that works: each query of the dashboard and of the rules has an answer, and each answer a
// number; what is for a hub in trouble has none, but each metric in it is there.
func TestDashboardAndRulesOnAHub(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--anonymous")
	prometheus := startPrometheus(t, hub)
	for range 8 {
		hub.Subscribe(t, "topic="+enc("https://example.com/books/{id}"))
	}
	open := questions(t)
	deadline := time.Now().Add(hubtest.Patience)
	for round := 0; len(open) > 0; round++ {
		// What is asked for are rates: something has to happen all the time, and to topics not seen before.
		hub.PublishData(t, "https://example.com/books/"+strconv.Itoa(round), "x")
		back := hub.Subscribe(t, "topic=*&lastEventID=earliest")
		back.Next(t)
		back.Close()
		open = slices.DeleteFunc(open, func(q question) bool {
			series, numbers, err := prometheus.query(t, q.query)
			switch {
			case errors.Is(err, errStarting):
				return false
			case err != nil:
				t.Errorf("%s: %s: %v", q.where, q.query, err)
				return true
			case q.silent:
				return series == 0
			}
			return series > 0 && numbers == series
		})
		if time.Now().After(deadline) {
			for _, q := range open {
				series, numbers, err := prometheus.query(t, q.query)
				t.Errorf("%s: %s: %d series, %d of them with a number, error %v", q.where, q.query, series, numbers, err)
			}
			return
		}
	}
	if n, want := prometheus.rules(t), len(ruleFile(t, "rules.yml"))+len(ruleFile(t, "alerts.yml")); n != want {
		t.Errorf("Prometheus has %d rules, the files %d", n, want)
	}
	hub.Stop(t)
}

// debian returns the path of a program of Debian's package prometheus.
func debian(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%v; scripts/test-deps.sh installs it as root on Debian (apt-get install prometheus)", err)
	}
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
