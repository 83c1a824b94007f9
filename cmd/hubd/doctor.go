package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubd/auth"
	"hubd/config"
	"hubd/doctor"
)

// doctorCommand is hubd doctor.
type doctorCommand struct {
	URL    string `name:"url" placeholder:"URL" default:"http://127.0.0.1:3000/.well-known/mercure" help:"URL of the hub as clients see it, through whatever proxies stand before it."`
	Admin  string `placeholder:"URL" help:"Base URL of the hub's admin server, such as http://127.0.0.1:3001, to see the limits of its process."`
	Origin string `placeholder:"ORIGIN" help:"Origin of a page that is to use the hub, such as https://example.com, to try CORS."`
	Topic  string `placeholder:"TOPIC" help:"Topic to publish to, which tokens that are given have to grant; a random one by default."`
	Quick  bool   `help:"Only ask whether the hub is ready, as a container's health check does."`
	JSON   bool   `name:"json" help:"Print the report as JSON."`

	Publisher  party  `embed:"" prefix:"publisher-" set:"side=publisher"`
	Subscriber party  `embed:"" prefix:"subscriber-" set:"side=subscriber"`
	Issuer     string `placeholder:"ISSUER" help:"Issuer that the hub trusts, its --issuer: tokens are then made for 1.0 rather than 0.x."`
	Audience   string `placeholder:"ID" help:"Resource identifier of the hub for 1.0 tokens; the URL by default."`

	Patience time.Duration `default:"5s" help:"Longest wait for each answer and each update."`
	Watch    time.Duration `default:"20s" help:"Longest wait for a heartbeat on a silent stream; 0 does not wait."`
}

// party is how one side shows who it is.
type party struct {
	Token     config.Secret `placeholder:"TOKEN" help:"Token of a ${side}. Prefer the key file: other users of the machine can see flags."`
	TokenFile string        `placeholder:"FILE" help:"File that holds it."`
	Key       config.Secret `placeholder:"KEY" help:"Key that tokens of ${side}s are signed with, to make one: the hub's shared secret, or the private key as PEM text."`
	KeyFile   string        `placeholder:"FILE" help:"File that holds it. Line breaks at its end are not part of the key."`
	Alg       string        `default:"HS256" help:"Signature algorithm of the key."`
}

// errUnwell is returned after a report with failures; the report says which.
var errUnwell = errors.New("the hub does not do all that its clients need")

// Run examines the hub and prints what it found. Only failures make it fail: warnings are for the operator to judge.
func (c *doctorCommand) Run(ctx context.Context, s *streams) error {
	o, err := c.options()
	if err != nil {
		return &usageError{err}
	}
	examine := doctor.Examine
	if c.Quick {
		examine = doctor.Quick
	}
	report, err := examine(ctx, o)
	if err != nil {
		if errors.Is(err, doctor.ErrOptions) {
			return &usageError{err}
		}
		return err
	}
	write := report.WriteTable
	if c.JSON {
		write = report.WriteJSON
	}
	if err := write(s.out); err != nil {
		return err
	}
	if n := report.Count(doctor.Failure); n > 0 {
		return fmt.Errorf("%w: failed checks: %d", errUnwell, n)
	}
	return nil
}

func (c *doctorCommand) options() (doctor.Options, error) {
	o := doctor.Options{
		URL: c.URL, Admin: c.Admin, Origin: c.Origin, Topic: c.Topic,
		Issuer: c.Issuer, Audience: c.Audience, Patience: c.Patience, Watch: c.Watch,
	}
	if c.Patience <= 0 {
		return o, errors.New("--patience has to be longer than 0")
	}
	if c.Watch <= 0 {
		o.Watch = -1
	}
	var err error
	if o.Publisher, err = c.Publisher.credential(); err != nil {
		return o, fmt.Errorf("publisher: %w", err)
	}
	if o.Subscriber, err = c.Subscriber.credential(); err != nil {
		return o, fmt.Errorf("subscriber: %w", err)
	}
	return o, o.Validate()
}

func (p *party) credential() (doctor.Credential, error) {
	var c doctor.Credential
	token, err := (&config.Key{Key: p.Token, File: p.TokenFile}).Material()
	if err != nil {
		return c, err
	}
	key, err := (&config.Key{Key: p.Key, File: p.KeyFile}).Material()
	if err != nil {
		return c, err
	}
	c.Token = token.Reveal()
	c.Key = auth.Key{Material: []byte(key.Reveal()), Algorithm: p.Alg}
	return c, nil
}
