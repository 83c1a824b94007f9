package config

import (
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	t.Parallel()
	tests := map[string]Size{
		"0": 0, "1": 1, "42B": 42, "1KiB": 1 << 10, "256KiB": 256 << 10, "64MiB": 64 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"1KB": 1000, "500MB": 500e6, "2GB": 2e9, "3TB": 3e12, "1 MiB": 1 << 20, "1mib": 1 << 20, "-1KiB": -1024,
	}
	for text, want := range tests {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "KiB", "1.5MiB", "1XiB", "1K", "1Ki", "0x10", "9223372036854775807KiB", "many"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

func TestSizeString(t *testing.T) {
	t.Parallel()
	for size, want := range map[Size]string{
		0: "0", 1: "1", 1023: "1023", 1 << 10: "1KiB", 3 << 19: "1536KiB", 1 << 20: "1MiB", -1024: "-1KiB", math.MaxInt64: "9223372036854775807",
	} {
		if got := size.String(); got != want {
			t.Errorf("Size(%d).String() = %q, want %q", int64(size), got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"256KiB", "-1", "9223372036854775807", "1 MB", "1e9", "KiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Size
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Errorf("%q is %d, which prints as %q and reads as %d, %v", text, size, size, again, err)
		}
	})
}
