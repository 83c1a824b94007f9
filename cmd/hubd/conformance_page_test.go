package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The conformance page names tests that exist, one at least for each requirement that hubd meets, and leaves
// no cell empty.
func TestConformancePage(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	citation := regexp.MustCompile("`([a-z/_]+_test\\.go):((?:Test|Fuzz)\\w+)`")
	heading := regexp.MustCompile(`^\| (level|section|rule|input) \||^\|-`)
	_, met, _ := strings.Cut(string(page), "\n## 1.0")
	for line := range strings.Lines(met) {
		if strings.HasPrefix(line, "|") && !heading.MatchString(line) && !citation.MatchString(line) {
			t.Errorf("no test: %s", line)
		}
	}
	sources := map[string]string{}
	cited, rows := 0, 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "|") {
			rows++
			for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				if strings.TrimSpace(cell) == "" {
					t.Errorf("empty cell: %s", line)
				}
			}
		}
		for _, match := range citation.FindAllStringSubmatch(line, -1) {
			cited++
			file, name := match[1], match[2]
			if !strings.Contains(file, "/") {
				file = "cmd/hubd/" + file
			}
			if _, read := sources[file]; !read {
				source, err := os.ReadFile(filepath.Join(root, file))
				if err != nil {
					t.Error(err)
				}
				sources[file] = string(source)
			}
			if !strings.Contains(sources[file], "\nfunc "+name+"(") {
				t.Errorf("%s has no %s", file, name)
			}
		}
	}
	if cited == 0 || rows == 0 {
		t.Fatalf("page has %d citations in %d rows", cited, rows)
	}
	t.Logf("%d citations in %d rows", cited, rows)
}
