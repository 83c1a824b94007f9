package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesThatSayNothing(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "# nothing\n", "---\n", "~\n", "drain:\n", "drain: null\n"} {
		load(t, []string{"--config", writeFile(t, content)}, keyed())
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", maxFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ path, words string }{
		"absent":        {filepath.Join(t.TempDir(), "absent.yaml"), "no such file or directory; correct the path"},
		"directory":     {t.TempDir(), "is a directory"},
		"too large":     {large, "is larger than 1MiB"},
		"list":          {writeFile(t, "- a\n- b\n"), "does not consist of keys and values"},
		"text":          {writeFile(t, "listen\n"), "does not consist of keys and values"},
		"two documents": {writeFile(t, "drain: 1s\n---\ndrain: 2s\n"), "more after its first YAML document"},
		"tab":           {writeFile(t, "drain: 1s\n\theartbeat: 1s\n"), "is not valid YAML in line 2: found a tab character that violates indentation"},
		"complex key":   {writeFile(t, "? [a, b]\n: c\n"), "line 1: the key is not a plain text"},
		"alias":         {writeFile(t, "drain: *x\n"), "is not valid YAML: unknown anchor"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, []string{"--config", test.path}, keyed())
			expect(t, found, "config", test.words)
			if len(found) != 1 {
				t.Errorf("there are %d problems, want 1: %v", len(found), found)
			}
		})
	}
}

func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"drain: 1s\ncors-origins: [a, b]\n", "issuers:\n- issuer: a\n  publisher-jwks-algs: [b]\n- {}\n", "issuers: &x [*x]", "a: &x {b: c}\nissuers: [*x, *x]", "a: &x 1\nb: *x\n", "a: *a", "- 1", "? {}\n: 1", "a: !!binary x", "---\n...\n---\n", "<<: {a: 1}", "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, problems := parseFile("f", content)
		for _, e := range entries {
			switch value := e.value.(type) {
			case string, []any:
			case []block:
				if e.key != issuersKey {
					t.Errorf("%q has blocks", e.key)
				}
				issuers, _ := readIssuers("f", value)
				if len(issuers) != len(value) || len(value) > maxIssuers {
					t.Errorf("%d issuers of %d blocks", len(issuers), len(value))
				}
			default:
				t.Errorf("the value of %q is %T", e.key, e.value)
			}
		}
		for _, p := range problems {
			if p.Text == "" || p.String() != fmt.Sprintf("%s: %s", p.Key, p.Text) {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
