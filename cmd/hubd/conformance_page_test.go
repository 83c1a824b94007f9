package main

import (
	"regexp"
	"strings"
	"testing"
)

// The conformance page names tests that exist, one at least for each requirement that hubd meets, and leaves
// no cell empty.
func TestConformancePage(t *testing.T) {
	t.Parallel()
	page, cited := readPage(t, "conformance.md")
	heading := regexp.MustCompile(`^\| (level|section|rule|input) \||^\|-`)
	_, met, _ := strings.Cut(page, "\n## 1.0")
	for line := range strings.Lines(met) {
		if strings.HasPrefix(line, "|") && !heading.MatchString(line) && !citation.MatchString(line) {
			t.Errorf("no test: %s", line)
		}
	}
	rows := 0
	for line := range strings.Lines(page) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			rows++
			full(t, line)
		}
	}
	if cited == 0 || rows == 0 {
		t.Fatalf("page has %d citations in %d rows", cited, rows)
	}
	t.Logf("%d citations in %d rows", cited, rows)
}
