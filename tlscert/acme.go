package tlscert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// LetsEncrypt is the directory of the usual authority.
const LetsEncrypt = autocert.DefaultACMEDirectory

// ACMEOptions say for what names certificates are had, and from whom.
type ACMEOptions struct {
	// Domains are the names; a handshake for another one fails.
	Domains []string
	// Email is told to the authority; empty for nothing.
	Email string
	// Dir keeps the account, the certificates and their keys. It is made if it is not there.
	Dir string
	// Directory is the URL of the authority's directory; that of Let's Encrypt if empty.
	Directory string
	Logger    *slog.Logger
}

const (
	// askAgain is how often a source looks whether it has every certificate, and askSooner how soon after a failure: the
	// library remembers a failure for a minute.
	askAgain  = time.Hour
	askSooner = 2 * time.Minute
	// askPatience bounds one question, which may take an order and its validation.
	askPatience = 5 * time.Minute
)

// ACME has certificates from an authority that follows RFC 8555. It proves control over a name in a handshake
// (TLS-ALPN-01, RFC 8737), or by HTTP-01 where HTTPHandler is served.
type ACME struct {
	o       ACMEOptions
	manager *autocert.Manager

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	// mu guards those below, for a look and a change.
	mu             sync.Mutex
	expires        map[string]time.Time
	loaded, failed uint64
}

// NewACME makes a source that asks nobody before Start.
func NewACME(o ACMEOptions) (*ACME, error) {
	if len(o.Domains) == 0 || o.Dir == "" {
		return nil, errors.New("certificates by ACME take a name and a directory to keep them in")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	// The keys are in it.
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for certificates: %w", err)
	}
	if o.Directory == "" {
		o.Directory = LetsEncrypt
	}
	a := &ACME{o: o, expires: make(map[string]time.Time), manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Dir), HostPolicy: autocert.HostWhitelist(o.Domains...),
		Email: o.Email, Client: &acme.Client{DirectoryURL: o.Directory, UserAgent: "hubd"},
	}}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a, nil
}

// Config implements Source.
func (a *ACME) Config() *tls.Config { return config(a.get, acme.ALPNProto) }

// HTTPHandler answers the challenges of HTTP-01, and other requests by next. To call it is to offer that challenge.
func (a *ACME) HTTPHandler(next http.Handler) http.Handler {
	challenged := a.manager.HTTPHandler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			next.ServeHTTP(w, r)
			return
		}
		// The library takes a name with a port for another name.
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = name
		}
		challenged.ServeHTTP(w, r)
	})
}

// get has the library find, keep and renew certificates, and notes when they end.
func (a *ACME) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate, err := a.manager.GetCertificate(hello)
	if err != nil || certificate.Leaf == nil || slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return certificate, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// The name that the client asked for has many spellings.
	name := strings.Join(certificate.Leaf.DNSNames, " ")
	if !a.expires[name].Equal(certificate.Leaf.NotAfter) {
		a.expires[name] = certificate.Leaf.NotAfter
		a.loaded++
		a.o.Logger.Info("certificate obtained", slog.String("name", name), slog.Time("expires", certificate.Leaf.NotAfter))
	}
	return certificate, nil
}

// Stats implements Source.
func (a *ACME) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Stats{Loaded: a.loaded, Failed: a.failed}
	if len(a.expires) > 0 {
		s.Expires = slices.MinFunc(slices.Collect(maps.Values(a.expires)), time.Time.Compare)
	}
	return s
}

// Start implements Source. Certificates are had at once, not when the first client comes: it would wait, and what is
// wrong would be seen late.
func (a *ACME) Start() {
	a.done.Go(func() {
		for {
			pause := time.NewTimer(a.askAll())
			select {
			case <-a.ctx.Done():
				pause.Stop()
				return
			case <-pause.C:
			}
		}
	})
}

// Stop implements Source.
func (a *ACME) Stop() {
	a.cancel()
	a.done.Wait()
}

// askAll makes sure that there is a certificate for each name and returns when to do it again.
func (a *ACME) askAll() time.Duration {
	pause := askAgain
	for _, name := range a.o.Domains {
		if err := a.ask(name); err != nil {
			if a.ctx.Err() != nil {
				return 0
			}
			a.mu.Lock()
			a.failed++
			a.mu.Unlock()
			a.o.Logger.Error("no certificate", slog.String("name", name), slog.Any("error", err))
			pause = askSooner
		}
	}
	return pause
}

// ask gets a certificate as a client with elliptic curves would. The library has no way to end a question, so at Stop
// one that is under way is left to end by itself.
func (a *ACME) ask(name string) error {
	result := make(chan error, 1)
	go func() {
		_, err := a.get(&tls.ClientHelloInfo{
			ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SupportedCurves: []tls.CurveID{tls.CurveP256}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		})
		result <- err
	}()
	ctx, cancel := context.WithTimeout(a.ctx, askPatience)
	defer cancel()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("asking for a certificate: %w", ctx.Err())
	}
}
