// Package tlscert keeps the certificates that the hub shows to its clients: from files, which are read again when they
// change, or from a certificate authority by ACME (RFC 8555).
//
// A Source is asked for a certificate by each handshake, so a new one counts from the next handshake on and connections
// that are open are left alone. One that cannot be used never takes the place of one that can.
//
// Goroutines: one for each source, from Start to Stop, which joins it. A handshake never waits for a file. With ACME a
// handshake for a name that has no certificate yet waits for it.
//
// Caveats: files are compared by their content every interval, so a change is seen that much later, whichever way it was
// made: written in place, renamed over, or by the symbolic links that Kubernetes and certbot swap. The library for ACME
// renews certificates by timers that cannot be stopped; they do no harm after Stop.
package tlscert
