package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubd/doctor"
	"hubd/internal/hubtest"
)

// doctorSays runs hubd doctor and returns its exit code and what it printed.
func doctorSays(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, failure bytes.Buffer
	err := run(t.Context(), append([]string{"doctor"}, args...), nil, &out, &failure)
	code = report(err, &failure)
	return code, out.String(), failure.String()
}

// The exit code is 0 for a hub that is well, 1 for one that is not, and 2 for a command line that makes no sense.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--cors-origins=https://page.example")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(hubtest.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--url=" + hub.URL, "--admin=" + hub.Admin, "--publisher-key-file=" + file, "--subscriber-key-file=" + file, "--watch=0", "--patience=30s"}
	code, out, failure := doctorSays(t, append(args, "--origin=https://page.example")...)
	if code != 0 || !strings.Contains(out, "ok    delivery") || failure != "" {
		t.Errorf("a hub that is well: exit code %d\n%s%s", code, out, failure)
	}
	code, out, failure = doctorSays(t, append(args, "--origin=https://elsewhere.example", "--json")...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if code != 1 || r.Count(doctor.Failure) != 1 || r.URL != hub.URL || strings.Count(failure, "\n") != 1 {
		t.Errorf("a page that may not use the hub: exit code %d\n%s%s", code, out, failure)
	}
	if code, out, _ = doctorSays(t, "--quick", "--url="+hub.URL); code != 0 || strings.Contains(out, "subscribe") {
		t.Errorf("a quick look: exit code %d\n%s", code, out)
	}
	hub.Stop(t)
	if code, out, _ = doctorSays(t, "--quick", "--url="+hub.URL); code != 1 || !strings.Contains(out, "no answer") {
		t.Errorf("without a hub: exit code %d\n%s", code, out)
	}
	for _, wrong := range [][]string{
		{"--url=nowhere"}, {"--patience=0"}, {"--publisher-alg=none", "--publisher-key=a"}, {"--publisher-key-file=/nowhere"},
		{"--subscriber-token-file=/nowhere"}, {"--origin=https://a/b"}, {"--unknown"},
	} {
		if code, _, failure := doctorSays(t, wrong...); code != 2 || strings.Count(failure, "\n") != 1 {
			t.Errorf("%v: exit code %d: %s", wrong, code, failure)
		}
	}
}
