//go:build linux

package process

import (
	"errors"
	"testing"
)

func TestMachine(t *testing.T) {
	t.Parallel()
	m, err := ReadMachine()
	if err != nil || m.Busy <= 0 || m.Stolen < 0 {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = parseMachine([]byte("cpu  10 20 30 400 50 6 7 8 9 0\ncpu0 1 1 1 1 1 1 1 1 1 0\n"))
	if want := (Machine{Busy: 73, Stolen: 8}); err != nil || m != want {
		t.Errorf("%+v, %v, want %+v", m, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x 9"} {
		if _, err := parseMachine([]byte(text)); !errors.Is(err, ErrStat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTaken(t *testing.T) {
	t.Parallel()
	before := Machine{Busy: 100, Stolen: 10}
	for now, want := range map[Machine]float64{
		{Busy: 190, Stolen: 20}: 0.1,
		{Busy: 100, Stolen: 11}: 1,
		{Busy: 200, Stolen: 10}: 0,
		before:                  0,
	} {
		if got := now.Taken(before); got != want {
			t.Errorf("%+v: %v, want %v", now, got, want)
		}
	}
}
