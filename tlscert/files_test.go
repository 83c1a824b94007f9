package tlscert

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// watched are files that a test changes and has looked at.
type watched struct {
	*Files
	t         *testing.T
	authority *hubtest.Authority
	dir       string
	log       bytes.Buffer
}

// end is when the n-th certificate ends.
func end(n int) time.Time { return time.Date(2100, 1, n, 0, 0, 0, 0, time.UTC) }

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, authority: hubtest.NewAuthority(t), dir: t.TempDir()}
	cert, key := w.authority.Issue(t, w.dir, end(1))
	var err error
	w.Files, err = NewFiles(FilesOptions{Cert: cert, Key: key, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// expect demands that the n-th certificate is in use, and the counts.
func (w *watched) expect(n int, loaded, failed uint64) {
	w.t.Helper()
	s := w.Stats()
	certificate, err := w.Config().GetCertificate(nil)
	if err != nil || !certificate.Leaf.NotAfter.Equal(end(n)) || !s.Expires.Equal(end(n)) {
		w.t.Errorf("certificate ends at %s (%v), want %s", s.Expires, err, end(n))
	}
	if s.Loaded != loaded || s.Failed != failed {
		w.t.Errorf("%d loaded and %d failed, want %d and %d", s.Loaded, s.Failed, loaded, failed)
	}
}

// copyFrom puts a file of another directory in place of this one's.
func (w *watched) copyFrom(dir, name string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, name), text, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestNewPairIsTaken(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.look()
	w.expect(1, 1, 0)
	w.authority.Issue(t, w.dir, end(2))
	w.look()
	w.expect(2, 2, 0)
	w.look()
	w.expect(2, 2, 0)
}

// certbot replaces the certificate before the key: for a moment the two do not fit, which is no failure.
func TestHalfOfANewPairIsNoFailure(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	next := t.TempDir()
	w.authority.Issue(t, next, end(2))
	w.copyFrom(next, "cert.pem")
	w.look()
	w.expect(1, 1, 0)
	w.copyFrom(next, "key.pem")
	w.look()
	w.expect(2, 2, 0)
	if strings.Contains(w.log.String(), "ERROR") {
		t.Errorf("half of a pair was reported:\n%s", w.log.String())
	}
}

// A pair that stays broken is counted and logged once, and again when it is broken in another way.
func TestBrokenPairKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	good := t.TempDir()
	w.authority.Issue(t, good, end(2))
	for n, text := range []string{"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", strings.Repeat("x", maxFileBytes+1)} {
		if err := os.WriteFile(filepath.Join(w.dir, "cert.pem"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			w.look()
		}
		w.expect(1, 1, uint64(n+1))
	}
	if err := os.Remove(filepath.Join(w.dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(w.log.String(), "the old one stays"); n != 3 {
		t.Errorf("logged %d times:\n%s", n, w.log.String())
	}
	w.copyFrom(good, "cert.pem")
	w.copyFrom(good, "key.pem")
	w.look()
	w.expect(2, 2, 3)
}

func TestUnusableFilesAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := hubtest.NewAuthority(t)
	cert, _ := a.Issue(t, dir, end(1))
	_, alien := a.Issue(t, t.TempDir(), end(1))
	for want, o := range map[error]FilesOptions{
		ErrUnusable:    {Cert: cert, Key: alien},
		fs.ErrNotExist: {Cert: cert, Key: filepath.Join(dir, "nowhere")},
	} {
		_, err := NewFiles(o)
		if checked := CheckFiles(o.Cert, o.Key); !errors.Is(err, want) || !errors.Is(checked, want) {
			t.Errorf("NewFiles: %v, CheckFiles: %v, want %v", err, checked, want)
		}
	}
}

// The goroutine looks at each tick and ends with Stop.
func TestFilesAreWatched(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	ticks := make(chan time.Time)
	w.o.ticks = ticks
	w.Start()
	w.authority.Issue(t, w.dir, end(2))
	ticks <- time.Time{}
	ticks <- time.Time{} // taken after the look at the first
	w.Stop()
	w.Stop()
	w.expect(2, 2, 0)
}
