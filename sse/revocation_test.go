package sse

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestReadRevocation(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	read := func(form string) (*revocation, error) {
		var args fasthttp.Args
		args.Parse(form)
		return readRevocation(&args, now, 0)
	}
	r, err := read("jti=1&jti=2%2f3&sub=alice&topic=a&topic=b&iss=https://i.example&issued_before=999999999&seconds=60")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.IDs, []string{"1", "2/3"}) || !slices.Equal(r.Subjects, []string{"alice"}) || !slices.Equal(r.topics, []string{"a", "b"}) ||
		r.Issuer != "https://i.example" || r.IssuedBefore.Unix() != 999999999 || r.Until.Sub(now) != time.Minute {
		t.Errorf("read %+v", r)
	}
	want := []string{"a", "b", "/hub/revocations/jti/1", "/hub/revocations/jti/2%2F3", "/hub/revocations/sub/alice"}
	if got := r.subjects("/hub"); !slices.Equal(got, want) {
		t.Errorf("asks for %q, want %q", got, want)
	}
	if r, err = read("sub=bob"); err != nil || r.Until.Sub(now) != defaultRevocation || !r.IssuedBefore.IsZero() {
		t.Errorf("read %+v, %v", r, err)
	}
	for form, why := range map[string]string{
		"":                                   "nothing to revoke",
		"seconds=5&iss=i":                    "nothing to revoke",
		"jti=":                               "0 bytes",
		"sub=" + strings.Repeat("x", 1025):   "1025 bytes",
		"topic=" + strings.Repeat("x", 4097): "4097 bytes",
		"topic=":                             "0 bytes",
		"sub=a%00":                           "sub",
		"sub=%ff":                            "sub",
		"sub=a&iss=i&iss=j":                  "twice",
		"sub=a&seconds=0":                    "seconds",
		"sub=a&seconds=-5":                   "seconds",
		"sub=a&seconds=99999999999999":       "seconds",
		"sub=a&issued_before=now":            "issued_before",
		"sub=a&issued_before=0":              "issued_before",
		"sub=a&Jti=b":                        "not a field",
		"sub=a&expires=b":                    "not a field",
		strings.Repeat("sub=a&", 101) + "seconds=1": "more than 100",
	} {
		if _, err := read(form); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q: %v, want an error with %q", form, err, why)
		}
	}
}

// FuzzReadRevocation: whatever the form, reading it ends, and what is accepted is within the bounds.
func FuzzReadRevocation(f *testing.F) {
	f.Add("jti=1&sub=2&topic=3&iss=4&issued_before=5&seconds=6")
	f.Add("sub=%zz&&=;seconds=18446744073709551615")
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, form string) {
		var args fasthttp.Args
		args.Parse(form)
		r, err := readRevocation(&args, now, time.Hour)
		if err != nil {
			return
		}
		n := len(r.IDs) + len(r.Subjects) + len(r.topics)
		if n == 0 || n > maxRevocations || len(r.subjects("/hub")) != n || !r.Until.After(now) || r.Until.Sub(now) > maxRevocation {
			t.Fatalf("accepted %+v", r)
		}
	})
}
