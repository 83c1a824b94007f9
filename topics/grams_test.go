package topics

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestGramIndexFind(t *testing.T) {
	t.Parallel()
	anchors := []string{
		"\x02https://example.com/a/\x00\x03", "\x02https://example.com/b/\x00\x03", "\x02\x00/7\x03", "\x02\x00/8\x03",
		"\x02\x00/x/\x00/y/\x00\x03", "\x02\x00\x03", "\x02ab\x03", "\x02a\x03", "\x02aaaa\x00\x03", "\x02\x00né\x00\x03",
	}
	var x gramIndex[int]
	for i, anchor := range anchors {
		x.add(anchor, i)
	}
	for _, tc := range []struct {
		text string
		want []int
	}{
		{"https://example.com/a/1", []int{0, 5}},
		{"https://example.com/c/7", []int{2, 5}},
		{"/x/1/y/2", []int{4, 5}},
		{"/y/1/x/2", []int{4, 5}}, // Parts in the wrong order are for the selector to reject.
		{"ab", []int{5, 6}},
		{"a", []int{5, 7}},
		{"", []int{5}},
		{"aaaaaaaaaaaa", []int{5, 8}},
		{"né", []int{5, 9}},
	} {
		got := x.find(tc.text, nil)
		slices.Sort(got)
		if !slices.Equal(got, tc.want) {
			t.Errorf("find(%q) = %v, want %v", tc.text, got, tc.want)
		}
	}
}

// Distinctive text tells patterns apart wherever it is, so that a lookup does not have to ask them all.
func TestGramIndexIsSelective(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, anchor := range []string{
		"\x02https://example.com/users/%d/books/\x00\x03", "\x02https://example.com/books/\x00/users/%d\x03",
		"\x02https://example.com/books/\x00/users/%d/\x00\x03", "\x02https://h%d.example.com/\x00\x03",
	} {
		var x gramIndex[int]
		for i := range n {
			x.add(fmt.Sprintf(anchor, i), i)
		}
		found := 0
		for i := range n {
			text := strings.Trim(strings.ReplaceAll(fmt.Sprintf(anchor, i), "\x00", "1"), "\x02\x03")
			values := x.find(text, nil)
			if found += len(values); !slices.Contains(values, i) {
				t.Fatalf("find(%q) misses %d", text, i)
			}
		}
		if mean := float64(found) / n; mean > 10 {
			t.Errorf("%q: %.1f candidates for a text, want 10 at most", anchor, mean)
		}
		for i, list := range x.lists {
			if len(list.entries) > n/20 {
				t.Errorf("%q: list %d has %d entries, want %d at most", anchor, i, len(list.entries), n/20)
			}
		}
	}
}

func TestGramIndexRemove(t *testing.T) {
	t.Parallel()
	var x gramIndex[int]
	anchor := func(i int) string { return fmt.Sprintf("\x02/users/%d/\x00\x03", i) }
	const n = 100
	for i := range n {
		x.add(anchor(i), i)
	}
	x.add("\x02\x00\x03", -1)
	for i := range n {
		x.remove(anchor(i), i)
		for j := range n {
			if got := slices.Contains(x.find(fmt.Sprintf("/users/%d/x", j), nil), j); got != (j > i) {
				t.Fatalf("after the removal of %d, %d is found: %t", i, j, got)
			}
		}
	}
	for i, list := range x.lists {
		if list.uses != 0 || list.entries != nil {
			t.Fatalf("list %d has %d uses and %d entries left", i, list.uses, len(list.entries))
		}
	}
	if got := x.find("a", nil); !slices.Equal(got, []int{-1}) {
		t.Errorf("find = %v, want the one value left", got)
	}
	if x.remove("\x02\x00\x03", -1); x.lists != nil || x.rest != nil || x.len != 0 {
		t.Error("an empty index keeps memory")
	}
}
