package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 256KiB, 1MiB, 500MB, or plainly as bytes.
type Size int64

var errSize = errors.New("not a size")

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits returns the units, those that end in another's name first.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// UnmarshalText reads a whole number and an optional unit in any case. Binary units (KiB, MiB, GiB,
// TiB) count in 1024s, decimal ones (KB, MB, GB, TB) in 1000s.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(1)
	for _, u := range sizeUnits() {
		if n := len(number) - len(u.name); n > 0 && strings.EqualFold(number[n:], u.name) {
			number, unit = strings.TrimSpace(number[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %q", errSize, text)
	}
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return fmt.Errorf("%w: %q is too large", errSize, text)
	}
	*s = Size(n * unit)
	return nil
}

// String returns the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && strings.HasSuffix(u.name, "iB") && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String for encoders.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
