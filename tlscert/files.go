package tlscert

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnusable is wrapped by the error of a pair of files that is no certificate with its key.
var ErrUnusable = errors.New("unusable certificate")

// maxFileBytes bounds what is read of a file: a chain has a few kilobytes.
const maxFileBytes = 1 << 20

// FilesOptions say where a certificate is.
type FilesOptions struct {
	// Cert is a file with the certificate and the chain to its root, and Key one with its private key, both PEM.
	Cert, Key string
	// Interval is how often the files are looked at; 10s if zero.
	Interval time.Duration
	Logger   *slog.Logger

	// ticks replaces the clock in tests.
	ticks <-chan time.Time
}

// Files is a certificate in two files.
type Files struct {
	o       FilesOptions
	current atomic.Pointer[tls.Certificate]

	loaded, failed atomic.Uint64

	// Owned by whoever looks: the text of the pair that is in use, and of one that was found broken.
	used, broken pair
	// reported says that the broken one was.
	reported bool

	quit chan struct{}
	once sync.Once
	done sync.WaitGroup
}

// pair is the content of both files.
type pair struct{ cert, key []byte }

func (p *pair) equal(q *pair) bool { return bytes.Equal(p.cert, q.cert) && bytes.Equal(p.key, q.key) }

// CheckFiles reports why two files are no certificate with its key, or nil.
func CheckFiles(cert, key string) error {
	text, err := readPair(cert, key)
	if err == nil {
		_, err = text.parse()
	}
	return err
}

// NewFiles reads the certificate. The error wraps ErrUnusable or is that of reading.
func NewFiles(o FilesOptions) (*Files, error) {
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Files{o: o, quit: make(chan struct{})}
	text, err := readPair(o.Cert, o.Key)
	if err != nil {
		return nil, err
	}
	if err := f.use(text); err != nil {
		return nil, err
	}
	return f, nil
}

// Config implements Source.
func (f *Files) Config() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load(), nil })
}

// Stats implements Source.
func (f *Files) Stats() Stats {
	return Stats{Expires: f.current.Load().Leaf.NotAfter, Loaded: f.loaded.Load(), Failed: f.failed.Load()}
}

// Start implements Source.
func (f *Files) Start() {
	f.done.Go(func() {
		ticks := f.o.ticks
		if ticks == nil {
			ticker := time.NewTicker(f.o.Interval)
			defer ticker.Stop()
			ticks = ticker.C
		}
		for {
			select {
			case <-f.quit:
				return
			case <-ticks:
				f.look()
			}
		}
	})
}

// Stop implements Source.
func (f *Files) Stop() {
	f.once.Do(func() { close(f.quit) })
	f.done.Wait()
}

// look takes what the files hold if it is new and can be used. What cannot is reported when it is found for the second
// time: of a pair that is being replaced, one file is new before the other.
func (f *Files) look() {
	text, err := readPair(f.o.Cert, f.o.Key)
	if err == nil && text.equal(&f.used) {
		f.broken, f.reported = pair{}, false
		return
	}
	if err == nil {
		err = f.use(text)
	}
	switch {
	case err == nil:
		f.o.Logger.Info("certificate loaded", slog.String("file", f.o.Cert), slog.Time("expires", f.current.Load().Leaf.NotAfter))
	case !text.equal(&f.broken) || f.broken.cert == nil:
		f.broken, f.reported = text, false
	case !f.reported:
		f.reported = true
		f.failed.Add(1)
		f.o.Logger.Error("new certificate not loaded, the old one stays", slog.Any("error", err))
	}
}

// use makes the pair the current one. After an error nothing has changed.
func (f *Files) use(text pair) error {
	certificate, err := text.parse()
	if err != nil {
		return err
	}
	f.used, f.broken, f.reported = text, pair{}, false
	f.current.Store(certificate)
	f.loaded.Add(1)
	return nil
}

func (p *pair) parse() (*tls.Certificate, error) {
	certificate, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return &certificate, nil
}

// readPair reads both files. What it returns with an error is not nil, so that one broken state can be told from another.
func readPair(cert, key string) (pair, error) {
	p := pair{cert: []byte{}, key: []byte{}}
	for _, file := range []struct {
		name string
		text *[]byte
	}{{cert, &p.cert}, {key, &p.key}} {
		text, err := readFile(file.name)
		if err != nil {
			return p, fmt.Errorf("reading the certificate: %w", err)
		}
		*file.text = text
	}
	return p, nil
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrUnusable, name, maxFileBytes)
	}
	return os.ReadFile(name)
}
