package jetstream

import (
	"errors"
	"fmt"
	"testing"

	"hubd/persistence"
)

// A hub waits for what passes with time, such as a cluster whose servers have not all found each other, and ends for what
// does not, such as more replicas than servers.
func TestWhatPassesIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		refused apiError
		passes  bool
	}{
		{apiError{Code: 400, ErrCode: codeNoPeers, Description: "no suitable peers for placement, peer offline"}, true},
		{apiError{Code: 400, ErrCode: codeNoPeers, Description: "no suitable peers for placement"}, false},
		{apiError{Code: 503, ErrCode: 10008, Description: "JetStream system temporarily unavailable"}, true},
		{apiError{Code: 400, ErrCode: codeWrongLast, Description: "wrong last sequence: 7"}, false},
	} {
		err := unavailable(fmt.Errorf("create stream: %w", &tc.refused))
		if got := errors.Is(err, persistence.ErrUnavailable); got != tc.passes {
			t.Errorf("%q is taken for unavailable: %v", tc.refused.Description, got)
		}
	}
}
