package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// renewBefore is how long before its end a certificate should have been replaced; ACME clients do so 30 days before.
const renewBefore = 14 * 24 * time.Hour

// reach asks for the health page. It reports false where nothing else can be asked.
func (x *examination) reach(ctx context.Context) bool {
	begun := x.o.Now()
	a, err := x.ask(ctx, http.MethodGet, x.beside("/healthz"), "")
	if err != nil {
		x.add("reach", Failure, "no answer: "+reason(err), unreachable(err))
		return false
	}
	took := x.o.Now().Sub(begun).Round(time.Millisecond)
	switch {
	case a.StatusCode == http.StatusOK && strings.TrimSpace(a.body) == "ok":
		x.add("reach", OK, fmt.Sprintf("the hub is ready, %s over %s", took, a.Proto), "")
	case a.StatusCode == http.StatusServiceUnavailable:
		x.add("reach", Failure, "the hub is not ready: "+firstLine(a.body), "see /readyz of its admin address for the reason in full")
	case a.StatusCode >= http.StatusInternalServerError:
		x.add("reach", Failure, fmt.Sprintf("/healthz is answered %d: %s", a.StatusCode, firstLine(a.body)), "a proxy answers in place of the hub: is the hub running where the proxy looks for it?")
	case a.StatusCode >= http.StatusMultipleChoices && a.StatusCode < http.StatusBadRequest:
		x.add("reach", Warning, fmt.Sprintf("/healthz is redirected to %s", a.Header.Get("Location")), "give the URL that it redirects to: publishers do not follow redirects")
	default:
		x.add("reach", Warning, fmt.Sprintf("/healthz is answered %d, so a proxy does not pass it on", a.StatusCode), "route /healthz to the hub too if a load balancer is to ask for it")
	}
	x.certificate(a.TLS)
	return true
}

// unreachable says what to do about an error of a request.
func unreachable(err error) string {
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var expired x509.CertificateInvalidError
	switch {
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		return "renew the certificate, and see why that did not happen by itself; or set this machine's clock"
	case errors.As(err, &certificate):
		return "serve the whole chain of a certificate for this name from an authority that clients trust; SSL_CERT_FILE names another one for this examination"
	case errors.As(err, &dns):
		return "the name is not known here: see its DNS records"
	case errors.Is(err, context.DeadlineExceeded):
		return "something drops packets or takes too long: a firewall, or a proxy that cannot reach the hub"
	}
	return "is the hub, or the proxy, running and listening on this address?"
}

// certificate says how long the certificate is valid, and whether the way is encrypted at all.
func (x *examination) certificate(state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		if ip := net.ParseIP(x.base.Hostname()); x.base.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return
		}
		x.add("tls", Warning, "not encrypted: tokens can be read on the way", "serve the hub over https; the protocol asks for it wherever there are tokens")
		return
	}
	leaf := state.PeerCertificates[0]
	left := leaf.NotAfter.Sub(x.o.Now())
	text := fmt.Sprintf("%s, certificate of %s valid until %s", tls.VersionName(state.Version), leaf.Issuer, leaf.NotAfter.UTC().Format(time.DateOnly))
	if left < renewBefore {
		x.add("tls", Warning, fmt.Sprintf("%s, %d days from now", text, int(left.Hours()/24)), "renew it; see that the renewal is automatic and that the server loads the new one")
	} else {
		x.add("tls", OK, text, "")
	}
	if state.NegotiatedProtocol != "h2" {
		x.add("http2", Warning, "no HTTP/2: a browser opens at most six streams to this host, over all of its tabs", "turn HTTP/2 on where TLS ends")
		return
	}
	x.add("http2", OK, "HTTP/2: a browser's streams share a connection", "")
}
