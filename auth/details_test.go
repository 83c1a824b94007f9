package auth

import (
	"fmt"
	"strings"
	"testing"

	"hubd/mercure"
	"hubd/topics"
)

const (
	book1 = "https://example.com/books/1"
	book2 = "https://example.com/books/2"
)

func exact(match string) object   { return object{"match": match} }
func pattern(match string) object { return object{"match": match, "match_type": "urlpattern"} }

// detailsToken is a valid 1.0 token with these authorization details; a string is the claim itself.
func detailsToken(tb testing.TB, key Key, details any) string {
	tb.Helper()
	claim, ok := details.(string)
	if !ok {
		return sign(tb, key, accessHeader(key), accessClaims(object{"authorization_details": details}))
	}
	return sign(tb, key, accessHeader(key), fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"authorization_details":%s}`,
		testIssuer, testAudience, epoch().Unix()+60, claim))
}

func grants(t *testing.T, name string, set *topics.Set, topic string, want bool) {
	t.Helper()
	if got := set.Match(topic); got != want {
		t.Errorf("%s %s: %v, want %v", name, topic, got, want)
	}
}

// "Authorization Details": an action is granted on a topic by a detail that has both.
func TestDetailsGrantActionsOnTopics(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)

	t.Run("each action on its own topics", func(t *testing.T) {
		t.Parallel()
		grant := accepted(t, v, RolePublisher, detailsToken(t, key, []any{
			detailOf(object{"actions": []any{"publish"}, "topics": []any{exact(book1)}}),
			detailOf(object{"actions": []any{"subscribe"}, "topics": []any{exact(book2)}}),
		}))
		grants(t, "publish", grant.Publish, book1, true)
		grants(t, "publish", grant.Publish, book2, false)
		grants(t, "subscribe", grant.Subscribe, book1, false)
		grants(t, "subscribe", grant.Subscribe, book2, true)
	})
	t.Run("the union of details", func(t *testing.T) {
		t.Parallel()
		grant := accepted(t, v, RolePublisher, detailsToken(t, key, []any{
			detailOf(object{"topics": []any{exact(book1)}}), detailOf(object{"topics": []any{exact(book2)}}),
		}))
		if !grant.Publish.MatchAll([]string{book1, book2}) || !grant.Subscribe.MatchAll([]string{book1, book2}) {
			t.Error("the details were not joined")
		}
	})
	t.Run("the type of a matcher", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			topics []any
			book   bool
		}{
			{[]any{exact("https://example.com/books/:id")}, false},
			{[]any{object{"match": "https://example.com/books/:id", "match_type": "exact"}}, false},
			{[]any{pattern("https://example.com/books/:id")}, true},
			{[]any{exact("*")}, true},
			{[]any{pattern("*")}, true},
			{[]any{exact("urn:none"), exact(book1)}, true},
		} {
			grant := accepted(t, v, RolePublisher, detailsToken(t, key, []any{detailOf(object{"topics": c.topics})}))
			grants(t, fmt.Sprint(c.topics), grant.Publish, book1, c.book)
		}
	})
}

// "Authorization Details": what is not for the hub is ignored and grants nothing.
func TestDetailsOfOthersAreIgnored(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for name, details := range map[string]any{
		"a missing claim":             nil,
		"an empty array":              []any{},
		"an action unknown":           []any{detailOf(object{"actions": []any{"moderate"}})},
		"an action in another case":   []any{detailOf(object{"actions": []any{"Publish"}})},
		"a type of others":            []any{object{"type": "payment", "actions": "pay", "topics": 7, "payload": nil}},
		"a type with a slash more":    []any{detailOf(object{"type": detailType + "/"})},
		"a type in another case":      []any{detailOf(object{"type": "HTTPS://mercure.rocks/authorization-detail"})},
		"a type by its short name":    []any{detailOf(object{"type": "mercure"})},
		"the empty type":              []any{detailOf(object{"type": ""})},
		"a claim under another name":  nil,
		"as many details as you like": repeat(object{"type": "payment"}, 200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := object{"authorization_details": details, "Authorization_Details": []any{detailOf()}}
			grant := accepted(t, v, RolePublisher, sign(t, key, accessHeader(key), accessClaims(change)))
			if grant.Publish != nil || grant.Subscribe != nil {
				t.Error("something was granted")
			}
		})
	}
	t.Run("an unknown action beside known ones", func(t *testing.T) {
		t.Parallel()
		detail := detailOf(object{"actions": []any{"moderate", "subscribe", "subscribe"}, "label": "x"})
		grant := accepted(t, v, RolePublisher, detailsToken(t, key, []any{detail}))
		grants(t, "subscribe", grant.Subscribe, book1, true)
		grants(t, "publish", grant.Publish, book1, false)
	})
}

func repeat(entry any, n int) []any {
	entries := make([]any, n)
	for i := range entries {
		entries[i] = entry
	}
	return entries
}

// "Authorization Details" and "Topic Matcher List": one defect refuses the token whole, wherever it
// stands and whatever the rest grants.
func TestDefectiveDetailsRefuseTheToken(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	topic := func(entry any) object { return object{"topics": []any{exact(book2), entry}} }
	null := (*int)(nil)

	changes := map[string]object{
		"no actions":                   {"actions": nil},
		"null actions":                 {"actions": null},
		"no action":                    {"actions": []any{}},
		"an action instead of actions": {"actions": "publish"},
		"an action that is no string":  {"actions": []any{"publish", 1}},
		"a null action":                {"actions": []any{"publish", null}},
		"no topics":                    {"topics": nil},
		"null topics":                  {"topics": null},
		"no topic":                     {"topics": []any{}},
		"a topic instead of topics":    {"topics": exact(book1)},
		"a string as topic":            topic(book1),
		"a null topic":                 topic(null),
		"an array as topic":            topic([]any{book1}),
		"a topic without match":        topic(object{}),
		"a topic with null match":      topic(object{"match": null}),
		"a topic with a number":        topic(object{"match": 1}),
		"match in another case":        topic(object{"Match": book1}),
		"an empty match":               topic(exact("")),
		"a match type unknown":         topic(object{"match": book1, "match_type": "regexp"}),
		"a match type unknown on *":    topic(object{"match": "*", "match_type": "regexp"}),
		"a match type in another case": topic(object{"match": book1, "match_type": "URLPattern"}),
		"a match type of 0.x":          topic(object{"match": book1, "match_type": "template"}),
		"an empty match type":          topic(object{"match": book1, "match_type": ""}),
		"a null match type":            topic(object{"match": book1, "match_type": null}),
		"a number as match type":       topic(object{"match": book1, "match_type": 0}),
		"a pattern that is none":       topic(pattern("https://example.com/(((")),
		"a pattern too long":           topic(exact("https://example.com/" + strings.Repeat("a", 3000))),
		"a control character":          topic(exact("https://example.com/\x07")),
		"an invisible character":       topic(exact("https://example.com/\u200b")),
		"a payload that is a string":   {"payload": "x"},
		"a payload that is an array":   {"payload": []any{}},
		"a payload that is null":       {"payload": null},
		"no type":                      {"type": nil},
		"a null type":                  {"type": null},
		"a number as type":             {"type": 1},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := detailOf(change)
			refused(t, v, RolePublisher, detailsToken(t, key, []any{bad, detailOf()}), "")
			refused(t, v, RoleSubscriber, detailsToken(t, key, []any{detailOf(), bad}), "")
			// A detail that would grant nothing has to be sound as well.
			if _, ok := change["actions"]; !ok {
				idle := with(bad, object{"actions": []any{"moderate"}})
				refused(t, v, RoleSubscriber, detailsToken(t, key, []any{detailOf(), idle}), "")
			}
		})
	}
	for name, claim := range map[string]string{
		"null claim":     `null`,
		"object claim":   `{"type":"` + detailType + `"}`,
		"string claim":   `"publish"`,
		"string entry":   `["publish"]`,
		"null entry":     `[null]`,
		"array entry":    `[[]]`,
		"deep nesting":   strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000),
		"lone surrogate": `[{"type":"\ud800"},1]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, detailsToken(t, key, claim), "authorization_details")
		})
	}
}

