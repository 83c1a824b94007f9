package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// citation is how a page names a test: its file, which is in this folder unless it says otherwise, and its name.
var citation = regexp.MustCompile("`([a-z/_0-9]+_test\\.go):((?:Test|Fuzz)\\w+)`")

// readPage returns a page of docs, of which every test that it cites exists, and how many it cites.
func readPage(t *testing.T, name string) (page string, cited int) {
	t.Helper()
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, match := range citation.FindAllStringSubmatch(string(text), -1) {
		cited++
		file, test := match[1], match[2]
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
		if !strings.Contains(sources[file], "\nfunc "+test+"(") {
			t.Errorf("%s has no %s", file, test)
		}
	}
	return string(text), cited
}

// full reports a row of a table that has an empty cell.
func full(t *testing.T, row string) {
	t.Helper()
	for cell := range strings.SplitSeq(strings.Trim(row, "|"), "|") {
		if strings.TrimSpace(cell) == "" {
			t.Errorf("empty cell: %s", row)
		}
	}
}
