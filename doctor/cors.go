package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// stranger is an origin that nobody lists (RFC 2606 reserves its name).
const stranger = "https://stranger.invalid"

const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
)

// cors asks as a page of the origin would: first for leave (preflight), then for the stream.
func (x *examination) cors(ctx context.Context) {
	if x.o.Origin == "" {
		x.add("cors", Skipped, "no --origin was given", "")
		return
	}
	a, err := x.ask(ctx, http.MethodOptions, x.o.URL, "", "Origin", x.o.Origin,
		"Access-Control-Request-Method", http.MethodGet, "Access-Control-Request-Headers", "authorization,last-event-id")
	if err != nil {
		x.add("cors", Failure, "no answer to a preflight: "+reason(err), "")
		return
	}
	if text, advice := x.refused(a.Response); text != "" {
		x.add("cors", Failure, "preflight: "+text, advice)
		return
	}
	if a.StatusCode < 200 || a.StatusCode > 299 {
		x.add("cors", Failure, fmt.Sprintf("a preflight is answered %d", a.StatusCode), "let OPTIONS through to the hub: no token comes with it")
		return
	}
	for _, wanted := range [...]string{"authorization", "last-event-id"} {
		if !lists(a.Header.Values("Access-Control-Allow-Headers"), wanted) {
			x.add("cors", Failure, "a preflight does not allow the header "+wanted, "leave the answer of the hub as it is: a proxy replaces it")
			return
		}
	}
	res, err := x.head(ctx, http.MethodGet, x.subscription(), "Origin", x.o.Origin, "Authorization", bearer(x.subscriber))
	if err != nil {
		x.add("cors", Skipped, "a preflight is answered; the stream is not: "+reason(err), "")
		return
	}
	if text, advice := x.refused(res); text != "" {
		x.add("cors", Failure, "stream: "+text, advice)
		return
	}
	x.credentials(ctx, res)
}

// refused returns why a browser would keep the answer from a page of the origin, or nothing.
func (x *examination) refused(res *http.Response) (text, advice string) {
	switch got := res.Header.Values(allowOrigin); {
	case len(got) == 0:
		return "pages of " + x.o.Origin + " may not read the answer", "add --cors-origins=" + x.o.Origin + " at the hub"
	case len(got) > 1 || strings.Contains(got[0], ","):
		return fmt.Sprintf("%s is sent %d times, which browsers refuse", allowOrigin, max(len(got), 2)), "the proxy adds CORS headers of its own: leave them to the hub"
	case got[0] != "*" && !strings.EqualFold(got[0], x.o.Origin):
		return "only pages of " + got[0] + " may read the answer", "add --cors-origins=" + x.o.Origin + " at the hub, and do not cache answers without Vary: Origin"
	}
	return "", ""
}

// credentials says whether cookies may come along, and looks whether a stranger may use them, too.
func (x *examination) credentials(ctx context.Context, res *http.Response) {
	foreign, err := x.ask(ctx, http.MethodOptions, x.o.URL, "", "Origin", stranger, "Access-Control-Request-Method", http.MethodGet)
	if err == nil && strings.EqualFold(foreign.Header.Get(allowOrigin), stranger) && foreign.Header.Get(allowCredentials) == "true" {
		x.add("cors", Failure, "every page on the web may read private updates with the cookies of its visitors: any origin is allowed with credentials", "list origins by name in --cors-origins, and let no proxy echo the Origin header")
		return
	}
	if res.Header.Get(allowCredentials) != "true" {
		x.add("cors", Warning, "pages of "+x.o.Origin+" may use the hub, but not with cookies", "list the origin by name in --cors-origins if they are to; * is without cookies")
		return
	}
	x.add("cors", OK, "pages of "+x.o.Origin+" may use the hub, with headers and with cookies", "")
}

func lists(values []string, wanted string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(strings.Split(value, ","), func(item string) bool {
			item = strings.TrimSpace(item)
			return strings.EqualFold(item, wanted) || item == "*" && wanted != "authorization"
		})
	})
}
