package sse

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// metadataPath is where RFC 9728, section 3.1, puts the metadata of the resource at Path.
const metadataPath = "/.well-known/oauth-protected-resource" + Path

// resourceMetadata describes the hub as an OAuth 2.0 protected resource ("Protected Resource Metadata").
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	DetailTypes          []string `json:"authorization_details_types_supported"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Cookie               string   `json:"mercure_cookie,omitempty"`
	MatcherTypes         []string `json:"mercure_matcher_types_supported"`
	Subscriptions        bool     `json:"mercure_subscriptions,omitempty"`
}

func (s *Server) metadata(ctx *fasthttp.RequestCtx) {
	m := resourceMetadata{
		Resource:             s.audience(ctx),
		AuthorizationServers: s.o.AuthorizationServers,
		DetailTypes:          []string{"https://mercure.rocks/authorization-detail"},
		BearerMethods:        []string{"header"},
		MatcherTypes:         []string{"exact", "urlpattern"},
		Subscriptions:        s.o.Subscriptions,
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
