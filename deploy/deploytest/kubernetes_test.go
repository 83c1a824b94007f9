package deploytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"hubd/internal/hubtest"
)

// Both ways to run hubd on Kubernetes render, and what they render is what Kubernetes and Prometheus Operator define; a
// copy with a mistake is refused.
func TestManifestsAreValid(t *testing.T) {
	t.Parallel()
	kustomize, kubeconform, schemas := tool(t, "DEPLOY_KUSTOMIZE"), tool(t, "DEPLOY_KUBECONFORM"), tool(t, "DEPLOY_SCHEMAS")
	check := func(manifests string) (string, error) {
		return run(t, manifests, kubeconform, "-strict", "-summary", "-schema-location", schemas+"/{{.ResourceKind}}{{.KindSuffix}}.json", "-")
	}
	for overlay, mistakes := range map[string][][2]string{
		"single":  {{"readinessProbe:", "readynessProbe:"}, {"replicas: 1", "replicas: one"}, {"maxUnavailable: 0", "maxUnavailable: [0]"}, {"targetLabel:", "targetlabel:"}},
		"cluster": {{"averageUtilization: 200", "averageUtilization: half"}, {"secretKeyRef:", "secretRef:"}, {"minReplicas: 2", "minreplicas: 2"}},
	} {
		rendered, err := run(t, "", kustomize, "build", filepath.Join(deployDir, "kubernetes", overlay))
		if err != nil {
			t.Fatalf("%s: %v\n%s", overlay, err, rendered)
		}
		if out, err := check(rendered); err != nil || !strings.Contains(out, "Skipped: 0") {
			t.Errorf("%s: %v\n%s", overlay, err, out)
		}
		for _, m := range mistakes {
			if out, err := check(edit(t, rendered, m[0], m[1])); err == nil {
				t.Errorf("%s with %q is taken: %s", overlay, m[1], out)
			}
		}
	}
	broken := copyTree(t, "kubernetes")
	file := filepath.Join(broken, "single", "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, edit(t, string(text), "statefulset.yaml", "statefullset.yaml"))
	if out, err := run(t, "", kustomize, "build", filepath.Join(broken, "single")); err == nil {
		t.Errorf("a kustomization that names no file is taken: %s", out)
	}
}

// object is a manifest.
type object = map[string]any

// manifests reads the objects of a file.
func manifests(t testing.TB, path string) []object {
	t.Helper()
	var all []object
	for d := yaml.NewDecoder(bytes.NewReader([]byte(shipped(t, path)))); ; {
		var o object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, o)
	}
}

// at walks down the names; a number is an index.
func at(t testing.TB, value any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch s := step.(type) {
		case string:
			value = value.(object)[s]
		case int:
			value = value.([]any)[s]
		}
		if value == nil {
			t.Fatalf("there is no %v", path[:i+1])
		}
	}
	return value
}

func workloads() map[string]string {
	return map[string]string{"single": "kubernetes/single/statefulset.yaml", "cluster": "kubernetes/cluster/deployment.yaml"}
}

var drain = regexp.MustCompile(`HUBD_DRAIN[=:] *(\S+)`)

// A hub is given its drain time and 20 seconds before it is killed, wherever it runs.
func TestGracePeriodsFollowTheDrainTime(t *testing.T) {
	t.Parallel()
	drained := func(path string) time.Duration {
		m := drain.FindStringSubmatch(shipped(t, path))
		if m == nil {
			t.Fatalf("%s sets no HUBD_DRAIN", path)
		}
		d, err := time.ParseDuration(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return d + 20*time.Second
	}
	want := drained("kubernetes/base/kustomization.yaml").Seconds()
	for name, file := range workloads() {
		got := at(t, manifests(t, file)[0], "spec", "template", "spec", "terminationGracePeriodSeconds")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is killed after %v s, want %v", name, got, want)
		}
	}
	for _, file := range []string{"compose/compose.yaml", "swarm/stack.yaml"} {
		if want := fmt.Sprintf("stop_grace_period: %v\n", drained(file)); !strings.Contains(shipped(t, file), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
}

// The probes ask what a hub answers, and the variables are those that it knows.
func TestManifestsFitTheHub(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--anonymous")
	for name, file := range workloads() {
		pod := at(t, manifests(t, file)[0], "spec", "template", "spec", "containers", 0)
		for _, probe := range []string{"readinessProbe", "livenessProbe"} {
			path := at(t, pod, probe, "httpGet", "path").(string)
			if status, body := hub.Get(t, path); status != 200 {
				t.Errorf("%s: the %s of a hub that serves is answered %d: %s", name, probe, status, body)
			}
		}
		settings := make(map[string]bool)
		for _, v := range at(t, pod, "env").([]any) {
			settings[at(t, v, "name").(string)] = true
		}
		for _, m := range regexp.MustCompile(`- (HUBD_\w+)=`).FindAllStringSubmatch(shipped(t, "kubernetes/base/kustomization.yaml"), -1) {
			settings[m[1]] = true
		}
		known(t, file, slices.Sorted(maps.Keys(settings)))
	}
	for _, file := range []string{"compose/compose.yaml", "swarm/stack.yaml", "docker/Dockerfile"} {
		var names []string
		for _, m := range regexp.MustCompile(`(HUBD_[A-Z_]+)(?:: |=)`).FindAllStringSubmatch(shipped(t, file), -1) {
			names = append(names, m[1])
		}
		known(t, file, names)
	}
	configuration := regexp.MustCompile(`(?m)^([a-z-]+):`)
	for _, m := range configuration.FindAllStringSubmatch(shipped(t, "systemd/hubd.yaml"), -1) {
		known(t, "systemd/hubd.yaml", []string{"HUBD_" + strings.ToUpper(strings.ReplaceAll(m[1], "-", "_"))})
	}
}

// known demands that the hub has settings of these names: docs/configuration.md, which is generated, names them all.
func known(t testing.TB, file string, names []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(deployDir, "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Errorf("%s sets nothing", file)
	}
	for _, name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s sets %s, which the hub does not have", file, name)
		}
	}
}
