package mercure

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// ErrText is wrapped by every error about text that the protocol forbids.
var ErrText = errors.New("forbidden text")

// CheckText reports whether s may stand in a topic, a matcher, an id or an event type: valid UTF-8
// without C0 or C1 controls, DEL, or Unicode format characters (general category Cf), which are
// invisible and let one identifier pass for another ("Terminology" and "Publication").
func CheckText(s string) error {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case c < 0x20 || c == 0x7f:
			return fmt.Errorf("%w: control character U+%04X at byte %d", ErrText, c, i)
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: not valid UTF-8", ErrText)
	}
	for i, r := range s {
		if r >= 0x80 && r <= 0x9f {
			return fmt.Errorf("%w: control character U+%04X at byte %d", ErrText, r, i)
		}
		if unicode.Is(unicode.Cf, r) {
			return fmt.Errorf("%w: invisible format character U+%04X at byte %d", ErrText, r, i)
		}
	}
	return nil
}
