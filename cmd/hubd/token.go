package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hubd/auth"
	"hubd/config"
	"hubd/mercure"
	"hubd/topics"
)

// tokenCommand is hubd token.
type tokenCommand struct {
	Publish   []string      `sep:"none" placeholder:"SEL" help:"Topic that the bearer may publish to; * is every topic. In 1.0 a bare selector is matched exactly and urlpattern=PATTERN is a URL pattern; in 0.x it may be a URI template. Repeatable."`
	Subscribe []string      `sep:"none" placeholder:"SEL" help:"Topic whose private updates the bearer may receive, written like --publish. Repeatable."`
	Revoke    []string      `sep:"none" placeholder:"SEL" help:"Topic whose streams the bearer may end, written like --publish; * is everything, ids and subjects of tokens too. Repeatable."`
	Payload   string        `placeholder:"JSON" help:"JSON document to attach to the bearer's subscriptions; an object in 1.0."`
	Expires   time.Duration `default:"1h" help:"How long the token is valid; 0 is for ever, which only 0.x has."`
	Dialect   string        `default:"1.0" help:"Version of the protocol that the token is for: 1.0 or 0.x."`
	Key       config.Secret `placeholder:"KEY" help:"Key that the token is signed with: the hub's shared secret, or the private key, as PEM text, that belongs to its public one. Prefer --key-file: other users of the machine can see flags."`
	KeyFile   string        `placeholder:"FILE" help:"File that holds --key. Line breaks at its end are not part of the key."`
	Alg       string        `default:"HS256" help:"Signature algorithm of the key."`
	Issuer    string        `placeholder:"ISSUER" help:"Issuer that the hub trusts, its --issuer. Required in 1.0."`
	Audience  string        `placeholder:"ID" help:"Resource identifier of the hub: its --audience, or else its URL as clients see it. Required in 1.0."`
	Subject   string        `placeholder:"SUB" help:"Who the bearer is. In 1.0 a random identifier stands for none."`
	ID        string        `name:"id" placeholder:"ID" help:"Id of the token, its jti claim, by which it can be revoked. In 1.0 a random one stands for none."`
}

// tokenHub is the hub that a new token is tried on. Its URL plays no part in whether a selector is valid.
const tokenHub = "https://hub.example/.well-known/mercure"

// Run mints a token and prints it, once it is certain that a hub with this key, issuer and audience
// accepts it.
func (c *tokenCommand) Run(s *streams) error {
	o, err := c.options(time.Now())
	if err != nil {
		return &usageError{err}
	}
	token, err := auth.Mint(o)
	if err != nil {
		return &usageError{err}
	}
	if err := try(token, o); err != nil {
		return &usageError{err}
	}
	if weakness := o.Key.Weakness(); weakness != "" {
		if _, err := fmt.Fprintln(s.err, "hubd: note: key:", weakness); err != nil {
			return fmt.Errorf("print a note: %w", err)
		}
	}
	if _, err := fmt.Fprintln(s.out, token); err != nil {
		return fmt.Errorf("print the token: %w", err)
	}
	return nil
}

// options returns what the flags say about a token that is made at the time now.
func (c *tokenCommand) options(now time.Time) (auth.MintOptions, error) {
	o := auth.MintOptions{Issuer: c.Issuer, Audience: c.Audience, Subject: c.Subject, ID: c.ID, Issued: now}
	var err error
	switch o.Dialect, err = auth.ParseProtocol(c.Dialect); {
	case err != nil || o.Dialect == auth.Both:
		return o, fmt.Errorf(`--dialect %q is neither "1.0" nor "0.x"`, c.Dialect)
	case c.Expires < 0:
		return o, fmt.Errorf("--expires %s is in the past", c.Expires)
	case c.Expires > 0:
		o.Expires = now.Add(c.Expires)
	}
	if o.Dialect == auth.V1 {
		if err := c.requireAccess(); err != nil {
			return o, err
		}
	}
	if c.Payload != "" {
		o.Payload = json.RawMessage(c.Payload)
	}
	o.Publish, o.Subscribe, o.Revoke = selectors(c.Publish, o.Dialect), selectors(c.Subscribe, o.Dialect), selectors(c.Revoke, o.Dialect)
	secret, err := (&config.Key{Key: c.Key, File: c.KeyFile}).Material()
	switch {
	case err != nil:
		return o, err
	case secret.Absent():
		return o, errors.New("there is no key to sign with; give --key-file or --key")
	}
	o.Key = auth.Key{Material: []byte(secret.Reveal()), Algorithm: c.Alg}
	return o, nil
}

// requireAccess names the flag that a 1.0 token cannot do without.
func (c *tokenCommand) requireAccess() error {
	switch {
	case c.Issuer == "":
		return errors.New("--issuer is missing, which a 1.0 token needs; give the --issuer of the hub")
	case c.Audience == "":
		return errors.New("--audience is missing, which a 1.0 token needs; give the URL of the hub")
	case c.Expires == 0:
		return errors.New("--expires 0 is for 0.x; a 1.0 token has to expire")
	}
	return nil
}

// selectors reads selectors that may have their type in front, as in exact=a. The default type is that
// of the dialect: exact in 1.0 ("Matcher Types"), a template in 0.x ("Topic Selectors").
func selectors(texts []string, dialect auth.Protocol) []mercure.Matcher {
	var read []mercure.Matcher
	for _, text := range texts {
		m := mercure.Matcher{Type: mercure.Exact, Pattern: text}
		if dialect == auth.V0 {
			m.Type = mercure.Template
		}
		for _, typ := range []mercure.MatcherType{mercure.Exact, mercure.URLPattern, mercure.Template} {
			if pattern, ok := strings.CutPrefix(text, typ.String()+"="); ok {
				m = mercure.Matcher{Type: typ, Pattern: pattern}
			}
		}
		read = append(read, m)
	}
	return read
}

// try verifies the token as a hub would that has the key, the issuer and the audience.
func try(token string, o auth.MintOptions) error {
	space, err := topics.NewSpace(topics.Options{BaseURL: tokenHub})
	if err != nil {
		return err
	}
	defer space.Close()
	verifier, err := auth.New(auth.Options{
		Protocol: o.Dialect, Publisher: o.Key, Issuer: o.Issuer, Audience: o.Audience, Space: space,
	})
	if err != nil {
		return err
	}
	if _, err = verifier.Verify(auth.RolePublisher, token, o.Audience); err != nil {
		return fmt.Errorf("no hub would accept the token: %w", err)
	}
	return nil
}
