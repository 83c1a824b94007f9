package persistence

import (
	"testing"
	"time"

	"hubd/mercure"
)

func TestRetentionExceeded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		retention   Retention
		count, size uint64
		age         time.Duration
		want        bool
	}{
		{"no bound", Retention{}, 1 << 40, 1 << 50, 1 << 60, false},
		{"nothing retained", Retention{MaxEvents: 1, MaxAge: 1, MaxBytes: 1}, 0, 0, time.Hour, false},
		{"count reached", Retention{MaxEvents: 5}, 5, 0, 0, false},
		{"count passed", Retention{MaxEvents: 5}, 6, 0, 0, true},
		{"age reached", Retention{MaxAge: time.Minute}, 1, 0, time.Minute, false},
		{"age passed, the newest event", Retention{MaxAge: time.Minute}, 1, 0, time.Minute + 1, true},
		{"an age in the future", Retention{MaxAge: time.Minute}, 1, 0, -time.Hour, false},
		{"bytes reached", Retention{MaxBytes: 100}, 2, 100, 0, false},
		{"bytes passed", Retention{MaxBytes: 100}, 2, 101, 0, true},
		{"bytes passed, the newest event", Retention{MaxBytes: 100}, 1, 101, 0, false},
	} {
		if got := tc.retention.Exceeded(tc.count, tc.size, tc.age); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestRetentionValidate(t *testing.T) {
	t.Parallel()
	if err := (Retention{MaxAge: -1}).Validate(); err == nil {
		t.Error("a negative age is taken")
	}
	if err := (Retention{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSizeCountsFrameAndTopics(t *testing.T) {
	t.Parallel()
	e := mercure.NewEvent(&mercure.Update{Topics: []string{"one", "three"}, ID: "i", Data: "d"})
	if got, want := Size(e), len("id: i\ndata: d\n\n")+len("one")+len("three"); got != want {
		t.Errorf("size is %d, want %d", got, want)
	}
}
