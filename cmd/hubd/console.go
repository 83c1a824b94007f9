package main

import (
	"net/url"

	"hubd/auth"
	"hubd/mercure"
	"hubd/sse"
	"hubd/web"
)

// console returns the pages of the console, nil if it is off.
func (d *daemon) console() *sse.Pages {
	if !d.cfg.Console {
		return nil
	}
	return &sse.Pages{File: web.Console, Policy: web.Policy}
}

// consoleURL is where the console is, by the address that the hub listens on: a public URL may be one that only a proxy
// knows.
func (d *daemon) consoleURL() string {
	if d.cfg.Listen == "" {
		return d.secureURL() + "/console/"
	}
	return "http://" + d.address() + sse.Path + "/console/"
}

// consoleLink is the console's URL with a token of the key that the development hub made. The token is in the
// fragment, which browsers keep to themselves: it is in no request and no log. The page takes it out of the address bar.
func (d *daemon) consoleLink(minter *auth.MintOptions) (string, error) {
	o, name := *minter, "token"
	if d.cfg.Subscriber.Absent() {
		o.Subscribe = append([]mercure.Matcher(nil), o.Publish...)
	} else {
		// Subscribers have a key of their own, which was not made here.
		name = "publisher-token"
	}
	token, err := auth.Mint(o)
	if err != nil {
		return "", err
	}
	return d.consoleURL() + "#" + name + "=" + url.QueryEscape(token), nil
}
