package pprof

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever is answered, no browser keeps it, guesses its type, shows it in a frame or gives it to another site.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/nowhere"} {
		status, header, _ := f.do(http.MethodGet, path, "")
		if want := http.StatusOK; status != want && path != "/nowhere" {
			t.Errorf("%s: status %d", path, status)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, directive) {
				t.Errorf("%s: policy %q lacks %s", path, policy, directive)
			}
		}
	}
}
