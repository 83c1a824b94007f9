package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"time"

	"hubd/auth"
	"hubd/config"
	"hubd/mercure"
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

// tokens returns the verifier of the configuration. A development hub without keys gets one of its own, made
// here, and what it takes to mint a first token with it.
func (d *daemon) tokens() (*auth.Verifier, *auth.MintOptions, error) {
	publisher, err := verificationKey(&d.cfg.Publisher)
	if err != nil {
		return nil, nil, err
	}
	subscriber, err := verificationKey(&d.cfg.Subscriber)
	if err != nil {
		return nil, nil, err
	}
	var minter *auth.MintOptions
	issuer := d.cfg.Issuer
	if d.cfg.Dev {
		if issuer == "" {
			issuer = d.url()
		}
		if publisher.Absent() {
			secret := make([]byte, 32)
			_, _ = rand.Read(secret) // never fails
			publisher = auth.Key{Material: []byte(base64.RawURLEncoding.EncodeToString(secret))}
			minter = &auth.MintOptions{
				Dialect: auth.V0, Key: publisher, Expires: time.Now().Add(24 * time.Hour),
				Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: mercure.Wildcard}},
			}
		}
		if subscriber.Absent() {
			subscriber = publisher
		}
	}
	verifier, err := auth.New(auth.Options{
		Protocol: protocol(d.cfg), Publisher: publisher, Subscriber: subscriber,
		Issuer: issuer, Audience: d.cfg.Audience, Space: d.space,
	})
	return verifier, minter, err
}

// greet prints what a developer needs to try the hub.
func greet(w io.Writer, url string, minter *auth.MintOptions) error {
	token, err := auth.Mint(*minter)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
hubd is ready for development at %[1]s

  subscribe:
    curl -N '%[1]s?topic=https://example.com/books/1'

  publish (token valid for a day):
    curl '%[1]s' -d topic=https://example.com/books/1 -d data=hello -H 'Authorization: Bearer %[2]s'

  key of this run, to mint other tokens with hubd token:
    %[3]s

`, url, token, minter.Key.Material)
	if err != nil {
		return fmt.Errorf("greeting the developer: %w", err)
	}
	return nil
}
