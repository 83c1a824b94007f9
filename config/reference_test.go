package config

import (
	"os"
	"strings"
	"testing"
)

func TestReferencePageIsUpToDate(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Reference() {
		t.Error(`docs/configuration.md is stale, run "make docs"`)
	}
}

func TestReferenceNamesEverySetting(t *testing.T) {
	t.Parallel()
	page := Reference()
	flags := (&Config{}).settings()
	if len(flags) < 38 {
		t.Fatalf("there are %d settings", len(flags))
	}
	for _, flag := range flags {
		row := "| `--" + flag.Name + "` | `" + envName(flag.Name) + "` |"
		if strings.Count(page, row) != 1 {
			t.Errorf("the page has %d rows for %s, want 1", strings.Count(page, row), flag.Name)
		}
		if !isSetting(flag) || flag.Help == "" || strings.Contains(flag.Help, "$") {
			t.Errorf("%s is in no group, or its help is not fit to be shown: %q", flag.Name, flag.Help)
		}
	}
}

// The flags are the outer contract: add, but do not rename.
func TestNamesOfSettingsAreFixed(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`config listen admin-listen admin-hosts public-url console
		tls-listen tls-cert tls-key tls-reload acme-domain acme-email acme-dir acme-directory-url http-redirect-listen http2-streams hsts store store-wait node node-lease handover history-max-events history-max-age
		history-max-bytes publisher-key publisher-key-file publisher-alg publisher-jwks-url publisher-jwks-algs subscriber-key subscriber-key-file
		subscriber-alg subscriber-jwks-url subscriber-jwks-algs jwks-refresh jwks-allow-http jwks-allow-private revocation-time issuer audience protocol anonymous cookie-name cors-origins publish-origins
		subscriptions initial-cursor gap-notice heartbeat write-timeout dispatch-timeout queue-bytes selector-cache-bytes drain max-connections
		max-connections-per-ip max-matchers max-topics max-body
		publish-rate publish-burst max-revocations max-lag publish-wait max-pending max-pending-bytes ring-bytes batch-bytes max-topic-actors ended-streams fanout-journal
		watchdog-dir watchdog-max-bytes watchdog-after watchdog-goroutines watchdog-heap watchdog-heap-per-stream log-level log-format dev`)
	var got []string
	for _, flag := range (&Config{}).settings() {
		got = append(got, flag.Name)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("settings are %q\nwant %q", got, want)
	}
}
