package topics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hubd/mercure"
)

// webPlatformCase is a case of web-platform-tests' urlpatterntestdata.json, as the library ships it.
type webPlatformCase struct {
	Pattern       []json.RawMessage `json:"pattern"`
	Inputs        []json.RawMessage `json:"inputs"`
	ExpectedObj   json.RawMessage   `json:"expected_obj"`
	ExpectedMatch json.RawMessage   `json:"expected_match"`
}

// text returns the strings that the list is made of, or false if it has anything else in it.
func text(list []json.RawMessage) ([]string, bool) {
	var all []string
	for _, raw := range list {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, false
		}
		all = append(all, s)
	}
	return all, len(all) > 0
}

// withBase are the cases without a base whose result another base changes; a hub always has one.
var withBase = map[string]string{
	"data:foobar":                 "is relative, which takes a base",
	"(https://)example.com/foo":   "is relative, which takes a base",
	`https\:foo\:bar@example.com`: "the input lacks slashes, so it is relative to a base of the same scheme",
}

// "URL Pattern": patterns are evaluated by the standard, whose own tests are the judge. Cases that are not
// strings, that turn case off, or whose base no hub can have are not ours.
func TestURLPatternsOfTheWebPlatform(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dunglas/go-urlpattern").Output()
	if err != nil {
		t.Fatalf("finding the library: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "testdata", "urlpatterntestdata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []webPlatformCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		pattern, ok := text(c.Pattern)
		if !ok {
			continue
		}
		base := "https://base.example/.well-known/mercure"
		if len(pattern) > 1 {
			base = pattern[1]
		} else if withBase[pattern[0]] != "" || !strings.Contains(pattern[0], ":") {
			continue // a relative pattern without a base is an error there, and here has the hub's
		}
		space, err := NewSpace(Options{BaseURL: base})
		if err != nil {
			continue
		}
		ran++
		judge(t, space, pattern[0], &c)
		space.Close()
	}
	if ran < 40 {
		t.Fatalf("only %d cases were ours", ran)
	}
}

func judge(t *testing.T, space *Space, pattern string, c *webPlatformCase) {
	t.Helper()
	sel, err := space.Compile(mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern})
	if string(c.ExpectedObj) == `"error"` {
		if err == nil {
			t.Errorf("pattern %q is accepted", pattern)
		}
		return
	}
	if err != nil {
		t.Errorf("pattern %q: %v", pattern, err)
		return
	}
	inputs, ok := text(c.Inputs)
	if !ok || len(inputs) > 1 && inputs[1] != space.base {
		return
	}
	want := len(c.ExpectedMatch) > 0 && string(c.ExpectedMatch) != "null"
	if got := space.Match(sel, inputs[0]); got != want {
		t.Errorf("pattern %q matches %q: %v, want %v", pattern, inputs[0], got, want)
	}
}
