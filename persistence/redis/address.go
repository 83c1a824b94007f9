package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// Ports that a host without one has.
const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// DefaultPrefix is that of the keys where the URL names none.
const DefaultPrefix = "hubd"

// maxReplicas bounds "wait-replicas": nobody has more.
const maxReplicas = 100

// address is what a URL says of an engine.
type address struct {
	hosts            []string // host:port each, or the path of a socket
	socket           bool
	encrypted        bool
	caFile           string
	user, password   string
	database         int
	cluster          bool
	sentinel         string // name of the master that the hosts, which are Sentinels, watch
	sentinelUser     string
	sentinelPassword string
	prefix           string
	replicas         int // that an append waits for
}

// parseAddress reads a URL. net/url refuses several hosts in one, so the authority is taken apart here. No error
// repeats the URL, which may hold a password.
func parseAddress(text string) (a address, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return a, errors.New("the URL has no scheme; want redis://, rediss:// or unix://")
	}
	switch scheme {
	case "redis", "valkey":
	case "rediss", "valkeys":
		a.encrypted = true
	case "unix":
		a.socket = true
	default:
		return a, fmt.Errorf("the URL's scheme is %q; want redis, rediss or unix", scheme)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		authority = rest[i+1:]
		if a.user, a.password, err = parseUser(rest[:i]); err != nil {
			return a, err
		}
	}
	if i := strings.IndexByte(authority, '/'); i >= 0 {
		authority, path = authority[:i], authority[i:]
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, errors.New("the URL's query cannot be read")
	}
	if err := a.parseQuery(values); err != nil {
		return a, err
	}
	if a.socket {
		return a, a.parseSocket(authority, path, values)
	}
	return a, a.parseHosts(authority, path)
}

func parseUser(text string) (user, password string, err error) {
	user, password, _ = strings.Cut(text, ":")
	if user, err = url.PathUnescape(user); err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		return "", "", errors.New("the URL's user and password cannot be read; special characters are to be percent-encoded")
	}
	return user, password, nil
}

// parseQuery reads the parameters. An unknown one is refused: it is a typing error in something that was meant.
func (a *address) parseQuery(values url.Values) (err error) {
	a.prefix = DefaultPrefix
	for name, value := range values {
		switch name {
		case "ca":
			a.caFile = value[0]
			if !a.encrypted {
				err = errors.New("the URL names a CA, but its scheme is not rediss")
			}
		case "cluster":
			if a.cluster, err = strconv.ParseBool(value[0]); err != nil {
				err = errors.New("the URL's cluster is to be true or false")
			}
		case "db":
			if !a.socket {
				err = errors.New("the URL's database stands in its path, as in redis://host/1")
			}
		case "prefix":
			if a.prefix = value[0]; !validPrefix(a.prefix) {
				err = errPrefix
			}
		case "sentinel":
			a.sentinel = value[0]
		case "sentinel-user":
			a.sentinelUser = value[0]
		case "sentinel-password":
			a.sentinelPassword = value[0]
		case "wait-replicas":
			if a.replicas, err = strconv.Atoi(value[0]); err != nil || a.replicas < 0 || a.replicas > maxReplicas {
				err = fmt.Errorf("the URL's wait-replicas is to be a number from 0 to %d", maxReplicas)
			}
		default:
			err = fmt.Errorf("the URL has a parameter %q that is not known", name)
		}
		if err != nil {
			return err
		}
	}
	if a.cluster && a.sentinel != "" {
		return errors.New("the URL asks for a cluster and for Sentinel; an engine is one or the other")
	}
	return nil
}

func (a *address) parseSocket(authority, path string, values url.Values) (err error) {
	if authority != "" || path == "" {
		return errors.New("the URL of a socket is to be unix:///path/to/socket")
	}
	if a.cluster || a.sentinel != "" {
		return errors.New("a socket leads to one engine, not to a cluster or to Sentinel")
	}
	if a.hosts = []string{path}; values.Has("db") {
		a.database, err = parseDatabase(values.Get("db"))
	}
	return err
}

func (a *address) parseHosts(authority, path string) (err error) {
	port := redisPort
	if a.sentinel != "" {
		port = sentinelPort
	}
	for host := range strings.SplitSeq(authority, ",") {
		if host == "" {
			return errors.New("the URL lacks a host")
		}
		if strings.HasSuffix(host, "]") || !strings.Contains(host, ":") {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			return errors.New("a host of the URL cannot be read; want host, host:port or [address]:port")
		}
		a.hosts = append(a.hosts, host)
	}
	if len(a.hosts) > 1 && !a.cluster && a.sentinel == "" {
		return errors.New("the URL has several hosts; say cluster=true, or sentinel=NAME where they are Sentinels")
	}
	if text := strings.TrimPrefix(path, "/"); text != "" {
		a.database, err = parseDatabase(text)
	}
	if err == nil && a.cluster && a.database != 0 {
		return errors.New("a cluster has database 0 only")
	}
	return err
}

func parseDatabase(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errors.New("the URL's database is to be a number")
	}
	return n, nil
}

// String names the engine in errors.
func (a *address) String() string { return strings.Join(a.hosts, ",") }

// client returns the options of the driver. Trying again is left to this package, which knows what may be tried again.
func (a *address) client(o Options) (rueidis.ClientOption, error) {
	c := rueidis.ClientOption{
		InitAddress: a.hosts, Username: a.user, Password: a.password, SelectDB: a.database, ClientName: "hubd",
		ForceSingleClient: !a.cluster, DisableCache: true, DisableRetry: true,
		PipelineMultiplex: -1, RingScaleEachConn: 8, ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
		ConnWriteTimeout: o.Timeout,
	}
	c.Dialer.Timeout = o.Timeout
	if a.encrypted {
		c.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if a.caFile != "" {
			pem, err := os.ReadFile(a.caFile)
			if err != nil {
				return c, fmt.Errorf("the CA of the URL: %w", err)
			}
			c.TLSConfig.RootCAs = x509.NewCertPool()
			if !c.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
				return c, fmt.Errorf("the CA of the URL: %s holds no certificate", a.caFile)
			}
		}
	}
	if a.socket {
		c.DialCtxFn = func(ctx context.Context, path string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
	}
	if a.sentinel != "" {
		c.Sentinel = rueidis.SentinelOption{
			MasterSet: a.sentinel, Username: a.sentinelUser, Password: a.sentinelPassword, ClientName: "hubd",
			Dialer: c.Dialer, TLSConfig: c.TLSConfig, TopologyRefreshInterval: o.Timeout,
		}
	}
	return c, nil
}
