package tlscert

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"hubd/internal/hubtest"
)

func TestMain(m *testing.M) {
	code, err := prepareAndRun(m)
	hubtest.Clean()
	if err == nil && code == 0 {
		// Pebble cannot be stopped.
		err = goleak.Find(goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// prepareAndRun runs the tests in the environment that they need, which is that of the hubs too. Pebble is made to be
// awkward: it waits, and refuses some of what is right, unless it is told not to. A hub has to trust the server that it is
// asked by, whose certificate is the one of all test servers.
func prepareAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "tlscert")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server := httptest.NewTLSServer(nil)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	server.Close()
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, roots, 0o600); err != nil {
		return 1, err
	}
	for name, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0", "SSL_CERT_FILE": file,
	} {
		if err := os.Setenv(name, value); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}
