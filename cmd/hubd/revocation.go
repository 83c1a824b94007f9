package main

import (
	"hubd/actors"
	"hubd/auth"
	"hubd/config"
)

// revocationsFile is where revocations are kept, beside a store that is a file; nothing if they are lost at exit.
func (d *daemon) revocationsFile() string {
	if d.cfg.Store.Scheme() != config.StoreBolt {
		return ""
	}
	return d.cfg.Store.Path() + ".revoked"
}

// revoked reports whether a stream's token was revoked.
func (d *daemon) revoked(i *actors.Identity) bool { return d.verifier.Revoked((*auth.Identity)(i)) }
