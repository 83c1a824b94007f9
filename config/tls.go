package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// minReload keeps the hub from reading its certificate all the time.
const minReload = time.Second

// TLS reports whether the hub serves TLS.
func (c *Config) TLS() bool { return c.TLSListen != "" }

// Addresses are those that clients reach the hub at.
func (c *Config) Addresses() []string {
	return slices.DeleteFunc([]string{c.Listen, c.TLSListen}, func(address string) bool { return address == "" })
}

// ACME reports whether certificates come from an authority.
func (c *Config) ACME() bool { return len(c.ACMEDomains) > 0 }

func (c *Config) checkTLS(k *checker) {
	if !c.TLS() {
		for _, set := range []struct {
			key string
			is  bool
		}{
			{"tls-cert", c.TLSCert != ""}, {"tls-key", c.TLSKey != ""}, {"acme-domain", c.ACME()},
			{"http-redirect-listen", c.HTTPRedirectListen != ""}, {"hsts", c.HSTS > 0},
		} {
			if set.is {
				k.add(set.key, "has no effect without tls-listen; set that, such as :443, or remove it")
			}
		}
		return
	}
	k.address("tls-listen", c.TLSListen)
	k.apart("tls-listen", c.TLSListen, c.Listen, c.AdminListen)
	if c.Dev && !isLoopback(c.TLSListen) {
		k.add("tls-listen", "%s is not a loopback address, and dev is for loopback only; listen on 127.0.0.1 or turn dev off and set the keys", c.TLSListen)
	}
	switch files := c.TLSCert != "" || c.TLSKey != ""; {
	case files && c.ACME():
		k.add("acme-domain", "tls-cert or tls-key is set too; keep the files or the names")
	case !files && !c.ACME():
		k.add("tls-listen", "there is no certificate; set tls-cert and tls-key, or acme-domain")
	case c.TLSCert == "" && files:
		k.add("tls-cert", "is missing beside tls-key; set it to the file with the certificate")
	case c.TLSKey == "" && files:
		k.add("tls-key", "is missing beside tls-cert; set it to the file with the private key")
	}
	if c.TLSReload < minReload {
		k.add("tls-reload", "%s is too short; use at least %s", c.TLSReload, minReload)
	}
	if c.HTTP2Streams == 0 {
		k.add("http2-streams", "is 0: HTTP/2 could carry nothing; leave it out for the default")
	}
	if c.HTTPRedirectListen != "" {
		k.address("http-redirect-listen", c.HTTPRedirectListen)
		k.apart("http-redirect-listen", c.HTTPRedirectListen, c.Listen, c.AdminListen, c.TLSListen)
	}
	if c.ACME() {
		c.checkACME(k)
	}
}

func (c *Config) checkACME(k *checker) {
	for _, name := range c.ACMEDomains {
		if strings.ContainsAny(name, "*:/ ") || !strings.Contains(strings.Trim(name, "."), ".") {
			k.add("acme-domain", "%q is not a name that the authority could reach; write it like hub.example.com", name)
		}
	}
	if c.ACMEDir == "" {
		k.add("acme-dir", "is empty: every start would ask for new certificates, until the authority refuses; set a directory that stays")
	}
	if c.ACMEDirectoryURL == "" {
		return
	}
	u, err := url.Parse(c.ACMEDirectoryURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(net.JoinHostPort(u.Hostname(), "0"))) {
		k.add("acme-directory-url", "is not an https URL; write it like https://acme-staging-v02.api.letsencrypt.org/directory")
	}
}

// apart reports an address that another server has.
func (k *checker) apart(key, address string, others ...string) {
	if slices.Contains(others, address) && !strings.HasSuffix(address, ":0") {
		k.add(key, "%s is another server's address too; give it a port of its own", address)
	}
}