// "Authorization Details": a token beyond a limit is invalid.
func TestDetailsAreBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, func(o *Options) { o.Limits = Limits{Details: 3, Topics: 2} })

	others := repeat(object{"type": "payment"}, 10)
	accepted(t, v, RolePublisher, detailsToken(t, key, append(others, repeat(detailOf(), 3)...)))
	refused(t, v, RolePublisher, detailsToken(t, key, repeat(detailOf(), 4)), "more than 3")
	accepted(t, v, RolePublisher, detailsToken(t, key, []any{detailOf(object{"topics": repeat(exact(book1), 2)})}))
	refused(t, v, RolePublisher, detailsToken(t, key, []any{detailOf(object{"topics": repeat(exact(book1), 3)})}), "more than 2")
}

// "Payloads": the payload of the first subscribe detail whose topics match the matcher as a topic.
func TestPayloadOfAccessToken(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	subscribe := func(topic object, payload any) object {
		return detailOf(object{"actions": []any{"subscribe"}, "topics": []any{topic}, "payload": payload})
	}
	grant := accepted(t, v, RoleSubscriber, detailsToken(t, key, []any{
		detailOf(object{"actions": []any{"publish"}, "topics": []any{exact("*")}, "payload": object{"of": "a publisher"}}),
		subscribe(exact("https://example.com/foo"), object{"n": 1, "s": "a\nb"}),
		subscribe(exact("https://example.com/quiet"), nil),
		subscribe(pattern("https://example.com/bar/:id"), object{"n": 2}),
		subscribe(exact("*"), object{"n": 3}),
		subscribe(exact("https://example.com/late"), object{"n": 4}),
	}))
	for name, c := range map[string]struct {
		m    mercure.Matcher
		want string
	}{
		"exact":                             {mercure.Matcher{Pattern: "https://example.com/foo"}, `{"n":1,"s":"a\nb"}`},
		"first match without a payload":     {mercure.Matcher{Pattern: "https://example.com/quiet"}, ``},
		"a pattern matches itself":          {mercure.Matcher{Type: mercure.URLPattern, Pattern: "https://example.com/bar/:id"}, `{"n":2}`},
		"a pattern matches a topic":         {mercure.Matcher{Pattern: "https://example.com/bar/7"}, `{"n":2}`},
		"the default":                       {mercure.Matcher{Pattern: "urn:other"}, `{"n":3}`},
		"the default for the wildcard":      {mercure.Matcher{Pattern: "*"}, `{"n":3}`},
		"the default for a template of 0.x": {mercure.Matcher{Type: mercure.Template, Pattern: "/{x}"}, `{"n":3}`},
		"masked by the default":             {mercure.Matcher{Pattern: "https://example.com/late"}, `{"n":3}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(grant.Payload(c.m)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}

	spaced := accepted(t, v, RoleSubscriber, detailsToken(t, key,
		`[{"type":"`+detailType+`","actions":["subscribe"],"topics":[{"match":"*"}],"payload":{ "n":`+"\r\n"+`1 }}]`))
	if got := string(spaced.Payload(mercure.Matcher{Pattern: book1})); got != `{"n":1}` {
		t.Errorf("got %s, want one line", got)
	}
	narrow := accepted(t, v, RoleSubscriber, detailsToken(t, key, []any{subscribe(exact(book1), object{"n": 1})}))
	if got := narrow.Payload(mercure.Matcher{Pattern: book2}); got != nil {
		t.Errorf("got %s for a matcher that no detail matches", got)
	}
}
