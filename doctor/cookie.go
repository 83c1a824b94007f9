package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// cookies compares two subscriptions: one with a cookie that is no token, and one with a good cookie, or without any where
// there is no token. A hub that reads the cookie refuses the first alone, also where subscribers need no token.
func (x *examination) cookies(ctx context.Context) {
	name := defaultCookie
	if m, _, err := x.describe(ctx); err == nil && m != nil && m.Cookie != "" {
		name = m.Cookie
	}
	good := ""
	if x.subscriber != "" {
		good = name + "=" + x.subscriber
	}
	bad, err := x.head(ctx, http.MethodGet, x.subscription(), "Cookie", name+"=not.a.token")
	if err != nil {
		x.add("cookies", Skipped, "no answer to a subscription: "+reason(err), "")
		return
	}
	res, err := x.head(ctx, http.MethodGet, x.subscription(), "Cookie", good)
	if err != nil {
		x.add("cookies", Skipped, "no answer to a subscription: "+reason(err), "")
		return
	}
	const pass = "let the proxy pass Cookie on, or hand tokens over in the Authorization header"
	switch {
	case bad.StatusCode == http.StatusOK:
		x.add("cookies", Warning, "the cookie "+name+" does not reach the hub", pass)
	case bad.StatusCode == http.StatusUnauthorized && res.StatusCode == http.StatusUnauthorized && good == "":
		x.add("cookies", Skipped, "whether cookies reach the hub shows with a token or a key of a subscriber", "")
	case bad.StatusCode == http.StatusUnauthorized && res.StatusCode == http.StatusUnauthorized:
		x.add("cookies", Warning, "a token in the cookie "+name+" is refused: the token is not valid, or the cookie does not reach the hub", pass)
	case bad.StatusCode != http.StatusUnauthorized || res.StatusCode != http.StatusOK:
		x.add("cookies", Skipped, fmt.Sprintf("subscriptions are answered %d and %d", bad.StatusCode, res.StatusCode), "")
	case strings.HasPrefix(name, "__") && x.base.Scheme != "https":
		x.add("cookies", Warning, "the hub reads the cookie "+name+", which browsers keep over https only", "serve the hub over https, or set --cookie-name while you develop")
	default:
		x.add("cookies", OK, "the hub reads the cookie "+name, "")
	}
}
