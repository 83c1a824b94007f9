package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minRing is the smallest ring that holds a few commits.
const minRing Size = 1 << 20

// minSelectorCache is the smallest cache that could hold anything beside its own tables.
const minSelectorCache Size = 1 << 20

// minRefresh keeps the hub from being a burden to whoever serves its key sets.
const minRefresh = 10 * time.Second

// maxRevocationTime is the longest that a revocation may hold.
const maxRevocationTime = 366 * 24 * time.Hour

// anyOrigin stands for every origin in a list of origins.
const anyOrigin = "*"

// checker collects problems.
type checker struct{ problems Problems }

func (k *checker) add(key, format string, args ...any) {
	k.problems = append(k.problems, Problem{key, fmt.Sprintf(format, args...)})
}

// Validate returns everything that is wrong with the settings, nil if the hub can start with them. It
// reads the key files to see that they are there.
func (c *Config) Validate() Problems {
	var k checker
	c.checkAddresses(&k)
	if text := c.Store.problem(); text != "" {
		k.add("store", "%s", text)
	}
	c.checkNode(&k)
	c.checkKeys(&k)
	c.checkTokens(&k)
	c.checkStreams(&k)
	c.checkSigns(&k)
	return k.problems
}

// minNodeLease leaves time for three renewals that take a moment each.
const minNodeLease = 3 * time.Second

// maxNode is the longest name of a node.
const maxNode = 200

func (c *Config) checkNode(k *checker) {
	if len(c.Node) > maxNode || strings.ContainsFunc(c.Node, func(r rune) bool { return !isNameRune(r) && r != ':' && r != '@' && r != '/' }) {
		k.add("node", "has more than %d characters, or others than letters, digits and -._:@/", maxNode)
	}
	if c.NodeLease < minNodeLease {
		k.add("node-lease", "%s is too short to be renewed in time; use at least %s", c.NodeLease, minNodeLease)
	}
}

func (c *Config) checkAddresses(k *checker) {
	if c.Listen != "" {
		k.address("listen", c.Listen)
	} else if c.TLSListen == "" {
		k.add("listen", "is empty and so is tls-listen: nobody could reach the hub; set one of them")
	}
	c.checkTLS(k)
	for _, host := range c.AdminHosts {
		if host == "" || strings.ContainsAny(host, ":/ ") {
			k.add("admin-hosts", "%q is not a host name; write it without scheme and port, like hub.internal", host)
		}
	}
	if c.AdminListen != "" {
		k.address("admin-listen", c.AdminListen)
		if _, port, err := net.SplitHostPort(c.AdminListen); err == nil && c.AdminListen == c.Listen && port != "0" {
			k.add("admin-listen", "is the same address as listen; give it another port, or leave it empty to turn the admin server off")
		}
	}
	if c.Dev && c.Listen != "" && !isLoopback(c.Listen) {
		k.add("listen", "%s is not a loopback address, and dev is for loopback only; listen on 127.0.0.1 or turn dev off and set the keys", c.Listen)
	}
	for _, text := range c.PublicURLs {
		k.publicURL(text)
	}
}

func (k *checker) publicURL(text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		k.add("public-url", "is not an absolute http or https URL without query and fragment; write it like https://example.com/.well-known/mercure")
	}
}

func (k *checker) address(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		k.add(key, "%q is not host:port; write it like 127.0.0.1:3000, [::1]:3000 or :3000", address)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		k.add(key, "%q has no port from 0 to 65535; write it like 127.0.0.1:3000", address)
	}
}

// isLoopback reports whether the address is certainly reached from this machine only. An address
// without the form host:port is reported elsewhere and passes.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (c *Config) checkKeys(k *checker) {
	k.key("publisher-", &c.Publisher)
	k.key("subscriber-", &c.Subscriber)
	seen := map[string]bool{c.Issuer: c.Issuer != ""}
	published, subscribed := !c.Publisher.Absent(), !c.Subscriber.Absent()
	for i := range c.Issuers {
		issuer, prefix := &c.Issuers[i], IssuerPrefix(i)
		switch {
		case issuer.Issuer == "":
			k.add(prefix+"issuer", "is missing; set it to the iss claim of the issuer's tokens")
		case seen[issuer.Issuer]:
			k.add(prefix+"issuer", "%s is there already; keep one", issuer.Issuer)
		case issuer.Publisher.Absent() && issuer.Subscriber.Absent():
			k.add(prefix+"issuer", "has no key; set publisher-jwks-url or subscriber-jwks-url, or a key of one of them")
		}
		seen[issuer.Issuer] = true
		k.key(prefix+"publisher-", &issuer.Publisher)
		k.key(prefix+"subscriber-", &issuer.Subscriber)
		published, subscribed = published || !issuer.Publisher.Absent(), subscribed || !issuer.Subscriber.Absent()
	}
	if c.Dev {
		return
	}
	if !published {
		k.add("publisher-key", "is missing: nobody could publish; set it, or publisher-key-file, or publisher-jwks-url, or start with --dev to try the hub")
	}
	if !subscribed && !c.Anonymous {
		k.add("subscriber-key", "is missing: nobody could subscribe; set it, or subscriber-key-file, or subscriber-jwks-url, or anonymous to serve public updates to everyone")
	}
}

