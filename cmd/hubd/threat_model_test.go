package main

import (
	"strings"
	"testing"
)

// The threat model names tests that exist, one at least for each threat and each invariant.
func TestThreatModelPage(t *testing.T) {
	t.Parallel()
	page, cited := readPage(t, "threat-model.md")
	invariants := ""
	table := "" // the first cell of the table's heading
	for line := range strings.Lines(page) {
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
	}
	if invariants != "I1I2I3I4I5I6" || cited < 80 {
		t.Errorf("page has %d citations, of the invariants %q", cited, invariants)
	}
}
