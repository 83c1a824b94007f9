// Command schemas writes the JSON schemas that kubeconform checks deploy/kubernetes with, out of two modules that the
// module proxy has: the OpenAPI documents in Kubernetes' own source, and the definition of ServiceMonitor in that of
// Prometheus Operator. So the check needs no other network than the build, and the versions are pinned in the Makefile.
//
//	schemas KUBERNETES PROMETHEUS-OPERATOR OUT
//
// A field that the schema does not name is refused there; the OpenAPI documents leave that open.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// serviceMonitor is where Prometheus Operator defines it.
const serviceMonitor = "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"

// kinds are those that are used, with the document and the name of each.
func kinds() []kind {
	return []kind{
		{"api__v1", "io.k8s.api.core.v1.ConfigMap", "configmap-v1"},
		{"api__v1", "io.k8s.api.core.v1.Service", "service-v1"},
		{"apis__apps__v1", "io.k8s.api.apps.v1.Deployment", "deployment-apps-v1"},
		{"apis__apps__v1", "io.k8s.api.apps.v1.StatefulSet", "statefulset-apps-v1"},
		{"apis__autoscaling__v2", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", "horizontalpodautoscaler-autoscaling-v2"},
		{"apis__networking.k8s.io__v1", "io.k8s.api.networking.v1.NetworkPolicy", "networkpolicy-networking-v1"},
		{"apis__policy__v1", "io.k8s.api.policy.v1.PodDisruptionBudget", "poddisruptionbudget-policy-v1"},
	}
}

type kind struct{ document, name, file string }

// schema is any JSON object.
type schema = map[string]any

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: schemas KUBERNETES PROMETHEUS-OPERATOR OUT")
	}
	kubernetes, operator, out := args[0], args[1], args[2]
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, k := range kinds() {
		if err := k.write(kubernetes, out); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return writeServiceMonitor(operator, out)
}

func (k kind) write(kubernetes, out string) error {
	text, err := os.ReadFile(filepath.Join(kubernetes, "api/openapi-spec/v3", k.document+"_openapi.json"))
	if err != nil {
		return err
	}
	var document struct{ Components struct{ Schemas schema } }
	if err := json.Unmarshal(text, &document); err != nil {
		return err
	}
	if document.Components.Schemas[k.name] == nil {
		return errors.New("the document does not have it")
	}
	for _, s := range document.Components.Schemas {
		seal(s)
	}
	return save(filepath.Join(out, k.file+".json"), schema{
		"$ref": "#/components/schemas/" + k.name, "components": schema{"schemas": document.Components.Schemas},
	})
}

func writeServiceMonitor(operator, out string) error {
	text, err := os.ReadFile(filepath.Join(operator, serviceMonitor))
	if err != nil {
		return err
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPI schema `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	for _, v := range definition.Spec.Versions {
		if v.Name == "v1" && v.Schema.OpenAPI != nil {
			seal(v.Schema.OpenAPI)
			return save(filepath.Join(out, "servicemonitor-monitoring-v1.json"), v.Schema.OpenAPI)
		}
	}
	return errors.New("ServiceMonitor v1: the definition does not have it")
}

// seal refuses fields without a name in every object below, and drops what explains them.
func seal(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			seal(item)
		}
	case schema:
		_, open := v["additionalProperties"]
		if _, named := v["properties"].(schema); named && !open && v["x-kubernetes-preserve-unknown-fields"] != true {
			v["additionalProperties"] = false
		}
		if text, ok := v["description"].(string); ok && len(text) > 0 {
			delete(v, "description")
		}
		for name, item := range v {
			if !strings.HasPrefix(name, "x-") {
				seal(item)
			}
		}
	}
}

func save(path string, s schema) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
