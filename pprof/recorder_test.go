package pprof

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func recorder(t *testing.T, o RecorderOptions) *Recorder {
	t.Helper()
	if o.Numbers == nil {
		o.Numbers = func() Numbers { return Numbers{} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := NewRecorder(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecorderKeepsTenMinutesAndAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recorder(t, RecorderOptions{})
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Hour + time.Second) // the bubble's clock
		synctest.Wait()
		r.Stop()
		var body struct{ Fine, Coarse decoded }
		if err := json.Unmarshal(r.json(), &body); err != nil {
			t.Fatal(err)
		}
		for want, d := range map[time.Duration]*decoded{10 * time.Minute: &body.Fine, time.Hour: &body.Coarse} {
			times := d.list(t, "time")
			span := time.Duration(*times[len(times)-1]-*times[0]+d.Every*1000) * time.Millisecond
			if len(times) != points || span != want {
				t.Errorf("%d points of %s, want %d of %s", len(times), span, points, want)
			}
		}
	})
}

func TestRecorderStartsOnceAndStopsInAnyOrder(t *testing.T) {
	t.Parallel()
	r := recorder(t, RecorderOptions{})
	r.Stop()
	r.Stop()
	if err := r.Start(); !errors.Is(err, errRecorder) {
		t.Errorf("Start() after Stop = %v", err)
	}
	r = recorder(t, RecorderOptions{})
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); !errors.Is(err, errRecorder) {
		t.Errorf("second Start() = %v", err)
	}
	r.Stop()
	r.Stop()
}

func TestRecorderOptionsAreValidated(t *testing.T) {
	t.Parallel()
	numbers := func() Numbers { return Numbers{} }
	for name, o := range map[string]RecorderOptions{
		"no numbers":   {},
		"no directory": {Numbers: numbers, Watchdog: &WatchdogOptions{MaxBytes: 1, After: 1}},
		"no limit":     {Numbers: numbers, Watchdog: &WatchdogOptions{Dir: "d", After: 1}},
	} {
		if _, err := NewRecorder(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: NewRecorder() = %v", name, err)
		}
	}
}
