package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(full, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	tests := map[string]struct {
		environ    []string
		key, words string
	}{
		"no publisher key":            {[]string{"HUBD_PUBLISHER_KEY="}, "publisher-key", "is missing"},
		"no subscriber key":           {[]string{"HUBD_SUBSCRIBER_KEY="}, "subscriber-key", "is missing"},
		"key and file":                {[]string{"HUBD_PUBLISHER_KEY_FILE=" + empty}, "publisher-key-file", "publisher-key is set too"},
		"file that is not there":      {[]string{"HUBD_SUBSCRIBER_KEY=", "HUBD_SUBSCRIBER_KEY_FILE=" + absent}, "subscriber-key-file", "no such file"},
		"empty key file":              {[]string{"HUBD_SUBSCRIBER_KEY=", "HUBD_SUBSCRIBER_KEY_FILE=" + empty}, "subscriber-key-file", "is empty"},
		"algorithm none":              {[]string{"HUBD_PUBLISHER_ALG=none"}, "publisher-alg", "use one of HS256"},
		"algorithm in lower case":     {[]string{"HUBD_SUBSCRIBER_ALG=hs256"}, "subscriber-alg", `"hs256" is not known`},
		"listen without port":         {[]string{"HUBD_LISTEN=127.0.0.1"}, "listen", "is not host:port"},
		"listen on a named port":      {[]string{"HUBD_LISTEN=:http"}, "listen", "no port from 0 to 65535"},
		"admin listen out of range":   {[]string{"HUBD_ADMIN_LISTEN=:70000"}, "admin-listen", "no port from 0 to 65535"},
		"both on one address":         {[]string{"HUBD_ADMIN_LISTEN=127.0.0.1:3000"}, "admin-listen", "same address as listen"},
		"dev for everyone":            {[]string{"HUBD_DEV=true", "HUBD_LISTEN=:3000"}, "listen", "not a loopback address"},
		"dev by name":                 {[]string{"HUBD_DEV=true", "HUBD_LISTEN=hub.example:3000"}, "listen", "not a loopback address"},
		"relative public URL":         {[]string{"HUBD_PUBLIC_URL=/.well-known/mercure"}, "public-url", "absolute http or https URL"},
		"public URL of a store":       {[]string{"HUBD_PUBLIC_URL=bolt://x"}, "public-url", "absolute http or https URL"},
		"public URL with query":       {[]string{"HUBD_PUBLIC_URL=https://h.example/?a"}, "public-url", "without query"},
		"redis without a server":      {[]string{"HUBD_STORE=redis://"}, "store", "redis:// lacks the server"},
		"password with a slash":       {[]string{"HUBD_STORE=postgres://u:a/b@p"}, "store", "percent-encoded"},
		"name of a node with a space": {[]string{"HUBD_NODE=a b"}, "node", "others than letters"},
		"name of a node too long":     {[]string{"HUBD_NODE=" + strings.Repeat("n", 201)}, "node", "more than 200"},
		"lease of a moment":           {[]string{"HUBD_NODE_LEASE=2s"}, "node-lease", "at least 3s"},
		"unknown store":               {[]string{"HUBD_STORE=ftp://f"}, "store", "scheme is not known"},
		"path as store":               {[]string{"HUBD_STORE=/var/lib/hub.db"}, "store", "write bolt://PATH"},
		"bolt without path":           {[]string{"HUBD_STORE=bolt://"}, "store", "lacks the path"},
		"bolt with parameters":        {[]string{"HUBD_STORE=bolt://hub.db?size=3"}, "store", "history-max-events"},
		"memory with path":            {[]string{"HUBD_STORE=memory://x"}, "store", "nothing after it"},
		"negative events":             {[]string{"HUBD_HISTORY_MAX_EVENTS=-1"}, "history-max-events", "-1 is negative"},
		"negative age":                {[]string{"HUBD_HISTORY_MAX_AGE=-1s"}, "history-max-age", "-1s is negative"},
		"negative bytes":              {[]string{"HUBD_HISTORY_MAX_BYTES=-1KiB"}, "history-max-bytes", "-1KiB is negative"},
		"negative connections":        {[]string{"HUBD_MAX_CONNECTIONS=-1"}, "max-connections", "-1 is negative"},
		"negative connections per IP": {[]string{"HUBD_MAX_CONNECTIONS_PER_IP=-1"}, "max-connections-per-ip", "-1 is negative"},
		"negative matchers":           {[]string{"HUBD_MAX_MATCHERS=-1"}, "max-matchers", "-1 is negative"},
		"negative topics":             {[]string{"HUBD_MAX_TOPICS=-1"}, "max-topics", "-1 is negative"},
		"negative drain":              {[]string{"HUBD_DRAIN=-1s"}, "drain", "-1s is negative"},
		"no revocation time":          {[]string{"HUBD_REVOCATION_TIME=0"}, "revocation-time", "is not a time up to"},
		"endless revocations":         {[]string{"HUBD_REVOCATION_TIME=9000h"}, "revocation-time", "is not a time up to"},
		"no revocations":              {[]string{"HUBD_MAX_REVOCATIONS=0"}, "max-revocations", "is 0"},
		"negative rate":               {[]string{"HUBD_PUBLISH_RATE=-1"}, "publish-rate", "-1 is negative"},
		"burst without a rate":        {[]string{"HUBD_PUBLISH_BURST=5"}, "publish-burst", "has no effect"},
		"no body":                     {[]string{"HUBD_MAX_BODY=0"}, "max-body", "is 0"},
		"no lag":                      {[]string{"HUBD_MAX_LAG=0"}, "max-lag", "is 0"},
		"no patience":                 {[]string{"HUBD_PUBLISH_WAIT=0"}, "publish-wait", "is 0"},
		"nothing pending":             {[]string{"HUBD_MAX_PENDING=0"}, "max-pending", "is 0"},
		"no bytes pending":            {[]string{"HUBD_MAX_PENDING_BYTES=0"}, "max-pending-bytes", "is 0"},
		"no batch":                    {[]string{"HUBD_BATCH_BYTES=0"}, "batch-bytes", "is 0"},
		"no topic actors":             {[]string{"HUBD_MAX_TOPIC_ACTORS=0"}, "max-topic-actors", "is 0"},
		"ring without room":           {[]string{"HUBD_RING_BYTES=64KiB"}, "ring-bytes", "at least 1MiB"},
		"no queue":                    {[]string{"HUBD_QUEUE_BYTES=0"}, "queue-bytes", "is 0"},
		"cache without room":          {[]string{"HUBD_SELECTOR_CACHE_BYTES=64KiB"}, "selector-cache-bytes", "at least 1MiB"},
		"stalled for ever":            {[]string{"HUBD_DISPATCH_TIMEOUT=0"}, "dispatch-timeout", "is 0"},
		"hasty heartbeat":             {[]string{"HUBD_HEARTBEAT=10ms"}, "heartbeat", "at least 1s"},
		"negative heartbeat":          {[]string{"HUBD_HEARTBEAT=-1s"}, "heartbeat", "-1s is negative"},
		"unknown protocol":            {[]string{"HUBD_PROTOCOL=2.0"}, "protocol", "use 1.0, 0.x or both"},
		"1.0 without issuer":          {[]string{"HUBD_PROTOCOL=1.0"}, "issuer", "is missing"},
		"origin with path":            {[]string{"HUBD_CORS_ORIGINS=https://a.example/"}, "cors-origins", "is not an origin"},
		"any origin publishes":        {[]string{"HUBD_PUBLISH_ORIGINS=*"}, "publish-origins", "list the origins"},
		"host as origin":              {[]string{"HUBD_CORS_ORIGINS=a.example"}, "cors-origins", "is not an origin"},
		"admin host with port":        {[]string{"HUBD_ADMIN_HOSTS=hub.internal:3001"}, "admin-hosts", "without scheme and port"},
		"cookie name":                 {[]string{"HUBD_COOKIE_NAME=a;b"}, "cookie-name", "no cookie name may have"},
		"watchdog without room":       {[]string{"HUBD_WATCHDOG_DIR=w", "HUBD_WATCHDOG_MAX_BYTES=1KiB"}, "watchdog-max-bytes", "no room"},
		"hasty watchdog":              {[]string{"HUBD_WATCHDOG_DIR=w", "HUBD_WATCHDOG_AFTER=1ms"}, "watchdog-after", "too short"},
		"watchdog without heap":       {[]string{"HUBD_WATCHDOG_DIR=w", "HUBD_WATCHDOG_HEAP=0"}, "watchdog-heap", "needs some heap"},
		"log format":                  {[]string{"HUBD_LOG_FORMAT=xml"}, "log-format", "use text or json"},
		"key and key set":             {[]string{"HUBD_PUBLISHER_JWKS_URL=https://x"}, "publisher-jwks-url", "a key is set too"},
		"key file and key set":        {[]string{"HUBD_SUBSCRIBER_KEY=", "HUBD_SUBSCRIBER_KEY_FILE=" + full, "HUBD_SUBSCRIBER_JWKS_URL=https://x"}, "subscriber-jwks-url", "a key is set too"},
		"algorithm of no key set":     {[]string{"HUBD_PUBLISHER_JWKS_ALGS=ES256"}, "publisher-jwks-algs", "without a jwks-url"},
		"algorithm of a key set":      {[]string{"HUBD_PUBLISHER_KEY=", "HUBD_PUBLISHER_JWKS_URL=https://x", "HUBD_PUBLISHER_JWKS_ALGS=ES256,none"}, "publisher-jwks-algs", `"none" is not known`},
		"hasty refresh":               {[]string{"HUBD_JWKS_REFRESH=1s"}, "jwks-refresh", "at least 10s"},
		"publish origin with path":    {[]string{"HUBD_PUBLISH_ORIGINS=https://a.example/x"}, "publish-origins", "is not an origin"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, nil, keyed(test.environ...))
			expect(t, found, test.key, test.words)
			if len(found) != 1 {
				t.Errorf("there are %d problems, want 1: %v", len(found), found)
			}
		})
	}
}

