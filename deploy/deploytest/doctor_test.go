package deploytest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hubd/doctor"
	"hubd/internal/hubtest"
)

// diagnose lets hubd doctor look at the hub through the proxy.
func (p *proxy) diagnose(t *testing.T, hub *hubtest.Process, patience string) (findings map[string]doctor.Finding, healthy bool) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, hubtest.Secret)
	c := exec.Command(hubtest.Binary(t), "doctor", "--json", "--url", p.url, "--admin", hub.Admin, "--origin", "https://page.example",
		"--publisher-key-file", key, "--subscriber-key-file", key, "--patience="+patience, "--watch=30s")
	c.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(p.site.dir, "fullchain.pem"))
	out, err := c.Output()
	var r doctor.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	findings = make(map[string]doctor.Finding)
	for _, f := range r.Findings {
		findings[f.Check] = f
	}
	return findings, err == nil
}

// Through the shipped files a hub is well in every respect that hubd doctor knows.
func TestDoctorThroughProxies(t *testing.T) {
	t.Parallel()
	for _, s := range everySoftware() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p, hub := startProxy(t, s, "60", []string{"--heartbeat=1s", "--cors-origins=https://page.example"})
			findings, healthy := p.diagnose(t, hub, "30s")
			if !healthy {
				t.Error("hubd doctor fails")
			}
			for _, check := range []string{"reach", "tls", "http2", "discovery", "dialects", "cors", "cookies", "exposure", "subscribe", "publish", "delivery", "resume", "clock", "limits", "heartbeat"} {
				if f := findings[check]; f.Status != doctor.OK {
					t.Errorf("%s: %+v", check, f)
				}
			}
		})
	}
}

// What is wrong with a proxy is found: one that buffers, and one that cuts streams before the hub's heartbeat.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	t.Run("a buffer", func(t *testing.T) {
		t.Parallel()
		// nginx turns its buffer off by itself when the hub asks for it, unless it is told not to listen.
		p, hub := startProxy(t, nginx(), "60", []string{"--cors-origins=https://page.example"}, "proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;")
		findings, healthy := p.diagnose(t, hub, "3s")
		if f := findings["buffering"]; healthy || f.Status != doctor.Failure {
			t.Errorf("a proxy that buffers is not found: %+v", findings)
		}
	})
	t.Run("a short time-out", func(t *testing.T) {
		t.Parallel()
		p, hub := startProxy(t, nginx(), "3", []string{"--heartbeat=15s", "--cors-origins=https://page.example"})
		findings, healthy := p.diagnose(t, hub, "30s")
		if f := findings["heartbeat"]; healthy || f.Status != doctor.Failure {
			t.Errorf("a time-out shorter than the heartbeat is not found: %+v", findings)
		}
	})
	t.Run("headers of its own", func(t *testing.T) {
		t.Parallel()
		p, hub := startProxy(t, nginx(), "60", []string{"--heartbeat=1s", "--cors-origins=https://page.example"}, "proxy_buffering off;", `proxy_buffering off; add_header Access-Control-Allow-Origin *;`)
		findings, healthy := p.diagnose(t, hub, "30s")
		if f := findings["cors"]; healthy || f.Status != doctor.Failure {
			t.Errorf("a second Access-Control-Allow-Origin is not found: %+v", findings)
		}
	})
}
