package config

import (
	"net/url"
	"strings"
)

// transportVariable is where the official image takes its store from:
// bolt://PATH?size=N&bucket_name=B&cleanup_frequency=F, local://local or, in the legacy server, null://.
const transportVariable = "MERCURE_TRANSPORT_URL"

// transport is what MERCURE_TRANSPORT_URL says in this hub's settings.
type transport struct {
	// store is the value of "store".
	store string
	// maxEvents is the value of "history-max-events", empty if the URL does not tell.
	maxEvents string
	// ignored are the parameters without a counterpart.
	ignored []string
}

// parseTransport translates the URL. What has no counterpart is harmless and only noted: this hub's
// retention is exact, so there is no frequency of cleanups, and its file has no bucket to choose.
func parseTransport(address string) transport {
	scheme, rest, _ := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "local", "null":
		return transport{store: StoreMemory + "://"}
	case StoreBolt:
	default:
		return transport{store: address}
	}
	path, query, found := strings.Cut(rest, "?")
	t := transport{store: scheme + "://" + path}
	if !found {
		return t
	}
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		switch name {
		case "":
		case "size":
			t.maxEvents = value
		default:
			t.ignored = append(t.ignored, name)
		}
	}
	return t
}