func TestValidConfigurations(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"keys":                       keyed(),
		"anonymous without a key":    {"HUBD_PUBLISHER_KEY=x", "HUBD_ANONYMOUS=true"},
		"development":                {"HUBD_DEV=true"},
		"development of 1.0":         {"HUBD_DEV=true", "HUBD_PROTOCOL=1.0"},
		"development on any port":    {"HUBD_DEV=true", "HUBD_LISTEN=localhost:0", "HUBD_ADMIN_LISTEN=localhost:0"},
		"development over IPv6":      {"HUBD_DEV=true", "HUBD_LISTEN=[::1]:3000"},
		"every interface":            keyed("HUBD_LISTEN=:80"),
		"no heartbeat, no end":       keyed("HUBD_HEARTBEAT=0", "HUBD_WRITE_TIMEOUT=0", "HUBD_DRAIN=0", "HUBD_STORE_WAIT=0"),
		"no cache":                   keyed("HUBD_SELECTOR_CACHE_BYTES=0"),
		"no limits":                  keyed("HUBD_MAX_TOPICS=0", "HUBD_MAX_MATCHERS=0"),
		"any origin":                 keyed("HUBD_CORS_ORIGINS=*"),
		"origin with port":           keyed("HUBD_CORS_ORIGINS=http://localhost:8080"),
		"features that stay off":     keyed("HUBD_SUBSCRIPTIONS=false", "HUBD_PUBLISH_ORIGINS=", "HUBD_PUBLISHER_JWKS_URL="),
		"key sets":                   {"HUBD_PUBLISHER_JWKS_URL=https://x", "HUBD_SUBSCRIBER_JWKS_URL=file:///x", "HUBD_SUBSCRIBER_JWKS_ALGS=HS256,ES256"},
		"1.0":                        keyed("HUBD_PROTOCOL=1.0", "HUBD_ISSUER=https://issuer.example"),
		"below the level of a debug": keyed("HUBD_LOG_LEVEL=debug-4"),
	}
	for name, environ := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load(t, nil, environ)
		})
	}
}

func TestDevImpliesAnonymousAndAnyOrigin(t *testing.T) {
	t.Parallel()
	c := load(t, []string{"--dev"}, nil)
	if !c.Console {
		t.Error("there is no console")
	}
	if !c.Anonymous || len(c.CORSOrigins) != 1 || c.CORSOrigins[0] != "*" {
		t.Errorf("anonymous %t, cors-origins %q", c.Anonymous, c.CORSOrigins)
	}
	if !c.Publisher.Absent() || !c.Subscriber.Absent() {
		t.Error("there is a key, want none by default")
	}
	c = load(t, []string{"--dev", "--cors-origins=https://a.example"}, nil)
	if len(c.CORSOrigins) != 1 || c.CORSOrigins[0] != "https://a.example" {
		t.Errorf("cors-origins = %q, want those that were given", c.CORSOrigins)
	}
}
