package web

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// pages returns the names of the console's files.
func pages(t *testing.T) []string {
	t.Helper()
	entries, err := fs.ReadDir(files, "console")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

func content(t *testing.T, name string) string {
	t.Helper()
	body, _, ok := Console(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return string(body)
}

func TestConsole(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":           "text/html; charset=utf-8",
		"index.html": "text/html; charset=utf-8",
		"style.css":  "text/css; charset=utf-8",
		"main.js":    "text/javascript; charset=utf-8",
		"icon.svg":   "image/svg+xml",
	} {
		if body, contentType, ok := Console(name); !ok || contentType != want || len(body) == 0 {
			t.Errorf("%q: %d bytes of %q, %t; want %q", name, len(body), contentType, ok, want)
		}
	}
	for _, name := range []string{"index", "nothing.js", "../pages.go", "../console/main.js", "/main.js", "./main.js", "console", "."} {
		if _, _, ok := Console(name); ok {
			t.Errorf("there is a %q", name)
		}
	}
}

// A body may be changed by whoever asked for it.
func TestBodiesAreCopies(t *testing.T) {
	t.Parallel()
	first := content(t, "main.js")
	body, _, _ := Console("main.js")
	clear(body)
	if content(t, "main.js") != first {
		t.Error("a file changed")
	}
}

// The pages load nothing but each other, so that the hub needs no other server, and hold nothing that Policy would
// stop: no inline script, handler or style.
func TestPagesStandAlone(t *testing.T) {
	t.Parallel()
	reference := regexp.MustCompile(`(?:\bsrc|\bhref)="([^"]*)"|(?:\bfrom|\bimport) "([^"]*)"|\burl\(([^)]*)\)|@import\s+(\S+)`)
	forbidden := map[string]*regexp.Regexp{
		"an inline script":         regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]`),
		"an event handler":         regexp.MustCompile(`(?i)<[^>]*\son[a-z]+=`),
		"an inline style":          regexp.MustCompile(`(?i)<style|<[^>]*\sstyle=|setAttribute\("style"`),
		"markup made from text":    regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write`),
		"code made from text":      regexp.MustCompile(`\beval\(|new Function\(`),
		"a dynamic import":         regexp.MustCompile(`\bimport\(`),
		"a cookie or a long store": regexp.MustCompile(`document\.cookie|localStorage`),
	}
	for _, name := range pages(t) {
		text := content(t, name)
		for what, pattern := range forbidden {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s has %s: %q", name, what, found)
			}
		}
		for _, match := range reference.FindAllStringSubmatch(text, -1) {
			target := strings.Join(match[1:], "")
			if strings.HasPrefix(target, "#") {
				continue
			}
			if _, _, ok := Console(path.Clean(target)); !ok {
				t.Errorf("%s refers to %q, which is no file of the console", name, target)
			}
		}
	}
}

// Every file is used by the page or another file, and is short enough to be read at once.
func TestPagesAreUsedAndShort(t *testing.T) {
	t.Parallel()
	var everything strings.Builder
	for _, name := range pages(t) {
		text := content(t, name)
		everything.WriteString(text)
		if lines := strings.Count(text, "\n"); lines > 400 {
			t.Errorf("%s has %d lines; split it by noun", name, lines)
		}
	}
	for _, name := range pages(t) {
		if name != index && !strings.Contains(everything.String(), name+`"`) {
			t.Errorf("nothing refers to %s", name)
		}
	}
}

// Each control has a name for those who do not see it.
func TestControlsHaveNames(t *testing.T) {
	t.Parallel()
	text := content(t, index)
	label := regexp.MustCompile(`(?s)<label[^>]*>.*?</label>`)
	rest := label.ReplaceAllString(text, "")
	for _, control := range regexp.MustCompile(`<(?:input|select|textarea)\b[^>]*>`).FindAllString(rest, -1) {
		if !strings.Contains(control, "aria-label=") {
			t.Errorf("%s has no label", control)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	directives := map[string]string{}
	for directive := range strings.SplitSeq(Policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		directives[name] = value
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "'self' data:",
		"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
	} {
		if directives[name] != want {
			t.Errorf("%s is %q, want %q", name, directives[name], want)
		}
	}
}
