package actors

import (
	"strings"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/topics"
)

// I3: subscribers share an audience only if both their matchers and their grants are equal, wherever
// the line between the two is; and only if they have one lane.
func TestInvariantI3AudiencesDoNotMixMatchersAndGrants(t *testing.T) {
	t.Parallel()
	m := newSimulation(t, 1, persistence.Retention{})
	set := func(names string) *topics.Set {
		if names == "" {
			return nil
		}
		var ms []mercure.Matcher
		for name := range strings.SplitSeq(names, "") {
			ms = append(ms, mercure.Matcher{Pattern: name})
		}
		s, err := m.space.NewSet(ms)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	seen := map[string]string{}
	for _, pair := range []string{"abc/", "ab/c", "a/bc", "a/", "a/a", "ab/", "a/b", "b/a", "ab/ab"} {
		want, grants, _ := strings.Cut(pair, "/")
		key := audienceKey(set(want), set(grants), m.workers.lanes[0])
		if other, found := seen[key]; found {
			t.Errorf("%s and %s are one audience", pair, other)
		}
		seen[key] = pair
	}
	if audienceKey(set("ab"), set("c"), m.workers.lanes[0]) != audienceKey(set("ba"), set("c"), m.workers.lanes[0]) {
		t.Error("the order of matchers makes two audiences of one")
	}
	if audienceKey(set("a"), nil, m.workers.lanes[0]) == audienceKey(set("a"), nil, m.workers.lanes[1]) {
		t.Error("two lanes share an audience")
	}
}
