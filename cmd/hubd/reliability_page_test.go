package main

import (
	"regexp"
	"strings"
	"testing"
)

// The reliability page names tests that exist, and each promise has one.
func TestReliabilityPage(t *testing.T) {
	t.Parallel()
	page, cited := readPage(t, "reliability.md")
	unlocated := regexp.MustCompile("`(?:Test|Fuzz)\\w+`")
	promises := 0
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if name := unlocated.FindString(line); name != "" {
			t.Errorf("%s stands without its file", name)
		}
		if cells := strings.Split(strings.Trim(line, "|"), "|"); strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|-") && len(cells) == 4 && cells[0] != " promise " {
			promises++
			if !citation.MatchString(cells[2]) {
				t.Errorf("no test: %s", line)
			}
			full(t, line)
		}
	}
	if cited == 0 || promises == 0 {
		t.Fatalf("page has %d citations in %d promises", cited, promises)
	}
	t.Logf("%d citations in %d promises", cited, promises)
}
