package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	pageLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pageHeading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	pageCode    = regexp.MustCompile("(?s)```.*?```")
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinksOfPages follows each link from one page of the repository to another, and to its heading.
func TestLinksOfPages(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	links := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") && name != ".." || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		page, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range pageLink.FindAllStringSubmatch(pageCode.ReplaceAllString(string(page), ""), -1) {
			if strings.Contains(m[1], ":") {
				continue // another site
			}
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if !leadsTo(t, target, anchor) {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links < 50 {
		t.Errorf("only %d links were found", links)
	}
}

func leadsTo(t *testing.T, path, anchor string) bool {
	info, err := os.Stat(path)
	if err != nil || anchor == "" || info.IsDir() {
		return err == nil
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	headings := pageHeading.FindAllStringSubmatch(pageCode.ReplaceAllString(string(page), ""), -1)
	return slices.ContainsFunc(headings, func(m []string) bool {
		text := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		return strings.ReplaceAll(text, " ", "-") == anchor
	})
}