// key checks the settings of one key, whose names begin with the prefix.
func (k *checker) key(prefix string, key *Key) {
	if !slices.Contains(algorithms(), key.Alg) {
		k.add(prefix+"alg", "%q is not known; use one of %s", key.Alg, strings.Join(algorithms(), ", "))
	}
	for _, alg := range key.JWKSAlgs {
		if !slices.Contains(algorithms(), alg) {
			k.add(prefix+"jwks-algs", "%q is not known; use some of %s", alg, strings.Join(algorithms(), ", "))
		}
	}
	switch hasKey := !key.Key.Absent() || key.File != ""; {
	case hasKey && key.JWKSURL != "":
		k.add(prefix+"jwks-url", "a key is set too; keep one of the two")
	case key.JWKSURL == "" && len(key.JWKSAlgs) > 0:
		k.add(prefix+"jwks-algs", "has no effect without a jwks-url; set that, or remove it")
	}
	if !key.Key.Absent() && key.File != "" {
		k.add(prefix+"key-file", "%skey is set too; keep one of the two", prefix)
		return
	}
	if _, err := key.Material(); err != nil {
		k.add(prefix+"key-file", "%s; correct the path or the file", err)
	}
}

func (c *Config) checkTokens(k *checker) {
	switch c.Protocol {
	case ProtocolBoth, ProtocolV0:
	case ProtocolV1:
		if c.Issuer == "" && len(c.Issuers) == 0 && !c.Dev {
			k.add("issuer", "is missing: a hub that speaks only 1.0 would refuse every token; set it to the iss claim of your tokens")
		}
	default:
		k.add("protocol", "%q is not known; use 1.0, 0.x or both", c.Protocol)
	}
	if c.JWKSRefresh < minRefresh {
		k.add("jwks-refresh", "%s is too short; use at least %s", c.JWKSRefresh, minRefresh)
	}
	if c.RevocationTime == 0 || c.RevocationTime > maxRevocationTime {
		k.add("revocation-time", "%s is not a time up to %s; set it to how long your tokens live", c.RevocationTime, maxRevocationTime)
	}
	if c.MaxRevocations == 0 {
		k.add("max-revocations", "is 0: nothing could be revoked; leave it out for the default")
	}
	if c.PublishBurst > 0 && c.PublishRate == 0 {
		k.add("publish-burst", "has no effect without a publish-rate; set that, or remove it")
	}
	k.origins("cors-origins", c.CORSOrigins)
	k.origins("publish-origins", c.PublishOrigins)
	if slices.Contains(c.PublishOrigins, anyOrigin) {
		k.add("publish-origins", "* would let every page publish with the cookie of whoever visits it; list the origins")
	}
	if strings.ContainsFunc(c.CookieName, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) {
		k.add("cookie-name", "%q has a character that no cookie name may have; use letters, digits, - and _", c.CookieName)
	}
}

func (k *checker) origins(key string, origins []string) {
	for _, origin := range origins {
		if !isOrigin(origin) {
			k.add(key, "%q is not an origin; write it like https://example.com, without a path, or * for any", origin)
		}
	}
}

// isOrigin reports whether s is "*" or the serialisation of an origin (RFC 6454, section 6.2).
func isOrigin(s string) bool {
	if s == anyOrigin {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && s == u.Scheme+"://"+u.Host
}

func (c *Config) checkStreams(k *checker) {
	if c.Heartbeat > 0 && c.Heartbeat < time.Second {
		k.add("heartbeat", "%s is too short; use at least 1s, or 0 for none", c.Heartbeat)
	}
	if c.DispatchTimeout == 0 {
		k.add("dispatch-timeout", "is 0: a client that stopped reading would keep its stream for ever; set a time such as 5s")
	}
	if c.QueueBytes == 0 {
		k.add("queue-bytes", "is 0: no update could wait for a stream; set a size such as 256KiB")
	}
	if c.SelectorCacheBytes > 0 && c.SelectorCacheBytes < minSelectorCache {
		k.add("selector-cache-bytes", "%s is less than the cache needs for itself; use at least %s, or 0 for no cache", c.SelectorCacheBytes, minSelectorCache)
	}
	if c.RingBytes < minRing {
		k.add("ring-bytes", "%s is too small for the updates of a moment; use at least %s", c.RingBytes, minRing)
	}
	for _, bound := range []struct {
		key  string
		zero bool
	}{
		{"max-lag", c.MaxLag == 0}, {"publish-wait", c.PublishWait == 0}, {"max-pending", c.MaxPending == 0},
		{"max-pending-bytes", c.MaxPendingBytes == 0}, {"max-topic-actors", c.MaxTopicActors == 0},
		{"batch-bytes", c.BatchBytes == 0},
	} {
		if bound.zero {
			k.add(bound.key, "is 0, with which no update would get through; leave it out for the default")
		}
	}
	if c.MaxBody == 0 {
		k.add("max-body", "is 0: no update could be published; set a size such as 1MiB")
	}
	if c.WatchdogDir != "" {
		c.checkWatchdog(k)
	}
	if c.LogFormat != LogText && c.LogFormat != LogJSON {
		k.add("log-format", "%q is not known; use text or json", c.LogFormat)
	}
}

// minSnapshots is room for a few snapshots of the watchdog.
const minSnapshots Size = 1 << 20

func (c *Config) checkWatchdog(k *checker) {
	if c.WatchdogMaxBytes < minSnapshots {
		k.add("watchdog-max-bytes", "%s has no room for the profiles of one moment; use at least %s", c.WatchdogMaxBytes, minSnapshots)
	}
	if c.WatchdogAfter < time.Second {
		k.add("watchdog-after", "%s is too short to tell a leak from a burst; use at least 1s", c.WatchdogAfter)
	}
	if c.WatchdogHeap == 0 {
		k.add("watchdog-heap", "is 0: every hub needs some heap; set a size such as 64MiB")
	}
}

// checkSigns reports every number, size and duration below zero.
func (c *Config) checkSigns(k *checker) {
	for _, flag := range c.settings() {
		if _, level := flag.Target.Interface().(slog.Level); !level && flag.Target.CanInt() && flag.Target.Int() < 0 {
			k.add(flag.Name, "%v is negative; use 0 or more", flag.Target.Interface())
		}
	}
}
