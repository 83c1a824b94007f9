package doctor

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"hubd/internal/hubtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		hubtest.Clean()
		os.Exit(code)
	}))
}
