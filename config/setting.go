package config

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// group is a section of the help text and of the reference page.
type group struct{ key, title string }

// groups returns the sections in their order. A flag is a setting if it is in one of them, which is
// how those of other commands are told apart.
func groups() []group {
	return []group{
		{"file", "Configuration file"},
		{"addresses", "Addresses"},
		{"tls", "TLS"},
		{"store", "Store and history"},
		{"tokens", "Tokens and origins"},
		{"streams", "Streams"},
		{"limits", "Limits"},
		{"memory", "Memory"},
		{"watchdog", "Watchdog"},
		{"log", "Log"},
		{"development", "Development"},
	}
}

func isSetting(flag *kong.Flag) bool {
	for _, g := range groups() {
		if flag.Tag.Group == g.key {
			return true
		}
	}
	return false
}

const envPrefix = "HUBD_"

// envName returns the variable of a setting: HUBD_PUBLIC_URL for public-url.
func envName(setting string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// aliasName returns the variable of the official image that means the same, or nothing.
func aliasName(flag *kong.Flag) string {
	return strings.ReplaceAll(flag.Tag.Get("alias"), "${ROLE}", strings.ToUpper(flag.Tag.Vars["role"]))
}

// settings returns the settings of c with their tags and values, in the order of the struct.
func (c *Config) settings() []*kong.Flag { return mustFlags(c) }

// settings returns the settings of a block, like those of a Config.
func (i *Issuer) settings() []*kong.Flag { return mustFlags(i) }

func mustFlags(c any) []*kong.Flag {
	parser, err := grammar(c)
	if err != nil {
		panic(fmt.Sprintf("config: the tags of %T make no parser: %v", c, err))
	}
	return parser.Model.Flags
}

// onlySettings returns the flags that are settings, in their order.
func onlySettings(flags []*kong.Flag) []*kong.Flag {
	var found []*kong.Flag
	for _, flag := range flags {
		if isSetting(flag) {
			found = append(found, flag)
		}
	}
	return found
}

// grammar returns a parser of the settings alone, of a Config or an Issuer, with their flags in the order of
// the struct.
func grammar(c any, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{kong.NoDefaultHelp()}, options...)...)
}

// kindOf says how a value of the type is written, for messages and the reference page.
func kindOf(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case bool:
		return "true or false"
	case int, int64:
		return "a whole number"
	case time.Duration:
		return "a duration such as 15s, 10m or 24h"
	case Size:
		return "a size such as 256KiB or 1MiB"
	case slog.Level:
		return "debug, info, warn or error"
	case []string:
		return "a list"
	}
	return "a text"
}
