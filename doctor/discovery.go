package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// metadataPrefix comes before a resource's path where its metadata is (RFC 9728, section 3.1).
const metadataPrefix = "/.well-known/oauth-protected-resource"

// defaultCookie is the name that a hub of 0.x alone reads, which has no metadata to name one.
const defaultCookie = "mercureAuthorization"

// metadata is what is read of the hub's description of itself.
type metadata struct {
	Resource string `json:"resource"`
	Cookie   string `json:"mercure_cookie"`
}

// describe fetches the metadata; nil if there is none.
func (x *examination) describe(ctx context.Context) (*metadata, *answer, error) {
	a, err := x.ask(ctx, http.MethodGet, x.beside(metadataPrefix+x.base.Path), "")
	if err != nil || a.StatusCode != http.StatusOK {
		return nil, a, err
	}
	m := new(metadata)
	if err := json.Unmarshal([]byte(a.body), m); err != nil {
		return nil, a, fmt.Errorf("the metadata is not JSON: %w", err)
	}
	return m, a, nil
}

// discovery compares what the hub calls itself with the URL that clients use: 1.0 tokens name it ("Protected Resource
// Metadata", "Token Validation").
func (x *examination) discovery(ctx context.Context) {
	m, a, err := x.describe(ctx)
	const route = "route /.well-known/oauth-protected-resource/ to the hub too: clients of 1.0 look there; a hub of 0.x alone has none"
	switch {
	case err != nil:
		x.add("discovery", Warning, "no metadata: "+reason(err), route)
	case m == nil:
		x.add("discovery", Warning, fmt.Sprintf("no metadata: status %d", a.StatusCode), route)
	case m.Resource == x.o.URL:
		x.add("discovery", OK, "the hub calls itself "+m.Resource, "")
	case strings.HasPrefix(m.Resource, "http:") && x.base.Scheme == "https":
		x.add("discovery", Failure, "the hub calls itself "+m.Resource, "the proxy has to send Host and X-Forwarded-Proto; or set --public-url="+x.o.URL)
	default:
		x.add("discovery", Failure, "the hub calls itself "+m.Resource+", which 1.0 tokens would have to name", "set --public-url="+x.o.URL+" at the hub, or have the proxy pass Host on")
	}
}

// dialects asks for a stream in the words of one version after the other.
func (x *examination) dialects(ctx context.Context) {
	var spoken, not []string
	for _, d := range [...]struct{ name, parameter string }{{"1.0", "match"}, {"0.x", "topic"}} {
		res, err := x.head(ctx, http.MethodGet, x.subscription(d.parameter), "Authorization", bearer(x.subscriber))
		switch {
		case err != nil:
			x.add("dialects", Skipped, "no answer to a subscription: "+reason(err), "")
			return
		case res.StatusCode == http.StatusOK:
			spoken = append(spoken, d.name)
		case res.StatusCode == http.StatusBadRequest:
			not = append(not, d.name)
		default:
			x.add("dialects", Skipped, fmt.Sprintf("a subscription is answered %d", res.StatusCode), "")
			return
		}
	}
	switch {
	case len(spoken) == 0:
		x.add("dialects", Failure, "subscriptions of 1.0 and of 0.x are both answered 400", "is this a hub, and does the proxy pass the query on?")
	case len(not) > 0:
		x.add("dialects", OK, "subscriptions of "+spoken[0]+" only, not of "+not[0], "")
	default:
		x.add("dialects", OK, "subscriptions of 1.0 and of 0.x", "")
	}
}

// exposure looks for the admin server where the public is: it takes no token and shows profiles.
func (x *examination) exposure(ctx context.Context) {
	for _, path := range [...]string{"/metrics", "/debug/pprof/"} {
		a, err := x.ask(ctx, http.MethodGet, x.beside(path), "")
		if err == nil && a.StatusCode == http.StatusOK && (strings.Contains(a.body, "hubd_") || strings.Contains(a.body, "goroutine")) {
			x.add("exposure", Failure, path+" of the hub's admin address can be read here", "route /.well-known/ and /healthz to the hub, and its --admin-listen to nobody outside")
			return
		}
	}
	x.add("exposure", OK, "neither metrics nor profiles can be read here", "")
}
