package mercure

import (
	"encoding/json"
	"testing"
)

// "Subscription Events" of both versions: the topic, the document and the event.
func TestSubscriptionEvent(t *testing.T) {
	t.Parallel()
	const subscriber = "urn:uuid:bb3de268-05b0-4c65-b44e-8f9acefc29d6"
	for _, test := range []struct {
		name        string
		s           Subscription
		topic, kind string
		document    string
	}{
		{
			"1.0", Subscription{Matcher{URLPattern, "https://example.com/:selector"}, subscriber, true, json.RawMessage(`{"foo":"bar"}`)},
			"/.well-known/mercure/subscriptions/urlpattern/https%3A%2F%2Fexample.com%2F%3Aselector/urn%3Auuid%3Abb3de268-05b0-4c65-b44e-8f9acefc29d6", "mercure",
			`{"id":"TOPIC","type":"subscription","match_type":"urlpattern","match":"https://example.com/:selector","subscriber":"` + subscriber + `","active":true,"payload":{"foo":"bar"}}`,
		},
		{
			"0.x", Subscription{Matcher{Template, "https://example.com/{selector}"}, subscriber, false, nil},
			"/.well-known/mercure/subscriptions/https%3A%2F%2Fexample.com%2F%7Bselector%7D/urn%3Auuid%3Abb3de268-05b0-4c65-b44e-8f9acefc29d6", "",
			`{"@context":"https://mercure.rocks/","id":"TOPIC","type":"Subscription","topic":"https://example.com/{selector}","subscriber":"` + subscriber + `","active":false}`,
		},
		{
			"a percent sign is encoded once", Subscription{Matcher{Exact, "100% é"}, subscriber, true, nil},
			"/.well-known/mercure/subscriptions/exact/100%25%20%C3%A9/urn%3Auuid%3Abb3de268-05b0-4c65-b44e-8f9acefc29d6", "mercure",
			`{"id":"TOPIC","type":"subscription","match_type":"exact","match":"100% é","subscriber":"` + subscriber + `","active":true}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := test.s.Update("/.well-known/mercure")
			if len(u.Topics) != 1 || u.Topics[0] != test.topic {
				t.Fatalf("topics are %q, want %q", u.Topics, test.topic)
			}
			if !u.Private || u.Type != test.kind {
				t.Fatalf("update is private: %v, of type %q", u.Private, u.Type)
			}
			var got, want map[string]any
			text := []byte(test.document)
			if err := json.Unmarshal([]byte(u.Data), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			want["id"] = test.topic
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			if string(a) != string(b) {
				t.Fatalf("document is\n%s, want\n%s", a, b)
			}
		})
	}
}
