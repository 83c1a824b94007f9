package js

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"hubd/internal/hubtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	hubtest.Clean()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
