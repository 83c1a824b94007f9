package main

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hubd/config"
	"hubd/sse"
	"hubd/tlscert"
)

// newCertificates returns where the hub's certificates come from.
func (d *daemon) newCertificates() (tlscert.Source, error) {
	if d.cfg.ACME() {
		return tlscert.NewACME(tlscert.ACMEOptions{
			Domains: d.cfg.ACMEDomains, Email: d.cfg.ACMEEmail, Dir: d.cfg.ACMEDir, Directory: d.cfg.ACMEDirectoryURL, Logger: d.log,
		})
	}
	return tlscert.NewFiles(tlscert.FilesOptions{Cert: d.cfg.TLSCert, Key: d.cfg.TLSKey, Interval: d.cfg.TLSReload, Logger: d.log})
}

// tlsConfig is that of the server; nil without TLS.
func (d *daemon) tlsConfig() *tls.Config {
	if d.certificates == nil {
		return nil
	}
	return d.certificates.Config()
}

// stopTLS ends what looks after the certificates and sends browsers to https.
func (d *daemon) stopTLS(ctx context.Context) error {
	var err error
	if d.redirect != nil {
		err = d.redirect.Shutdown(ctx)
	} else if d.redirecting != nil {
		err = d.redirecting.Close()
	}
	if d.certificates != nil {
		d.certificates.Stop()
	}
	return err
}

// closeListeners closes the sockets of a hub that has not begun to serve.
func (d *daemon) closeListeners() {
	for _, l := range []*net.TCPListener{d.listener, d.secure, d.redirecting} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// announceTLS logs the addresses that have to do with TLS.
func (d *daemon) announceTLS() {
	if d.secure != nil {
		d.log.Info("serving TLS", slog.String("url", d.secureURL()), slog.String("address", d.secure.Addr().String()))
	}
	if d.redirecting != nil {
		d.log.Info("redirecting to https", slog.String("address", d.redirecting.Addr().String()))
	}
}

// startRedirect serves the address that sends browsers to https.
func (d *daemon) startRedirect() {
	var handler http.Handler = http.HandlerFunc(d.toHTTPS)
	if a, ok := d.certificates.(*tlscert.ACME); ok {
		handler = a.HTTPHandler(handler)
	}
	d.redirect = &http.Server{
		Handler: handler, ReadTimeout: redirectTimeout, WriteTimeout: redirectTimeout, IdleTimeout: redirectTimeout,
		MaxHeaderBytes: 8 << 10, ErrorLog: log.New(discardLines{}, "", 0),
	}
	go func() { _ = d.redirect.Serve(d.redirecting) }()
}

const redirectTimeout = 10 * time.Second

// discardLines drops what the server logs: every line of it is about one client's broken connection.
type discardLines struct{}

func (discardLines) Write(p []byte) (int, error) { return len(p), nil }

// toHTTPS sends a browser to the same page over TLS. What brings a body or a token is not helped on: it has been sent in the
// clear, and whoever wrote the program should see that.
func (d *daemon) toHTTPS(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	readable := r.Method == http.MethodGet || r.Method == http.MethodHead
	if host == "" || !readable || r.Header.Get("Authorization") != "" {
		http.Error(w, "use https", http.StatusBadRequest)
		return
	}
	if _, port, err := net.SplitHostPort(d.secureAddress()); err == nil && port != "443" {
		host = net.JoinHostPort(host, port)
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
}

// secureAddress is the one that the hub listens on with TLS.
func (d *daemon) secureAddress() string { return boundAddress(d.secure, d.cfg.TLSListen) }

// secureURL is the hub's URL over TLS where none is configured.
func (d *daemon) secureURL() string {
	host, port, err := net.SplitHostPort(d.secureAddress())
	if d.cfg.ACME() && err == nil {
		host = d.cfg.ACMEDomains[0]
	}
	switch {
	case err != nil:
		return "https://" + d.cfg.TLSListen + sse.Path
	case port == "443":
		if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
			host = "[" + host + "]"
		}
		return "https://" + host + sse.Path
	}
	return "https://" + net.JoinHostPort(host, port) + sse.Path
}

// boundAddress is the one that a socket has. Where another process has it, it follows from the configuration, to the same
// text.
func boundAddress(l *net.TCPListener, configured string) string {
	if l != nil {
		return l.Addr().String()
	}
	a, err := net.ResolveTCPAddr("tcp", configured)
	if err != nil {
		return configured
	}
	if a.IP == nil {
		a.IP = net.IPv6unspecified
	}
	return a.String()
}

// checkCertificate returns what is wrong with the files of the certificate, unless it is among the known problems.
func checkCertificate(cfg *config.Config, known config.Problems) config.Problems {
	if cfg.TLSCert == "" || cfg.TLSKey == "" || known.Has("tls-cert") || known.Has("tls-key") {
		return nil
	}
	err := tlscert.CheckFiles(cfg.TLSCert, cfg.TLSKey)
	if err == nil {
		return nil
	}
	return config.Problems{{Key: "tls-cert", Text: err.Error() + "; correct tls-cert or tls-key"}}
}

// watchTLS adds the numbers about certificates and handshakes.
func (m *metrics) watchTLS(d *daemon) {
	if !d.cfg.TLS() {
		return
	}
	stats := func() tlscert.Stats { return d.certificates.Stats() }
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, labels prometheus.Labels, value func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	gauge("hubd_tls_certificate_expiry_timestamp_seconds", "When the certificate ends that ends first, in seconds since 1970; 0 without one.", func() float64 {
		if at := stats().Expires; !at.IsZero() {
			return float64(at.Unix())
		}
		return 0
	})
	const loads = "hubd_tls_certificate_loads_total"
	counter(loads, "Certificates taken into use, by result.", prometheus.Labels{"result": "success"}, func() float64 { return float64(stats().Loaded) })
	counter(loads, "Certificates taken into use, by result.", prometheus.Labels{"result": "failure"}, func() float64 { return float64(stats().Failed) })
	counter("hubd_tls_handshake_failures_total", "Connections that ended before their TLS handshake did.", nil, func() float64 {
		if s := d.edge.Load(); s != nil {
			return float64(s.HandshakeFailures())
		}
		return 0
	})
}

// heapPerTLSStream is what a stream over TLS may hold beside what any stream does: keys, and over HTTP/2 the request, its
// goroutine and buffers.
const heapPerTLSStream config.Size = 24 << 10
