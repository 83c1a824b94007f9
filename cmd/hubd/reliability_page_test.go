package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The reliability page names tests that exist, and each promise has one.
func TestReliabilityPage(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	citation := regexp.MustCompile("`([a-z/_]+_test\\.go):((?:Test|Fuzz)\\w+)`")
	unlocated := regexp.MustCompile("`(?:Test|Fuzz)\\w+`")
	sources := map[string]string{}
	cited, promises := 0, 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if name := unlocated.FindString(line); name != "" {
			t.Errorf("%s stands without its file", name)
		}
		if cells := strings.Split(strings.Trim(line, "|"), "|"); strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|-") && len(cells) == 4 && cells[0] != " promise " {
			promises++
			if !citation.MatchString(cells[2]) {
				t.Errorf("no test: %s", line)
			}
			for _, cell := range cells {
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
	if cited == 0 || promises == 0 {
		t.Fatalf("page has %d citations in %d promises", cited, promises)
	}
	t.Logf("%d citations in %d promises", cited, promises)
}
