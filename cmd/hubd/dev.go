package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"hubd/auth"
	"hubd/config"
)

// newLogger returns the logger of the configuration.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func protocol(cfg *config.Config) auth.Protocol {
	switch cfg.Protocol {
	case config.ProtocolV1:
		return auth.V1
	case config.ProtocolV0:
		return auth.V0
	}
	return auth.Both
}

// cookies are the names of the cookies that may carry a token.
func cookies(cfg *config.Config) []string {
	if cfg.CookieName != "" {
		return []string{cfg.CookieName}
	}
	names := map[auth.Protocol][]string{
		auth.V1: {"__Secure-mercure_access_token"},
		auth.V0: {"mercureAuthorization"},
	}
	if p := protocol(cfg); p != auth.Both {
		return names[p]
	}
	return append(names[auth.V1], names[auth.V0]...)
}

// greet prints what a developer needs to try the hub, under the name that it was started by.
func (d *daemon) greet(w io.Writer, minter *auth.MintOptions) error {
	token, err := auth.Mint(*minter)
	if err != nil {
		return err
	}
	console, err := d.consoleLink(minter)
	if err != nil {
		return err
	}
	// Each protocol has its own word for what a subscriber asks for.
	parameter := "topic"
	if minter.Dialect == auth.V1 {
		parameter = "match"
	}
	dialect := "--dialect=0.x"
	if protocol(d.cfg).Allows(auth.V1) {
		dialect = fmt.Sprintf("--issuer='%s' --audience='%s'", d.issuer(), d.audience())
	}
	_, err = fmt.Fprintf(w, `
hubd is ready for development at %[1]s

  console, with a token to publish and subscribe:
    %[7]s

  subscribe:
    curl -N '%[1]s?%[2]s=https://example.com/books/1'

  publish (token valid for a day):
    curl '%[1]s' -d topic=https://example.com/books/1 -d data=hello -H 'Authorization: Bearer %[3]s'

  mint another token with the key of this run:
    %[6]s token --key=%[4]s %[5]s --publish='*' --subscribe='*'

`, d.url(), parameter, token, minter.Key.Material, dialect, os.Args[0], console)
	if err != nil {
		return fmt.Errorf("greeting the developer: %w", err)
	}
	return nil
}
