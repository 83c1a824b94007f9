package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The threat model names tests that exist, one at least for each threat and each invariant.
func TestThreatModelPage(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	citation := regexp.MustCompile("`([a-z/_0-9]+_test\\.go):((?:Test|Fuzz)\\w+)`")
	cited, invariants := 0, ""
	table := "" // the first cell of the table's heading
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 3 {
			table = ""
		} else if table == "" {
			table = strings.TrimSpace(cells[1])
			continue
		}
		if judged := table == "threat" || table == "invariant"; judged && !strings.HasPrefix(cells[1], "-") {
			if !citation.MatchString(line) {
				t.Errorf("no test: %s", line)
			}
			if table == "invariant" {
				invariants += strings.TrimSpace(cells[1])[:2]
			}
		}
		for _, match := range citation.FindAllStringSubmatch(line, -1) {
			cited++
			file, name := match[1], match[2]
			if !strings.Contains(file, "/") {
				file = "cmd/hubd/" + file
			}
			source, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(string(source), "\nfunc "+name+"(") {
				t.Errorf("%s has no %s", file, name)
			}
		}
	}
	if invariants != "I1I2I3I4I5I6" || cited < 80 {
		t.Errorf("page has %d citations, of the invariants %q", cited, invariants)
	}
}
