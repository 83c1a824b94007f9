package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMonitoringDashboardHasGrafanasTypes holds the dashboard against the types that Grafana publishes in the npm package
// @grafana/schema: names of properties, and the values of those that have only some.
func TestMonitoringDashboardHasGrafanasTypes(t *testing.T) {
	t.Parallel()
	dir := installNPM(t, "grafana")
	text := readFile(t, dashboardFile)
	if out, err := checkTypes(t, dir, text); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wrong := text
	for _, change := range [][2]string{{`"graphTooltip": 1`, `"graphTooltip": "1"`}, {`"colorMode": "value"`, `"colorMode": "values"`}} {
		if wrong = strings.Replace(wrong, change[0], change[1], 1); !strings.Contains(wrong, change[1]) {
			t.Fatalf("the dashboard has no %s", change[0])
		}
	}
	out, err := checkTypes(t, dir, wrong)
	for _, part := range []string{"DashboardCursorSync", "values"} {
		if err == nil || !strings.Contains(string(out), part) {
			t.Errorf("no word of %q, which the dashboard has wrong: %v\n%s", part, err, out)
		}
	}
}

// checkTypes runs TypeScript's compiler over the dashboard. As text in a program it is checked more strictly than JSON
// that is imported: its values are literals, and there may be no property more.
func checkTypes(t *testing.T, dir, dashboard string) ([]byte, error) {
	t.Helper()
	var d struct {
		Panels []struct {
			ID          int
			Type        string
			Options     json.RawMessage
			FieldConfig struct {
				Defaults struct{ Custom json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal([]byte(dashboard), &d); err != nil {
		t.Fatal(err)
	}
	var program bytes.Buffer
	fmt.Fprintf(&program, "import type * as types from \"./types\";\nexport const dashboard: types.dashboard = %s;\n", dashboard)
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		fmt.Fprintf(&program, "export const panel%d: types.%s = {options: %s", p.ID, p.Type, p.Options)
		if custom := p.FieldConfig.Defaults.Custom; custom != nil && p.Type != "stat" {
			fmt.Fprintf(&program, ", custom: %s", custom)
		}
		program.WriteString("};\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "dashboard.ts"), program.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := exec.CommandContext(t.Context(), "node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "--project", ".")
	compiler.Dir = dir
	return compiler.CombinedOutput()
}
