package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"hubd/auth"
	"hubd/config"
	"hubd/mercure"
)

// verificationKey returns the key of a role as auth takes it, read from its file if it has one. It is
// absent if neither is set.
func verificationKey(key *config.Key) (auth.Key, error) {
	secret, err := key.Material()
	if err != nil {
		return auth.Key{}, fmt.Errorf("read the key: %w", err)
	}
	return auth.Key{Material: []byte(secret.Reveal()), Algorithm: key.Alg}, nil
}

// keySet returns the key set of a role as auth takes it. It is absent if none is set.
func keySet(cfg *config.Config, key *config.Key) auth.KeySet {
	return auth.KeySet{URL: key.JWKSURL, Algorithms: key.JWKSAlgs, AllowHTTP: cfg.JWKSAllowHTTP, AllowPrivate: cfg.JWKSAllowPrivate}
}

// issuerOf returns an issuer with what verifies its tokens.
func issuerOf(cfg *config.Config, id string, publisher, subscriber *config.Key) (auth.Issuer, error) {
	i := auth.Issuer{ID: id, PublisherSet: keySet(cfg, publisher), SubscriberSet: keySet(cfg, subscriber)}
	var err error
	if i.Publisher, err = verificationKey(publisher); err != nil {
		return i, err
	}
	i.Subscriber, err = verificationKey(subscriber)
	return i, err
}

// tokens makes the verifier of the configuration. A development hub without a key to publish gets one of its
// own, made here, and what it takes to mint a first token with it is returned.
func (d *daemon) tokens() (*auth.MintOptions, error) {
	own, err := issuerOf(d.cfg, d.cfg.Issuer, &d.cfg.Publisher, &d.cfg.Subscriber)
	if err != nil {
		return nil, err
	}
	var minter *auth.MintOptions
	if d.cfg.Dev {
		minter = d.develop(&own)
	}
	o := auth.Options{
		Protocol: protocol(d.cfg), Issuer: own.ID, Audience: d.fixedAudience(),
		Publisher: own.Publisher, Subscriber: own.Subscriber, PublisherSet: own.PublisherSet, SubscriberSet: own.SubscriberSet,
		Space: d.space, Refresh: d.cfg.JWKSRefresh, Logger: d.log, MaxRevocations: d.cfg.MaxRevocations,
	}
	for i := range d.cfg.Issuers {
		block := &d.cfg.Issuers[i]
		other, err := issuerOf(d.cfg, block.Issuer, &block.Publisher, &block.Subscriber)
		if err != nil {
			return nil, err
		}
		o.Issuers = append(o.Issuers, other)
	}
	d.verifier, err = auth.New(o)
	return minter, err
}

// develop fills in what a development hub was not given: an issuer, and keys. If it makes the key of
// publishers, it returns how to mint a token with it, of 1.0 where that is all the hub speaks.
func (d *daemon) develop(own *auth.Issuer) *auth.MintOptions {
	own.ID = d.issuer()
	var minter *auth.MintOptions
	if own.Publisher.Absent() && own.PublisherSet.Absent() {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		own.Publisher = auth.Key{Material: []byte(base64.RawURLEncoding.EncodeToString(secret))}
		minter = &auth.MintOptions{
			Dialect: auth.V0, Key: own.Publisher, Issued: time.Now(), Expires: time.Now().Add(24 * time.Hour),
			Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: mercure.Wildcard}},
		}
		if protocol(d.cfg) == auth.V1 {
			minter.Dialect, minter.Issuer, minter.Audience, minter.Publish[0].Type = auth.V1, own.ID, d.audience(), mercure.Exact
		}
	}
	if own.Subscriber.Absent() && own.SubscriberSet.Absent() {
		own.Subscriber, own.SubscriberSet = own.Publisher, own.PublisherSet
	}
	return minter
}

// issuer is who signs 1.0 tokens with the keys of a development hub: as configured, or the hub itself.
func (d *daemon) issuer() string {
	if d.cfg.Issuer != "" {
		return d.cfg.Issuer
	}
	return d.url()
}

// audience is the hub's resource identifier: as configured, or its URL.
func (d *daemon) audience() string {
	if d.cfg.Audience != "" {
		return d.cfg.Audience
	}
	return d.url()
}
