// Package deploytest tests what operators deploy: each file in deploy is run, or read by the tool that it is written for.
//
// The reverse proxies, systemd's tools and the container's file system come from Debian's packages, which
// scripts/test-deps.sh installs; a test that lacks one fails. Proxies run without privileges, on free loopback ports, in a
// temporary directory, and end with their test. Manifests and compose files are for tools that "make deploy-check" builds; without
// it, their tests are skipped.
//
// Every check is also made of a copy that was broken on purpose, and has to refuse it.
package deploytest
