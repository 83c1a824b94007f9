package config

import (
	"log/slog"
	"time"
)

// Config holds every setting of the hub. A field's flag is its name in lower case with dashes, so
// AdminListen is --admin-listen, HUBD_ADMIN_LISTEN and "admin-listen:" in the file; fields of History,
// Publisher and Subscriber have those names before theirs.
//
// Tags: "default" is the default, "shown" what the reference page says where the default is derived,
// "alias" a variable of the official image with the same meaning, "empty" that an empty variable has a
// meaning instead of counting as unset.
//
// The values are as they were given. Complete applies what --dev implies and Validate checks them.
type Config struct {
	// File is the configuration file, YAML.
	File string `name:"config" group:"file" placeholder:"FILE" help:"Configuration file, YAML. Its keys are the names of the flags."`

	// Listen is the hub's address without TLS, host:port; empty is off.
	Listen string `group:"addresses" default:"127.0.0.1:3000" empty:"off" help:"Address of the hub. An empty host, as in :3000, is every interface. Empty turns it off, which takes tls-listen."`
	// AdminListen is the admin server's address, host:port; empty is off.
	AdminListen string `group:"addresses" default:"127.0.0.1:3001" empty:"off" help:"Address of the probes, metrics and profiles. It takes no token, so keep it private. Empty turns it off."`
	// AdminHosts are names of the admin server on loopback besides localhost.
	AdminHosts []string `group:"addresses" placeholder:"HOST" help:"Names by which the admin address may be asked when it listens on loopback, besides localhost, its own and IP addresses. Requests for another host get 421, because the page of another site could have made a browser send them."`
	// PublicURLs are the hub's URLs as clients see it, the canonical one first; none means that it follows
	// from each request.
	PublicURLs []string `name:"public-url" group:"addresses" placeholder:"URL" shown:"derived from the request" help:"URL of the hub as clients see it, such as https://example.com/.well-known/mercure. Set it behind a proxy. Of several, the first is the canonical one, the request's host chooses, and a host that is none of theirs gets 421."`
	// Console serves the console's pages at the hub's own address.
	Console bool `group:"addresses" help:"Serve the console: a page at /.well-known/mercure/console/ to subscribe, publish, read tokens and walk the history with. It shows nothing without a token that a client could not see either. Always on with dev."`

	// TLSListen is the hub's address with TLS, host:port; empty is off.
	TLSListen string `name:"tls-listen" group:"tls" placeholder:"ADDRESS" help:"Address of the hub with TLS, such as :443, for HTTP/2 and HTTP/1.1. It takes tls-cert and tls-key, or acme-domain. The address without TLS stays open beside it, for publishers on the same machine; see listen. See docs/tls.md."`
	// TLSCert and TLSKey are files with a certificate and its key.
	TLSCert string `name:"tls-cert" group:"tls" placeholder:"FILE" help:"File with the certificate and its chain, PEM. The hub takes a new one within tls-reload; streams go on."`
	// TLSKey is the file with the private key.
	TLSKey string `name:"tls-key" group:"tls" placeholder:"FILE" help:"File with the private key of the certificate, PEM."`
	// TLSReload is how often these files are looked at.
	TLSReload time.Duration `name:"tls-reload" group:"tls" default:"10s" help:"How often tls-cert and tls-key are looked at. A pair that cannot be used is logged, and the old one stays."`
	// ACMEDomains are names for which certificates are had from an authority.
	ACMEDomains []string `name:"acme-domain" group:"tls" placeholder:"NAME" help:"Name for which the hub gets a certificate by ACME, in place of tls-cert; can be repeated. The authority must reach the hub under it, on port 443 at tls-listen or on port 80 at http-redirect-listen."`
	// ACMEEmail is told to the authority.
	ACMEEmail string `name:"acme-email" group:"tls" placeholder:"ADDRESS" help:"E-mail address that is told to the authority."`
	// ACMEDir keeps the account and the certificates.
	ACMEDir string `name:"acme-dir" group:"tls" default:"acme" help:"Directory for the account, the certificates and their keys. Keep it across restarts: authorities limit how many certificates they issue."`
	// ACMEDirectoryURL is the authority's directory.
	ACMEDirectoryURL string `name:"acme-directory-url" group:"tls" placeholder:"URL" shown:"Let's Encrypt" help:"Directory of the authority, such as https://acme-staging-v02.api.letsencrypt.org/directory to try it."`
	// HTTPRedirectListen is an address on which browsers are sent to https.
	HTTPRedirectListen string `name:"http-redirect-listen" group:"tls" placeholder:"ADDRESS" help:"Address such as :80 that sends browsers to https, and answers the authority's HTTP-01 challenges."`
	// HTTP2Streams bounds the streams of one HTTP/2 connection.
	HTTP2Streams int `name:"http2-streams" group:"tls" default:"250" help:"Requests, streams among them, that one HTTP/2 connection may have open at a time. Each open stream also counts as a connection in max-connections and max-connections-per-ip."`
	// HSTS is how long browsers are told to use https only.
	HSTS time.Duration `name:"hsts" group:"tls" default:"0" help:"Tell browsers to use nothing but https with this host, on every port, for that long, such as 8760h; 0 says nothing."`

	// Store is where the history is kept.
	Store Store `group:"store" default:"bolt://hub.db" help:"Where the history is kept: bolt://PATH (a file, relative as in bolt://hub.db or absolute as in bolt:///var/lib/hubd/hub.db), memory:// (lost at exit), or a server that several hubs share: redis:// or rediss:// (Redis, Valkey), postgres://, nats:// or tls:// (NATS with TLS). See docs/clustering.md."`
	// StoreWait is how long to wait, not ready, for a store that another process holds or that cannot be reached; 0 is not at all.
	StoreWait time.Duration `group:"store" default:"60s" help:"How long to wait, not ready, for a store that another process holds, or for a server that cannot be reached."`
	// Node is the name of this hub among those that share a store; empty means one made of the host's name.
	Node string `group:"store" placeholder:"NAME" shown:"the host's name and a random suffix" help:"Name of this hub among those that share a store: up to 200 letters, digits and -._:@/. It stands in the log and the metrics."`
	// NodeLease is how long the subscriptions of a hub that died are listed.
	NodeLease time.Duration `group:"store" default:"15s" help:"How long the subscriptions of a hub that died stay listed, where hubs share a store; a hub renews it three times as often."`
	// Handover lets a hub that starts on this one's store take its place at once.
	Handover bool `group:"store" default:"true" negatable:"" help:"Hand the store over to a hub that starts on it, and to one on the same machine the address and the open streams too: an upgrade then ends no stream. Without it that hub waits until this one ends."`
	// History bounds what the store keeps.
	History History `embed:"" prefix:"history-" group:"store"`

	// Publisher is the key that publishers' tokens are verified with.
	Publisher Key `embed:"" prefix:"publisher-" group:"tokens" set:"role=publisher"`
	// Subscriber is the key that subscribers' tokens are verified with.
	Subscriber Key `embed:"" prefix:"subscriber-" group:"tokens" set:"role=subscriber"`
	// JWKSRefresh is how often a key set is fetched.
	JWKSRefresh time.Duration `name:"jwks-refresh" group:"tokens" default:"5m" help:"How often a key set is fetched. It is fetched sooner if its server says so, if a token names a key that is unknown, and after a failure; a file is read every 10s at least."`
	// JWKSAllowHTTP allows key sets over plain http from other machines.
	JWKSAllowHTTP bool `name:"jwks-allow-http" group:"tokens" help:"Fetch key sets over plain http from other machines too. Whoever can change the answer on its way can then make tokens."`
	// JWKSAllowPrivate allows names of key sets to stand for private addresses.
	JWKSAllowPrivate bool `name:"jwks-allow-private" group:"tokens" help:"Fetch key sets from private addresses although the name in their URL looks public. Names without a dot, names such as keys.internal, and addresses may be private anyway."`
	// RevocationTime is how long a revoked id or subject of tokens is refused.
	RevocationTime time.Duration `group:"tokens" default:"24h" help:"How long a revoked id or subject of tokens is refused, unless the revocation says otherwise. Make it as long as your tokens live."`
	// Issuer is who signs 1.0 tokens with these keys; without one, they verify no 1.0 token.
	Issuer string `group:"tokens" placeholder:"ISSUER" help:"Trusted issuer of 1.0 tokens that are signed with the keys above: their iss claim. Without it the keys above verify 0.x tokens only. More issuers, with keys of their own, are blocks of the configuration file under issuers."`
	// Issuers are further issuers of 1.0 tokens. They have no flag: they are blocks of the file.
	Issuers []Issuer `kong:"-"`
	// Audience is the hub's resource identifier; empty means the hub's URL.
	Audience string `group:"tokens" placeholder:"ID" shown:"public-url, or the URL of the listen address" help:"Resource identifier of the hub, which the aud claim of a 1.0 token has to name."`
	// Protocol is "1.0", "0.x" or "both".
	Protocol string `group:"tokens" default:"both" help:"Versions of the Mercure protocol to speak: 1.0, 0.x or both."`
	// Anonymous lets subscribers without a token have public updates.
	Anonymous bool `group:"tokens" help:"Serve public updates to subscribers that have no token."`
	// CookieName replaces the names of the cookies that carry a token; empty means both defaults.
	CookieName string `group:"tokens" placeholder:"NAME" shown:"__Secure-mercure_access_token, and mercureAuthorization for 0.x" help:"Name of the cookie that carries a token, in place of both default names."`
	// CORSOrigins are the origins whose pages may use the hub; "*" is any.
	CORSOrigins []string `name:"cors-origins" group:"tokens" placeholder:"ORIGIN" help:"Origins whose pages may use the hub, such as https://example.com; * is any, but only a listed one may use cookies."`
	// PublishOrigins are the origins whose pages may publish by cookie.
	PublishOrigins []string `group:"tokens" placeholder:"ORIGIN" help:"Origins whose pages may publish with a cookie, besides those of the hub itself, such as https://example.com."`

	// Subscriptions turns on subscription events and the subscription API.
	Subscriptions bool `group:"streams" help:"Publish subscription events and serve the subscription API."`
	// InitialCursor gives streams without a cursor one before their first event.
	InitialCursor bool `group:"streams" help:"Begin a stream that brings no cursor with the id of the newest update, and nothing else: a client that is cut off before its first event can resume from there. Browsers keep the id and show no event, as the HTML Standard says; some other clients take it for an empty event."`
	// GapNotice tells streams whose cursor is not retained, by an event of type hubd-gap.
	GapNotice bool `group:"streams" default:"true" negatable:"" help:"Begin a stream whose cursor is not retained with an event of type hubd-gap, which a browser can see; the header that says so it cannot."`
	// Heartbeat is how long a stream may be silent; 0 is for ever.
	Heartbeat time.Duration `group:"streams" default:"15s" help:"Longest silence on a stream before a comment is sent to keep proxies from closing it; 0 is never."`
	// WriteTimeout is the longest life of a stream, spread so that streams do not end together; 0 is none.
	WriteTimeout time.Duration `group:"streams" default:"600s" help:"Longest life of a stream, spread so that streams do not all end at once; 0 is no limit."`
	// DispatchTimeout is the longest a write to a stream may stall.
	DispatchTimeout time.Duration `group:"streams" default:"5s" help:"Longest time a write to a stream may stall before the stream is ended."`
	// QueueBytes bounds what waits for one stream before it goes back to reading the log.
	QueueBytes Size `group:"streams" default:"256KiB" help:"Bytes that may wait for a stream before it goes back to reading the history."`
	// SelectorCacheBytes bounds the cost of the cache of matcher results; 0 is no cache.
	SelectorCacheBytes Size `group:"streams" default:"64MiB" help:"Size of the cache that remembers which selectors match which topics: at least 1MiB, or 0 for no cache."`
	// Drain is the time over which a shutdown spreads the ends of streams.
	Drain time.Duration `group:"streams" default:"10s" help:"Time over which a shutdown spreads the ends of the streams."`

	// MaxConnections bounds the connections to the hub; 0 is no limit.
	MaxConnections int `group:"limits" default:"0" help:"Connections to the hub; 0 is no limit. Beyond it the answer is 429."`
	// MaxConnectionsPerIP bounds the connections from one address; 0 is no limit.
	MaxConnectionsPerIP int `name:"max-connections-per-ip" group:"limits" default:"0" help:"Connections from one address; 0 is no limit. Beyond it the answer is 429."`
	// MaxMatchers bounds the matchers of one subscription; 0 is no limit.
	MaxMatchers int `group:"limits" default:"100" help:"Matchers of one subscription; 0 is no limit. Beyond it the answer is 400."`
	// MaxTopics bounds the topics of one update; 0 is no limit.
	MaxTopics int `group:"limits" default:"100" help:"Topics of one update; 0 is no limit. Beyond it the answer is 413."`
	// MaxBody bounds the body of one request.
	MaxBody Size `group:"limits" default:"1MiB" help:"Size of the body of a request. Beyond it the answer is 413."`

	// PublishRate and PublishBurst bound how often one token publishes; a rate of 0 is no limit.
	PublishRate int `group:"limits" default:"0" help:"Updates a second of one token, or of all tokens with one subject; 0 is no limit. Beyond it the answer is 429 with Retry-After."`
	// PublishBurst is how many updates may come at once.
	PublishBurst int `group:"limits" default:"0" help:"Updates that one token may publish at once, see publish-rate; 0 is as many as in a second."`
	// MaxRevocations bounds the revocations that hold at a time.
	MaxRevocations int `group:"limits" default:"10000" help:"Ids and subjects of tokens that may be revoked at a time. Beyond it a revocation is answered 503."`
	// MaxLag is how many stored updates may wait for the fan-out before publishes wait for it.
	MaxLag int `group:"limits" default:"8192" help:"Stored updates that may wait to be handed to the streams. Beyond it publishes wait until half of them have been."`
	// PublishWait is how long a publish waits for the fan-out.
	PublishWait time.Duration `group:"limits" default:"5s" help:"How long a publish waits for the streams to be served, see max-lag. Beyond it the answer is 503 with Retry-After."`
	// MaxPending and MaxPendingBytes bound the updates that wait to be stored.
	MaxPending int `group:"limits" default:"4096" help:"Updates that may wait to be stored. Beyond it the answer is 503 with Retry-After."`
	// MaxPendingBytes is their size.
	MaxPendingBytes Size `group:"limits" default:"8MiB" help:"Size of the updates that may wait to be stored. Beyond it the answer is 503 with Retry-After."`

	// RingBytes bounds the memory of the newest updates.
	RingBytes Size `group:"memory" default:"32MiB" help:"Memory for the newest updates, from which most of history is read; at most 65,536 updates."`
	// BatchBytes bounds what goes to a stream in one round of the fan-out, and a page of history.
	BatchBytes Size `group:"memory" default:"64KiB" help:"Most that a round of the fan-out, or a page of history, holds, unless one update is larger; never more than queue-bytes."`
	// MaxTopicActors bounds the topics that are kept ready.
	MaxTopicActors int `group:"memory" default:"16384" help:"Topics whose subscribers are kept at hand. The least used beyond it are looked up again when they return."`
	// EndedStreams is how many streams are remembered after their end.
	EndedStreams int `group:"memory" default:"4096" help:"Streams that are remembered after their end, so that the hub can say why one of them did not get an update; fewer if their matchers are long: 1 KiB each on average. 0 is none. See docs/monitoring.md."`
	// FanoutJournal is of how many rounds of the fan-out the time is remembered.
	FanoutJournal int `group:"memory" default:"16384" help:"Rounds of the fan-out of which the time is remembered, so that the hub can say when it handed an update to its streams: 24 bytes each. A round holds one update, or many under load. 0 is none."`

	// WatchdogDir is where profiles of a hub that needs more than its streams explain are written; empty is nowhere.
	WatchdogDir string `group:"watchdog" placeholder:"DIR" help:"Directory for profiles of the heap and the goroutines, written once each time one of them leaves the band that the number of streams predicts. Without it nothing is watched. See docs/profiling.md."`
	// WatchdogMaxBytes bounds the profiles in it.
	WatchdogMaxBytes Size `group:"watchdog" default:"64MiB" help:"Size of all profiles in watchdog-dir. The oldest are removed."`
	// WatchdogAfter is how long a number has to stay outside its band.
	WatchdogAfter time.Duration `group:"watchdog" default:"1m" help:"How long goroutines or heap must stay above the band to count, and back in it to count as over."`
	// WatchdogGoroutines is the band of a hub without connections; 0 does not watch them.
	WatchdogGoroutines int `group:"watchdog" default:"512" help:"Goroutines of a hub without connections. The band is this and 2 for each connection that is not a stream; a stream needs none on Linux, and 1 elsewhere. 0 does not watch them."`
	// WatchdogHeap and WatchdogHeapPerStream are the band of the live heap.
	WatchdogHeap Size `group:"watchdog" default:"64MiB" help:"Live heap of a hub without streams, besides its caches. The band is this, ring-bytes, selector-cache-bytes, max-pending-bytes, what is queued for streams, and watchdog-heap-per-stream for each stream; of a memory store also twice history-max-bytes, without which its heap is not watched."`
	// WatchdogHeapPerStream is what a stream may hold.
	WatchdogHeapPerStream Size `group:"watchdog" default:"8KiB" help:"Live heap for each stream. An idle stream with one matcher takes about 2KiB of memory; raise this if yours have many matchers."`

	// LogLevel is the least level that is logged.
	LogLevel slog.Level `group:"log" default:"info" help:"Least level of the log: debug, info, warn or error."`
	// LogFormat is "text" or "json".
	LogFormat string `group:"log" default:"text" help:"Format of the log: text or json."`

	// Dev is loopback development.
	Dev bool `group:"development" help:"Development on a loopback address: anonymous subscribers, the console, any origin, and a key that is made and printed at start if there is none."`

	// Notes are for the operator to know although nothing is wrong; the hub logs them when it starts.
	Notes []string `kong:"-"`
}

// History bounds what the store keeps; 0 is no limit.
type History struct {
	// MaxEvents is the number of updates kept.
	MaxEvents int64 `default:"100000" help:"Updates that the history keeps, exactly; 0 is no limit."`
	// MaxAge is how long an update is kept.
	MaxAge time.Duration `default:"0" help:"How long an update stays in the history; 0 is no limit."`
	// MaxBytes is the size of all updates kept.
	MaxBytes Size `default:"0" help:"Size of all updates in the history; 0 is no limit."`
}

// Dialects of the protocol, the values of Config.Protocol.
const (
	ProtocolBoth = "both"
	ProtocolV1   = "1.0"
	ProtocolV0   = "0.x"
)

// Formats of the log, the values of Config.LogFormat.
const (
	LogText = "text"
	LogJSON = "json"
)

// Complete applies what --dev implies to the settings that were not given: anonymous subscribers, the
// console and any origin. Missing keys are left to the caller, who has to print the one it makes.
func (c *Config) Complete() {
	if !c.Dev {
		return
	}
	c.Anonymous, c.Console = true, true
	if len(c.CORSOrigins) == 0 {
		c.CORSOrigins = []string{anyOrigin}
	}
}
