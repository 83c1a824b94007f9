// Package config owns the hub's settings: one documented struct from which the flags, the HUBD_*
// environment variables, the keys of the configuration file and the reference page all follow.
//
// A setting is taken from the first of these places that has it: the command line, the environment,
// the file, the default. A place that cannot be understood is an error, never a reason to look at the
// next one: a misspelt key, a variable that starts with HUBD_ and is no setting, a value of the wrong kind.
// All of them are collected, so that an operator sees every mistake in one go.
//
// Secrets have no default and no way into a log, an error or a help text: see Secret and Store.
//
// The package starts no goroutine. It reads the configuration file and the key files, and nothing else;
// the environment is handed in. It is the only one besides cmd/hubd that knows the parser of flags.
package config
