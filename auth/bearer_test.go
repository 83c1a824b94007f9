package auth

import (
	"errors"
	"strings"
	"testing"
)

// "Authorization HTTP Header"; RFC 6750, section 2.1; RFC 9110, sections 11.1 and 11.4.
func TestBearerToken(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer a.b.c":           "a.b.c",
		"bearer a.b.c":           "a.b.c",
		"BEARER a.b.c":           "a.b.c",
		"Bearer   a.b.c":         "a.b.c",
		" Bearer a.b.c \t":       "a.b.c",
		"Bearer AZaz09-._~+/==":  "AZaz09-._~+/==",
		"Bearer not-a-JWT-at-al": "not-a-JWT-at-al",
	} {
		if token, present, err := BearerToken([]byte(header)); string(token) != want || !present || err != nil {
			t.Errorf("%q: got %q, %v, %v", header, token, present, err)
		}
	}
	for _, header := range []string{"", " ", "\t"} {
		if token, present, err := BearerToken([]byte(header)); string(token) != "" || present || err != nil {
			t.Errorf("%q: got %q, %v, %v, want nothing", header, token, present, err)
		}
	}
	// "Presenting the Access Token": a header that is present is not passed over for a cookie.
	for _, header := range []string{
		"Bearer", "Bearer ", "Bearer\ta", "Bearera.b.c", "a.b.c", "Basic YTpi", "Bearer a b", "Bearer a,b", `Bearer "a"`,
		"Bearer token=a", "Bearer ==", "Bearer a\x00", "Bearer é", "Bearer a, Bearer b", "Bearer: a", "Token a",
	} {
		token, present, err := BearerToken([]byte(header))
		if len(token) != 0 || !present || !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: got %q, %v, %v, want ErrMalformed", header, token, present, err)
		}
	}
}

func FuzzBearerToken(f *testing.F) {
	f.Add("Bearer a.b.c")
	f.Add("bearer  ==")
	f.Fuzz(func(t *testing.T, header string) {
		found, present, err := BearerToken([]byte(header))
		token := string(found)
		switch {
		case err != nil && (token != "" || !present):
			t.Errorf("got %q, %v with the error", token, present)
		case err == nil && present != (token != ""):
			t.Errorf("got %q, %v", token, present)
		case !strings.Contains(header, token) || strings.ContainsAny(token, " \t\r\n,\""):
			t.Errorf("%q is not a token in the header", token)
		}
	})
}
