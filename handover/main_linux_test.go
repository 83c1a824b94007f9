package handover

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes a process of the test binary play a part instead of running tests.
const roleVariable = "HANDOVER_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}
