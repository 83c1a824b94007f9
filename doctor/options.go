package doctor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"hubd/auth"
)

// ErrOptions is wrapped by every error about options that cannot be used.
var ErrOptions = errors.New("invalid options of the examination")

// Defaults of the waits.
const (
	DefaultPatience = 5 * time.Second
	// DefaultWatch is longer than the hub's own heartbeat, 15 seconds.
	DefaultWatch = 20 * time.Second
)

// Credential is how one side shows who it is: a token, or a key to make one with. Neither means without a token.
type Credential struct {
	Token string
	Key   auth.Key
}

func (c Credential) absent() bool { return c.Token == "" && c.Key.Absent() }

// Options say which hub to examine and how.
type Options struct {
	// URL is the hub's, as clients see it: http or https, with its path.
	URL string
	// Admin is the base URL of its admin server; empty leaves the limits out.
	Admin string
	// Origin is that of a page that is to use the hub, such as https://example.com; empty leaves CORS out.
	Origin string
	// Topic is what is published to; empty is a random one. A token that was given has to grant it.
	Topic string

	Publisher, Subscriber Credential
	// Issuer and Audience are for 1.0 tokens. Tokens are made for 0.x without an issuer; the audience is URL if empty.
	Issuer, Audience string

	// Patience bounds each wait, DefaultPatience if zero; Watch that for a heartbeat, where negative is not at all
	// and zero is DefaultWatch.
	Patience, Watch time.Duration
	// TLS is how the hub's certificate is verified; nil is by the system's authorities.
	TLS *tls.Config
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Validate reports the first option that cannot be used. Errors wrap ErrOptions.
func (o *Options) Validate() error {
	if err := checkURL("url", o.URL); err != nil {
		return err
	}
	if o.Admin != "" {
		if err := checkURL("admin", o.Admin); err != nil {
			return err
		}
	}
	if o.Origin != "" {
		if err := checkURL("origin", o.Origin); err != nil {
			return err
		}
		if u, _ := url.Parse(o.Origin); u.Path != "" {
			return fmt.Errorf("%w: origin %q has a path; a browser sends the scheme and the host alone", ErrOptions, o.Origin)
		}
	}
	for side, c := range map[string]Credential{"publisher": o.Publisher, "subscriber": o.Subscriber} {
		if err := c.Key.Validate(); err != nil {
			return fmt.Errorf("%w: key of the %s: %w", ErrOptions, side, err)
		}
	}
	return nil
}

func checkURL(name, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s %q is no URL: %w", ErrOptions, name, text, err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%w: %s %q is not a URL with http:// or https://", ErrOptions, name, text)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%w: %s %q has a query or a fragment", ErrOptions, name, text)
	}
	return nil
}

// complete returns the options with their defaults.
func (o Options) complete() Options {
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Watch == 0 {
		o.Watch = DefaultWatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Audience == "" {
		o.Audience = o.URL
	}
	o.Admin = strings.TrimSuffix(o.Admin, "/")
	return o
}
