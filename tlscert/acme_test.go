package tlscert_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"hubd/internal/hubtest"
)

// name is the one that certificates are had for; only the authority's resolver knows it.
const name = "hub.example.com"

// authority is Let's Encrypt's own test server, Pebble. It validates over real connections.
type authority struct {
	server *httptest.Server
	roots  *x509.CertPool
}

// newAuthority makes an authority that has an address and does not answer yet.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{server: httptest.NewUnstartedServer(nil), roots: x509.NewCertPool()}
	t.Cleanup(a.server.Close)
	return a
}

func (a *authority) directory() string {
	return "https://" + a.server.Listener.Addr().String() + wfe.DirectoryPath
}

// start answers, and validates at the ports of a hub.
func (a *authority) start(t *testing.T, httpPort, tlsPort int) {
	t.Helper()
	logger := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(logger, httpPort, tlsPort, true, resolver(t), store)
	front := wfe.New(logger, store, validator, issuer, []string{"pebble.example"}, true, false, 1, 1)
	a.roots.AddCert(issuer.GetRootCert(0).Cert)
	a.server.Config.Handler = front.Handler()
	a.server.StartTLS()
}

// resolver answers every question for an address with the loopback's.
func resolver(t *testing.T) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{Listener: socket, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			a.Answer = append(a.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
			})
		}
		_ = w.WriteMsg(a)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return socket.Addr().String()
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return port(t, l.Addr().String())
}

func (a *authority) flags() []string {
	return []string{"--anonymous", "--drain=0s", "--tls-listen=127.0.0.1:0", "--acme-domain=" + name, "--acme-directory-url=" + a.directory(), "--acme-email=ops@example.com"}
}

// shown is the certificate that a client gets, verified against the authority.
func (a *authority) shown(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: a.roots, ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0]
}

// A hub has its certificate before the first client comes, proves its name in a handshake (TLS-ALPN-01), serves HTTP/2 with
// it, refuses other names, and has it still after a restart, without asking again.
func TestACME(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t), t.TempDir()
	hub := hubtest.Launch(t, dir, a.flags()...)
	hub.AwaitServing(t)
	address := hub.AwaitLog(t, "serving TLS")["address"]
	a.start(t, closedPort(t), port(t, address))
	hub.AwaitLog(t, "certificate obtained")
	certificate := a.shown(t, address)
	if want := strconv.FormatFloat(float64(certificate.NotAfter.Unix()), 'g', -1, 64); hub.Metric(t, "hubd_tls_certificate_expiry_timestamp_seconds") != want {
		t.Errorf("the metric is %s, want %s", hub.Metric(t, "hubd_tls_certificate_expiry_timestamp_seconds"), want)
	}

	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots, ServerName: name}, Protocols: protocols}
	defer transport.CloseIdleConnections()
	p := hub.Over(&http.Client{Transport: transport}, "https://"+address+"/.well-known/mercure")
	s := p.Subscribe(t, "topic=*")
	p.PublishData(t, "https://example.com/1", "one")
	s.Expect(t, "one")
	if c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "other.example.com"}); err == nil {
		_ = c.Close()
		t.Error("the hub has a certificate for a name that it was not given")
	}

	s.Close()
	hub.Stop(t)
	a.server.Close()
	hub = hubtest.Launch(t, dir, a.flags()...)
	hub.AwaitServing(t)
	if again := a.shown(t, hub.AwaitLog(t, "serving TLS")["address"]); !again.Equal(certificate) {
		t.Error("after a restart the hub has another certificate")
	}
}

// Where the port of TLS cannot be reached from outside, the address for browsers proves the name (HTTP-01).
func TestACMEByHTTP(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	hub := hubtest.Launch(t, t.TempDir(), append(a.flags(), "--http-redirect-listen=127.0.0.1:0")...)
	hub.AwaitServing(t)
	address := hub.AwaitLog(t, "serving TLS")["address"]
	a.start(t, port(t, hub.AwaitLog(t, "redirecting to https")["address"]), closedPort(t))
	hub.AwaitLog(t, "certificate obtained")
	a.shown(t, address)
}

// An authority that does not validate is logged and counted, and the hub serves what needs no certificate.
func TestACMEFails(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	hub := hubtest.Launch(t, t.TempDir(), a.flags()...)
	hub.AwaitServing(t)
	a.start(t, closedPort(t), closedPort(t))
	hub.AwaitLog(t, "no certificate")
	hub.AwaitMetric(t, `hubd_tls_certificate_loads_total{result="failure"}`, "1")
	hub.PublishData(t, "https://example.com/1", "one")
}
