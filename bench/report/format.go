package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"hubd/bench/stat"
)

// Figure writes a value in the unit that the end of the figure's name tells.
func Figure(name string, v float64) string {
	switch {
	case strings.HasSuffix(name, "_per_second"):
		return count(v) + "/s"
	case strings.HasSuffix(name, "_seconds"):
		return duration(v)
	case strings.HasSuffix(name, "_bytes"):
		return bytes(v)
	case strings.HasSuffix(name, "_share"):
		return percent(v)
	default:
		return count(v)
	}
}

// spread writes a median, and the extremes behind it where there were several runs.
func spread(name string, s stat.Spread) string {
	switch {
	case s.Runs == 0:
		return "-"
	case s.Runs == 1:
		return Figure(name, s.Median)
	}
	return extremes(Figure(name, s.Median), Figure(name, s.Min), Figure(name, s.Max))
}

// label makes a figure's name readable.
func label(name string) string {
	for _, unit := range []string{"_seconds", "_bytes", "_share", "_count"} {
		name = strings.TrimSuffix(name, unit)
	}
	name = strings.ReplaceAll(name, "_", " ")
	for _, short := range []string{"cpu", "rss"} {
		name = strings.ReplaceAll(name, short, strings.ToUpper(short))
	}
	return name
}

// percent writes a share with two places, as far as they say anything.
func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + "%" }

func duration(s float64) string {
	switch a := math.Abs(s); {
	case a == 0:
		return "0"
	case a < 1e-6:
		return significant(s*1e9) + " ns"
	case a < 1e-3:
		return significant(s*1e6) + " us"
	case a < 1:
		return significant(s*1e3) + " ms"
	}
	return significant(s) + " s"
}

func bytes(b float64) string {
	switch a := math.Abs(b); {
	case a < 1<<10:
		return significant(b) + " B"
	case a < 1<<20:
		return significant(b/(1<<10)) + " KB"
	case a < 1<<30:
		return significant(b/(1<<20)) + " MB"
	}
	return significant(b/(1<<30)) + " GB"
}

// significant writes three digits, and all of a longer number's before the point.
func significant(v float64) string {
	v = math.Round(v*1e6) / 1e6 // what is left of a change of units
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	if math.Abs(v) < 0.005 {
		return "0" // and not -0.00
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// count writes a number with its thousands apart.
func count(v float64) string {
	s := significant(v)
	if math.Abs(v) < 1000 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// ratio writes how many times larger something is, and the extremes behind it where there were several runs.
func ratio(s stat.Spread) string {
	switch {
	case s.Runs == 0:
		return "-"
	case s.Runs == 1:
		return significant(s.Median) + " x"
	}
	return extremes(significant(s.Median)+" x", significant(s.Min)+" x", significant(s.Max)+" x")
}

// extremes writes a median with the extremes behind it, unless they look the same.
func extremes(median, least, most string) string {
	if least == most {
		return median
	}
	return fmt.Sprintf("%s (%s to %s)", median, strings.TrimSuffix(least, " x"), strings.TrimSuffix(most, " x"))
}
