package sse

import (
	"encoding/json"
	"strings"

	"github.com/valyala/fasthttp"

	"hubd/auth"
)

// metadataPrefix comes before a resource's path where its metadata is (RFC 9728, section 3.1).
const metadataPrefix = "/.well-known/oauth-protected-resource"

// metadataURL returns where the metadata of the hub is, whatever the path of the hub's URL.
func metadataURL(hub string) string {
	scheme, rest, _ := strings.Cut(hub, "://")
	host, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + metadataPrefix + "/" + path
}

// resourceMetadata describes the hub as an OAuth 2.0 protected resource ("Protected Resource Metadata").
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	DetailTypes   []string `json:"authorization_details_types_supported"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Cookie        string   `json:"mercure_cookie,omitempty"`
	MatcherTypes  []string `json:"mercure_matcher_types_supported"`
	Subscriptions bool     `json:"mercure_subscriptions,omitempty"`
}

// metadata answers with the document, which a hub of 0.x alone does not have: clients tell the
// versions apart by it.
func (s *Server) metadata(ctx *fasthttp.RequestCtx) {
	switch {
	case !s.o.Protocol.Allows(auth.V1):
		fail(ctx, fasthttp.StatusNotFound, "this hub speaks 0.x alone, which has no metadata")
		return
	case ctx.IsOptions():
		s.preflight(ctx)
		return
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, "GET, HEAD, OPTIONS")
		fail(ctx, fasthttp.StatusMethodNotAllowed, "the metadata is read with GET")
		return
	}
	m := resourceMetadata{
		Resource:      s.audience(ctx),
		DetailTypes:   []string{"https://mercure.rocks/authorization-detail"},
		BearerMethods: []string{"header"},
		MatcherTypes:  []string{"exact", "urlpattern"},
		Subscriptions: s.o.Subscriptions,
	}
	if len(s.o.Cookies) > 0 {
		m.Cookie = s.o.Cookies[0]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and a boolean
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
}
