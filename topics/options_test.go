package topics

import (
	"errors"
	"strings"
	"testing"
)

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		options Options
		field   string // named in the error; empty if there is none
	}{
		{"smallest", Options{BaseURL: testBase}, ""},
		{"http", Options{BaseURL: "http://127.0.0.1:3000/.well-known/mercure"}, ""},
		{"everything", Options{BaseURL: testBase, CacheBytes: minCacheBytes, MaxPattern: 1}, ""},
		{"no URL", Options{}, "BaseURL"},
		{"relative URL", Options{BaseURL: "/.well-known/mercure"}, "BaseURL"},
		{"another scheme", Options{BaseURL: "urn:a"}, "BaseURL"},
		{"no host", Options{BaseURL: "https://"}, "BaseURL"},
		{"query", Options{BaseURL: testBase + "?a"}, "BaseURL"},
		{"fragment", Options{BaseURL: testBase + "#a"}, "BaseURL"},
		{"negative cache", Options{BaseURL: testBase, CacheBytes: -1}, "CacheBytes"},
		{"tiny cache", Options{BaseURL: testBase, CacheBytes: minCacheBytes - 1}, "CacheBytes"},
		{"negative pattern", Options{BaseURL: testBase, MaxPattern: -1}, "MaxPattern"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := tc.options.Validate()
			s, newErr := NewSpace(tc.options)
			if (newErr == nil) != (err == nil) {
				t.Errorf("NewSpace: %v, but Validate: %v", newErr, err)
			}
			if err == nil {
				s.Close()
			}
			if tc.field == "" {
				if err != nil {
					t.Errorf("unexpected error: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), tc.field) {
				t.Errorf("error is %v, want ErrOptions about %s", err, tc.field)
			}
		})
	}
}
