package tlscert

import (
	"crypto/tls"
	"time"
)

// Source has certificates for a server.
type Source interface {
	// Config returns the configuration of a server that asks the source for its certificate: TLS 1.2 at least, with HTTP/2
	// and HTTP/1.1 to choose from. The caller may change it before it is used.
	Config() *tls.Config
	// Start begins to look after the certificates. It is called once, before Stop.
	Start()
	// Stop ends that and returns when it has ended. Certificates can still be asked for. Idempotent.
	Stop()
	Stats() Stats
}

// Stats says how a source is doing.
type Stats struct {
	// Expires is the end of the certificate that ends first; zero if there is none yet.
	Expires time.Time
	// Loaded is how often a certificate was taken, and Failed how often one could not be.
	Loaded, Failed uint64
}

// config is what all sources have in common. The library's choice of cipher suites and curves is a good one and follows
// the times.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     append([]string{"h2", "http/1.1"}, protocols...),
		GetCertificate: get,
	}
}
